"""The node as a witness of the gateway's log, and its own log before its witness, the gateway.

Both are asked by the gateway alone, over the connection that its questions come on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import grpc

from landbridge.edge.witness_wire import reply_from, reply_to
from landbridge.errors import error
from landbridge.evidence.witness_memory import Reply, Witness
from landbridge.v1 import witness_pb2, witness_pb2_grpc
from nodes.convert import refuse_unknown_fields

Admit = Callable[[grpc.ServicerContext], None]
"""Raises PEER_UNKNOWN unless the gateway asks."""


class Conversing(Protocol):
    """A log whose witness comes by itself."""

    def next_request(self, witness: str, reply: Reply | None = None) -> bytes:
        """See `landbridge.evidence.oversight.Oversight.next_request`."""
        ...


class WitnessServicer(witness_pb2_grpc.WitnessServicer):
    """Remembers the gateway's log and cosigns what extends it."""

    def __init__(self, admit: Admit, witness: Witness) -> None:
        self._admit = admit
        self._witness = witness

    def AddCheckpoint(
        self, request: witness_pb2.AddCheckpointRequest, context: grpc.ServicerContext
    ) -> witness_pb2.AddCheckpointResponse:
        """C2SP tlog-witness, add-checkpoint."""
        self._admit(context)
        refuse_unknown_fields(request)
        try:
            return reply_to(self._witness.add_checkpoint(request.body))
        except OSError:
            raise error(
                "LOG_UNAVAILABLE", "What this witness saw cannot be written, so it cosigns nothing."
            ) from None


class WitnessedLogServicer(witness_pb2_grpc.WitnessedLogServicer):
    """Puts the node's log before its witness, which is named `witness`; empty: it has none."""

    def __init__(self, admit: Admit, log: Conversing, witness: str) -> None:
        self._admit = admit
        self._log = log
        self._witness = witness

    def Converse(
        self, request: witness_pb2.ConverseRequest, context: grpc.ServicerContext
    ) -> witness_pb2.ConverseResponse:
        """Takes a reply, gives the next request."""
        self._admit(context)
        refuse_unknown_fields(request)
        if not self._witness:
            raise error("NOT_AVAILABLE", "This node's settings name no witness of its log.")
        reply = reply_from(request.reply) if request.HasField("reply") else None
        return witness_pb2.ConverseResponse(body=self._log.next_request(self._witness, reply))
