"""The node's gRPC face for linked questions: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.membership.link_statement import Asking as AskingOfLink
from landbridge.membership.link_statement import LinkVerifier, Request, hash_of
from landbridge.protocols.envelope import Envelope
from landbridge.v1 import link_pb2, link_pb2_grpc
from nodes.convert import budget_to, refuse_unknown_fields
from nodes.link_convert import linked_from
from nodes.link_matching import Matching
from nodes.link_product import Products
from nodes.linking import Asked, Linking
from nodes.servicer import asking_from


class LinkServicer(link_pb2_grpc.LinkServicer):
    """`admit` raises PEER_UNKNOWN unless the gateway asks."""

    def __init__(
        self,
        department: str,
        admit: Callable[[grpc.ServicerContext], None],
        linking: Linking,
        matching: Matching,
        products: Products,
        recorder: Recorder,
        telemetry: Telemetry,
        signed: LinkVerifier,
    ) -> None:
        self._department = department
        self._admit = admit
        self._linking = linking
        self._matching = matching
        self._products = products
        self._recorder = recorder
        self._telemetry = telemetry
        self._signed = signed

    def Weigh(
        self, request: link_pb2.LinkWeighRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkWeighResponse:
        """Step (6); no data is touched."""
        asked = self._asked(request, "explain", context)
        with self._telemetry.request("node.link", context.invocation_metadata()) as trace:
            weighed = self._linking.weigh(asked, trace_id=trace.id)
        return link_pb2.LinkWeighResponse(
            recipient_budget=budget_to(weighed.recipient),
            overall_budget=budget_to(weighed.overall),
            cost_micro_rho=weighed.cost,
            earlier=weighed.earlier,
        )

    def Repeat(
        self, request: link_pb2.LinkRepeatRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkRepeatResponse:
        """Steps (6) and (10) again for an earlier answer; nothing is computed."""
        asked = self._asked(request, "query", context)
        with self._telemetry.request("node.link", context.invocation_metadata()) as trace:
            repeated = self._linking.repeat(asked, request.earlier, trace_id=trace.id)
        return link_pb2.LinkRepeatResponse(
            recipient_budget=budget_to(repeated.recipient),
            overall_budget=budget_to(repeated.overall),
            receipt=repeated.logged.message(),
            answer=repeated.answer,
        )

    def Open(
        self, request: link_pb2.LinkOpenRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkOpenResponse:
        """The secret, sealed to the others."""
        asked = self._asked(request, "explain", context)
        with self._telemetry.request("node.link", context.invocation_metadata()) as trace:
            sealed = self._linking.open(asked, time_left=context.time_remaining, trace_id=trace.id)
        return link_pb2.LinkOpenResponse(
            secrets=[self._message(name, envelope) for name, envelope in sealed.items()]
        )

    def Begin(
        self, request: link_pb2.LinkBeginRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkBeginResponse:
        """Steps (6) to (10)."""
        asked = self._asked(request, "query", context)
        envelope = _envelope(request.secret) if request.HasField("secret") else None
        with self._telemetry.request("node.link", context.invocation_metadata()) as trace:
            begun = self._linking.begin(
                asked, envelope, time_left=context.time_remaining, trace_id=trace.id
            )
        return link_pb2.LinkBeginResponse(
            rows=begun.rows,
            charged_micro_rho=begun.charged,
            recipient_budget=budget_to(begun.recipient),
            overall_budget=budget_to(begun.overall),
            receipt=begun.logged.message(),
        )

    def Show(
        self, request: link_pb2.LinkShowRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkShowResponse:
        """The next keys, sealed."""
        self._require(request, context)
        with self._recorder.check("query"):
            sealed, rows = self._matching.show(
                *_of(request.round), request.first, request.recipient
            )
        return link_pb2.LinkShowResponse(keys=self._message(request.recipient, sealed), rows=rows)

    def Match(
        self, request: link_pb2.LinkMatchRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkMatchResponse:
        """One row for each key."""
        self._require(request, context)
        envelope = _envelope(request.keys) if request.HasField("keys") else None
        with self._recorder.check("query"):
            rows = self._matching.match(
                *_of(request.round), request.first, envelope, last=request.last
            )
        return link_pb2.LinkMatchResponse(rows=rows)

    def Fetch(
        self, request: link_pb2.LinkFetchRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkFetchResponse:
        """The next rows."""
        self._require(request, context)
        with self._recorder.check("query"):
            pseudonyms, codes = self._matching.fetch(*_of(request.round), request.first)
        return link_pb2.LinkFetchResponse(pseudonyms=pseudonyms, codes=codes)

    def Deal(
        self, request: link_pb2.LinkDealRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkDealResponse:
        """Seeds for another department's values."""
        self._require(request, context)
        with self._recorder.check("query"):
            seed, sealed = self._products.deal(*_of(request.round), request.owner, request.rows)
        return link_pb2.LinkDealResponse(seed=seed, owner_seed=self._message(request.owner, sealed))

    def Dealt(
        self, request: link_pb2.LinkDealtRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkDealtResponse:
        """The next numbers."""
        self._require(request, context)
        with self._recorder.check("query"):
            numbers, rows = self._products.dealt(
                *_of(request.round), request.owner, request.first, context.time_remaining
            )
        return link_pb2.LinkDealtResponse(numbers=numbers, rows=rows)

    def Take(
        self, request: link_pb2.LinkTakeRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkTakeResponse:
        """The owner's seed."""
        self._require(request, context)
        with self._recorder.check("query"):
            self._products.take(*_of(request.round), _envelope(request.seed))
        return link_pb2.LinkTakeResponse()

    def Multiply(
        self, request: link_pb2.LinkMultiplyRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkMultiplyResponse:
        """Hidden bits in, hidden values out."""
        self._require(request, context)
        with self._recorder.check("query"):
            values = self._products.multiply(*_of(request.round), request.first, request.bits)
        return link_pb2.LinkMultiplyResponse(values=values)

    def Total(
        self, request: link_pb2.LinkTotalRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkTotalResponse:
        """Noisy shares."""
        self._require(request, context)
        with self._recorder.check("query"):
            shares = self._products.total(*_of(request.round))
        return link_pb2.LinkTotalResponse(shares=shares)

    def Reveal(
        self, request: link_pb2.LinkRevealRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkRevealResponse:
        """Labels of released cells."""
        self._require(request, context)
        with self._recorder.check("query"):
            cells = self._products.reveal(*_of(request.round), list(request.codes))
        return link_pb2.LinkRevealResponse(cells=cells)

    def Keep(
        self, request: link_pb2.LinkKeepRequest, context: grpc.ServicerContext
    ) -> link_pb2.LinkKeepResponse:
        """The answer, sealed, beside its charge."""
        self._require(request, context)
        with self._recorder.check("query"):
            self._linking.keep(request.round.question_hash, request.answer)
        return link_pb2.LinkKeepResponse()

    def _require(self, request: Request, context: grpc.ServicerContext) -> None:
        self._admit(context)
        with self._recorder.check("refused_login"):
            self._signed.require(request)

    def _asked(
        self,
        request: AskingOfLink,
        kind: str,
        context: grpc.ServicerContext,
    ) -> Asked:
        self._require(request, context)
        with self._recorder.check(kind):
            refuse_unknown_fields(request)
            asking = request.asking
            question = linked_from(request.question)
            try:
                bound = hash_of(request.question, asking.question_id)
            except ValueError:
                raise error(
                    "INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits."
                ) from None
            return Asked(asking_from(asking), question, bound)

    def _message(self, recipient: str, envelope: Envelope) -> link_pb2.SealedMessage:
        return link_pb2.SealedMessage(
            sender=self._department,
            recipient=recipient,
            sealed=envelope.sealed,
            signature=envelope.signature,
        )


def _envelope(message: link_pb2.SealedMessage) -> Envelope:
    return Envelope(message.sealed, message.signature)


def _of(message: link_pb2.Round) -> tuple[str, bytes]:
    return message.question_id, message.question_hash
