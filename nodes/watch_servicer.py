"""The node's face for standing questions: convert, one use case, convert. For the gateway only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.membership.canonical import canonical_bytes
from landbridge.membership.statement import AskingVerifier, Watching
from landbridge.v1 import watch_pb2, watch_pb2_grpc
from nodes.convert import question_from, refuse_unknown_fields
from nodes.servicer import asking_from
from nodes.standing import StandingQuestions, Wanted
from policies.question import Relation
from policies.watch import Condition

_RELATIONS: Final = {
    watch_pb2.Condition.RELATION_LESS: Relation.LESS,
    watch_pb2.Condition.RELATION_LESS_OR_EQUAL: Relation.LESS_OR_EQUAL,
    watch_pb2.Condition.RELATION_GREATER: Relation.GREATER,
    watch_pb2.Condition.RELATION_GREATER_OR_EQUAL: Relation.GREATER_OR_EQUAL,
}


class WatchingServicer(watch_pb2_grpc.WatchingServicer):
    """`admit` raises PEER_UNKNOWN, and logs it, unless the gateway asks."""

    def __init__(
        self,
        admit: Callable[[grpc.ServicerContext], None],
        signed: AskingVerifier,
        standing: StandingQuestions,
        recorder: Recorder,
        telemetry: Telemetry,
    ) -> None:
        self._admit = admit
        self._signed = signed
        self._standing = standing
        self._recorder = recorder
        self._telemetry = telemetry

    def Stand(
        self, request: watch_pb2.StandRequest, context: grpc.ServicerContext
    ) -> watch_pb2.StandResponse:
        """A watch is made."""
        self._enter(request, context)
        with self._recorder.check("watch"):
            wanted = _wanted(request)
        bare = watch_pb2.StandRequest()
        bare.CopyFrom(request)
        bare.ClearField("asking")
        with self._telemetry.request("node.stand", context.invocation_metadata()) as trace:
            return self._standing.stand(
                asking_from(request.asking), wanted, canonical_bytes(bare), trace.id
            )

    def Evaluate(
        self, request: watch_pb2.EvaluateRequest, context: grpc.ServicerContext
    ) -> watch_pb2.EvaluateResponse:
        """It is evaluated."""
        self._enter(request, context)
        with self._telemetry.request("node.evaluate", context.invocation_metadata()) as trace:
            return self._standing.evaluate(
                request.asking.question_id,
                request.acknowledged,
                time_left=context.time_remaining,
                trace_id=trace.id,
            )

    def End(
        self, request: watch_pb2.EndRequest, context: grpc.ServicerContext
    ) -> watch_pb2.EndResponse:
        """It is ended."""
        self._enter(request, context)
        with self._telemetry.request("node.end", context.invocation_metadata()) as trace:
            spent = self._standing.end(request.asking.question_id, trace.id)
        return watch_pb2.EndResponse(spent_micro_rho=spent)

    def _enter(self, request: Watching, context: grpc.ServicerContext) -> None:
        self._admit(context)
        with self._recorder.check("refused_login"):
            self._signed.require(request)
        with self._recorder.check("watch"):
            refuse_unknown_fields(request)


def read_wanted(asked: bytes) -> Wanted:
    """The standing question of a request that was kept."""
    return _wanted(watch_pb2.StandRequest.FromString(asked))


def _wanted(request: watch_pb2.StandRequest) -> Wanted:
    condition = None
    if request.HasField("condition"):
        relation = _RELATIONS.get(request.condition.relation)
        if relation is None:
            raise error("INVALID_ARGUMENT", "The condition names no relation.")
        condition = Condition(relation, request.condition.number)
    return Wanted(
        question_from(request.question),
        condition,
        request.micro_epsilon,
        request.every_seconds,
        request.alerts,
        request.hours,
        request.rest_seconds,
    )
