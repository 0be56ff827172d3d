"""A gateway that was taken over: it passes on what members send, and lies about ballots.

Members connect to it as to any gateway. Unary calls pass as they are; of a stream of ballots it
swallows them, says that they were taken, or hands each in twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import grpc

import landbridge
from landbridge.federation.running import Federation
from landbridge.transport import Endpoint
from landbridge.v1 import submission_pb2
from tests.sdk.loopback import Authority

Lie = Literal["swallow", "pretend", "double"]
SUBMIT = "/landbridge.v1.Submissions/Submit"


class LyingGateway(grpc.GenericRpcHandler):
    """`lie` is what it does with ballots; `carried` counts those that the real one got of it."""

    def __init__(self, upstream: grpc.Channel, lie: Lie) -> None:
        self._upstream = upstream
        self._lie = lie
        self.carried = 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Of every method there is."""
        method = str(details.method)
        if method == SUBMIT:
            return grpc.stream_stream_rpc_method_handler(
                self._submit,
                request_deserializer=submission_pb2.SubmitRequest.FromString,
                response_serializer=submission_pb2.SubmitResponse.SerializeToString,
            )

        def passed_on(request: bytes, context: grpc.ServicerContext) -> bytes:
            call: Any = self._upstream.unary_unary(method)
            try:
                reply: bytes = call(request, timeout=30, metadata=_token(context))
            except grpc.RpcError as failure:
                said: Any = failure
                context.set_trailing_metadata(said.trailing_metadata())
                context.abort(said.code(), said.details())
            return reply

        return grpc.unary_unary_rpc_method_handler(passed_on)

    def _submit(
        self, requests: Iterator[submission_pb2.SubmitRequest], context: grpc.ServicerContext
    ) -> Iterator[submission_pb2.SubmitResponse]:
        opening = next(requests)
        for request in requests:
            ballot = request.batch
            assert b"keep" not in ballot.SerializeToString()
            if self._lie == "pretend":
                result = submission_pb2.BatchResult(
                    batch_id=ballot.batch_id, sealed=os.urandom(200)
                )
                yield submission_pb2.SubmitResponse(result=result)
            elif self._lie == "double":
                submit = self._upstream.stream_stream(
                    SUBMIT,
                    request_serializer=submission_pb2.SubmitRequest.SerializeToString,
                    response_deserializer=submission_pb2.SubmitResponse.FromString,
                )
                twice = iter((opening, request, request))
                results = list(submit(twice, timeout=30, metadata=_token(context)))
                self.carried += len(results)
                yield results[0]
            else:
                return


@contextmanager
def lying(
    town: Federation, name: str, lie: Lie
) -> Iterator[tuple[landbridge.Client, LyingGateway]]:
    """A resident who is connected to it."""
    authority = Authority()
    key, certificate = authority.issue()
    gateway = LyingGateway(Endpoint.at(town.address, ca=town.ca).channel(), lie)
    server = grpc.server(ThreadPoolExecutor(4), handlers=[gateway])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    token = town.token("resident", subject=name)
    try:
        with landbridge.connect(
            f"127.0.0.1:{port}", token=token, ca=authority.pem, timeout=4
        ) as client:
            yield client, gateway
    finally:
        server.stop(0).wait()


def _token(context: grpc.ServicerContext) -> tuple[tuple[str, str], ...]:
    found = dict(context.invocation_metadata())
    return (("authorization", str(found["authorization"])),)
