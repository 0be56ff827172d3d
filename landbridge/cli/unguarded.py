"""A question as a careless program would send it, without the SDK's own checks before it.

The tour asks without a purpose in this way: the refusal must be the gateway's, not the SDK's.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import grpc

from landbridge.answers import Answer
from landbridge.status import from_rpc_error
from landbridge.transport import Endpoint, bearer
from landbridge.v1 import gateway_pb2
from landbridge.v1.gateway_pb2_grpc import GatewayStub
from landbridge.wire import read_answer

SECONDS = 30.0


def query(address: str, ca: Path, token: str, sql: str, purpose: str) -> Answer:
    """The answer to exactly this request; raises the errors of `landbridge.errors`."""
    request = gateway_pb2.QueryRequest(sql=sql, purpose=purpose, question_id=secrets.token_hex(16))
    with Endpoint.at(address, ca=ca).channel() as channel:
        try:
            reply = GatewayStub(channel).Query(request, timeout=SECONDS, metadata=bearer(token))
        except grpc.RpcError as failure:
            raise from_rpc_error(failure) from None
    return read_answer(reply)
