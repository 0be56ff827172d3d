"""The node's face for pooled questions: convert, one use case, convert. For the gateway only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry, Trace
from landbridge.membership.canonical import canonical_bytes
from landbridge.membership.statement import AskingVerifier
from landbridge.v1 import node_pb2, pooled_pb2, pooled_pb2_grpc
from nodes.convert import budget_to, masked_to, question_from, refuse_unknown_fields
from nodes.pooling import Pooling, PoolQuestion
from nodes.servicer import asking_from


class PoolingServicer(pooled_pb2_grpc.PoolingServicer):
    """`admit` raises PEER_UNKNOWN, and logs it, unless the gateway asks."""

    def __init__(
        self,
        admit: Callable[[grpc.ServicerContext], None],
        pooling: Pooling,
        recorder: Recorder,
        telemetry: Telemetry,
        signed: AskingVerifier,
    ) -> None:
        self._admit = admit
        self._pooling = pooling
        self._recorder = recorder
        self._telemetry = telemetry
        self._signed = signed

    def Pool(
        self, request: pooled_pb2.PoolRequest, context: grpc.ServicerContext
    ) -> pooled_pb2.PoolResponse:
        """Steps (6) to (10)."""
        pool = self._pool(request, context, "query")
        with self._trace("node.pool", context) as trace:
            pooled = self._pooling.pool(pool, time_left=context.time_remaining, trace_id=trace.id)
        return pooled_pb2.PoolResponse(
            question_hash=pooled.question_hash,
            masked=b"" if pooled.masked is None else masked_to(pooled.masked),
            earlier=pooled.earlier,
            remembered=pooled.remembered,
            recipient_budget=budget_to(pooled.recipient),
            overall_budget=budget_to(pooled.overall),
            charged_micro_rho=pooled.charged,
            receipt=pooled.logged.message(),
        )

    def EstimatePool(
        self, request: pooled_pb2.EstimatePoolRequest, context: grpc.ServicerContext
    ) -> pooled_pb2.EstimatePoolResponse:
        """Step (6) and the plan; no data is touched."""
        pool = self._pool(request, context, "explain")
        with self._trace("node.estimate_pool", context) as trace:
            estimated = self._pooling.estimate(pool, trace_id=trace.id)
        mechanisms = estimated.plan.mechanisms
        return pooled_pb2.EstimatePoolResponse(
            estimate=node_pb2.EstimateResponse(
                standard_deviations=[mechanism.standard_deviation for mechanism in mechanisms],
                cells=estimated.plan.cells,
                cost_micro_rho=estimated.plan.cost_micro_rho,
                recipient_budget=budget_to(estimated.recipient),
                overall_budget=budget_to(estimated.overall),
            )
        )

    def _pool(
        self,
        request: pooled_pb2.PoolRequest | pooled_pb2.EstimatePoolRequest,
        context: grpc.ServicerContext,
        kind: str,
    ) -> PoolQuestion:
        self._admit(context)
        with self._recorder.check("refused_login"):
            self._signed.require(request)
        with self._recorder.check(kind):
            refuse_unknown_fields(request)
            question = question_from(request.question)
        drawing = (
            request if isinstance(request, pooled_pb2.PoolRequest) else pooled_pb2.PoolRequest()
        )
        return PoolQuestion(
            asking_from(request.asking),
            question,
            canonical_bytes(request.question),  # the signature over it was checked above
            request.micro_epsilon,
            tuple(request.members),
            request.keys_digest,
            drawing.repeats,
            drawing.anew,
        )

    def _trace(self, step: str, context: grpc.ServicerContext) -> AbstractContextManager[Trace]:
        return self._telemetry.request(step, context.invocation_metadata())
