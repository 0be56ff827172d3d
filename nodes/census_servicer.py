"""The node's gRPC face for measurements by two servers: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.membership.statement import Tally
from landbridge.protocols.envelope import Envelope
from landbridge.v1 import census_pb2, census_pb2_grpc, link_pb2
from nodes.census import Census, Sent
from nodes.census_batch import CensusBatches
from nodes.convert import budget_to, refuse_unknown_fields, summed_to
from nodes.guard import Asking
from nodes.handler_servicer import Admit
from nodes.servicer import asking_from


class TallyServicer(census_pb2_grpc.TallyServicer):
    """`admit` raises unless the gateway asks and has signed the request."""

    def __init__(
        self,
        admit: Admit,
        census: Census,
        batches: CensusBatches,
        recorder: Recorder,
        telemetry: Telemetry,
    ) -> None:
        self._admit = admit
        self._census = census
        self._batches = batches
        self._recorder = recorder
        self._telemetry = telemetry

    def Terms(
        self, request: census_pb2.TallyTermsRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyTermsResponse:
        """The terms, signed."""
        with self._asked("explain", request, context) as (asking, trace_id):
            terms, signature = self._census.terms(
                asking, request.contract, request.column, trace_id=trace_id
            )
        return census_pb2.TallyTermsResponse(
            terms=terms, signed=census_pb2.SignedTerms(signature=signature)
        )

    def Take(
        self, request: census_pb2.TallyTakeRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyTakeResponse:
        """Keeps shares."""
        sent = [Sent(each.id, each.public_share, each.sealed) for each in request.reports]
        with self._asked("submit", request, context) as (asking, trace_id):
            taken = self._census.take(
                asking, request.contract, request.column, sent, trace_id=trace_id
            )
        return census_pb2.TallyTakeResponse(reasons=taken.reasons, receipt=taken.logged.message())

    def Offer(
        self, request: census_pb2.TallyOfferRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyOfferResponse:
        """The owner's part of proofs."""
        with self._asked("query", request, context) as (asking, _):
            offered, last = self._census.offer(
                asking, request.contract, request.column, request.after
            )
        return census_pb2.TallyOfferResponse(
            offered=None if offered is None else _message(offered), last=last
        )

    def Check(
        self, request: census_pb2.TallyCheckRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyCheckResponse:
        """Which reports are valid."""
        with self._asked("query", request, context) as (asking, _):
            checked = self._census.check(
                asking, request.contract, request.column, _envelope(request.offered)
            )
        return census_pb2.TallyCheckResponse(checked=_message(checked))

    def Settle(
        self, request: census_pb2.TallySettleRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallySettleResponse:
        """Takes that in."""
        with self._asked("query", request, context) as (asking, _):
            self._census.settle(
                asking, request.contract, request.column, _envelope(request.checked)
            )
        return census_pb2.TallySettleResponse()

    def Close(
        self, request: census_pb2.TallyCloseRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyCloseResponse:
        """The owner's share of a total."""
        with self._asked("query", request, context) as (asking, trace_id):
            given = self._batches.close(
                asking, request.contract, request.column, request.micro_epsilon, trace_id=trace_id
            )
        return census_pb2.TallyCloseResponse(
            closed=_message(given.message),
            share=summed_to(given.summed),
            reports=given.reports,
            refused=given.refused,
            remembered=not given.charged,
            recipient_budget=budget_to(given.recipient),
            overall_budget=budget_to(given.overall),
            charged_micro_rho=given.charged,
            receipt=given.logged.message(),
            batch=given.batch,
        )

    def Total(
        self, request: census_pb2.TallyTotalRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyTotalResponse:
        """The second's share of it."""
        with self._asked("query", request, context) as (asking, trace_id):
            given = self._batches.total(
                asking,
                request.contract,
                request.column,
                request.micro_epsilon,
                _envelope(request.closed),
                trace_id=trace_id,
            )
        return census_pb2.TallyTotalResponse(
            done=_message(given.message),
            share=summed_to(given.summed),
            reports=given.reports,
            remembered=not given.charged,
            recipient_budget=budget_to(given.recipient),
            overall_budget=budget_to(given.overall),
            charged_micro_rho=given.charged,
            receipt=given.logged.message(),
            batch=given.batch,
        )

    def Confirm(
        self, request: census_pb2.TallyConfirmRequest, context: grpc.ServicerContext
    ) -> census_pb2.TallyConfirmResponse:
        """The batch is over."""
        with self._asked("query", request, context) as (asking, _):
            self._batches.confirm(asking, request.contract, request.column, _envelope(request.done))
        return census_pb2.TallyConfirmResponse()

    @contextmanager
    def _asked(
        self, kind: str, request: Tally, context: grpc.ServicerContext
    ) -> Iterator[tuple[Asking, str]]:
        """Who asks, and the trace's id, while a use case runs."""
        self._admit(context, request)
        with self._recorder.check(kind):
            refuse_unknown_fields(request)
        with self._telemetry.request("node.census", context.invocation_metadata()) as trace:
            yield asking_from(request.asking), trace.id


def _message(envelope: Envelope) -> link_pb2.SealedMessage:
    return link_pb2.SealedMessage(sealed=envelope.sealed, signature=envelope.signature)


def _envelope(message: link_pb2.SealedMessage) -> Envelope:
    return Envelope(message.sealed, message.signature)
