"""The node's two faces of consultations: one for the gateway, one for officers on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.identity.bearer import bearer_token
from landbridge.membership.statement import AskingVerifier, Consulting
from landbridge.v1 import consult_pb2, consult_pb2_grpc, node_pb2
from nodes.answering import Answering
from nodes.consulting import Consulting as Callers
from nodes.consulting import Response
from nodes.convert import arguments_from, budget_to, question_from, refuse_unknown_fields
from nodes.desk import LONGEST_WAIT, event_to
from nodes.granting import Granting
from nodes.replying import Replying
from nodes.reviewing import Approve, Ask, Decision, Decline, Narrow, Reviewing
from nodes.servicer import asking_from, reply_response
from policies.consultation import Scope
from policies.narrowing import Less

MARGIN = 0.25
Admit = Callable[[grpc.ServicerContext], None]


class ConsultingServicer(consult_pb2_grpc.ConsultingServicer):
    """For the gateway, whose certificate `admit` asks for and whose signature `signed`."""

    def __init__(
        self,
        admit: Admit,
        signed: AskingVerifier,
        callers: Callers,
        granting: Granting,
        answering: Answering,
        replying: Replying,
        recorder: Recorder,
        telemetry: Telemetry,
    ) -> None:
        self._admit = admit
        self._signed = signed
        self._callers = callers
        self._granting = granting
        self._answering = answering
        self._replying = replying
        self._recorder = recorder
        self._telemetry = telemetry

    def Consult(
        self, request: consult_pb2.ConsultRequest, context: grpc.ServicerContext
    ) -> consult_pb2.ConsultResponse:
        """A consultation is opened."""
        self._enter(request, context)
        with self._telemetry.request("node.consult", context.invocation_metadata()) as trace:
            view, logged = self._callers.consult(
                asking_from(request.asking),
                request.matter,
                request.micro_epsilon,
                request.basis,
                trace_id=trace.id,
            )
        return consult_pb2.ConsultResponse(consultation=view, receipt=logged.message())

    def Follow(
        self, request: consult_pb2.FollowRequest, context: grpc.ServicerContext
    ) -> consult_pb2.FollowResponse:
        """How it stands, once there is news."""
        self._enter(request, context)
        left = _left(request.wait_seconds, context.time_remaining)
        asking = asking_from(request.asking)
        view = self._callers.follow(asking, request.id, request.after, left)
        return consult_pb2.FollowResponse(consultation=view)

    def Respond(
        self, request: consult_pb2.RespondRequest, context: grpc.ServicerContext
    ) -> consult_pb2.RespondResponse:
        """The caller's move."""
        self._enter(request, context)
        with self._telemetry.request("node.respond", context.invocation_metadata()) as trace:
            view, logged = self._callers.respond(
                asking_from(request.asking),
                request.id,
                request.turn,
                Response(request.reply, request.accept, request.withdraw),
                trace_id=trace.id,
            )
        return consult_pb2.RespondResponse(consultation=view, receipt=logged.message())

    def AnswerGranted(
        self, request: consult_pb2.AnswerGrantedRequest, context: grpc.ServicerContext
    ) -> consult_pb2.AnswerGrantedResponse:
        """Steps (6) to (10), under a grant."""
        self._enter(request, context, "query")
        with self._recorder.check("query"):
            question = question_from(request.question)
        asking = asking_from(request.asking)
        with self._telemetry.request("node.answer", context.invocation_metadata()) as trace:
            answered = self._answering.answer(
                asking,
                question,
                request.micro_epsilon,
                (self._granting.department,),
                time_left=context.time_remaining,
                trace_id=trace.id,
                permit=lambda draft: self._granting.question(asking, request, question, draft),
            )
        return consult_pb2.AnswerGrantedResponse(
            response=node_pb2.AnswerResponse(
                release=answered.release,
                recipient_budget=budget_to(answered.recipient),
                overall_budget=budget_to(answered.overall),
                charged_micro_rho=answered.charged,
                receipt=answered.logged.message(),
            )
        )

    def ReplyGranted(
        self, request: consult_pb2.ReplyGrantedRequest, context: grpc.ServicerContext
    ) -> consult_pb2.ReplyGrantedResponse:
        """One handler, one subject, under a grant."""
        self._enter(request, context, "call")
        with self._recorder.check("call"):
            arguments = arguments_from(request.call.arguments)
        asking = asking_from(request.asking)
        with self._telemetry.request("node.reply", context.invocation_metadata()) as trace:
            replied = self._replying.reply(
                asking,
                request.call.handler,
                arguments,
                time_left=context.time_remaining,
                trace_id=trace.id,
                permit=lambda draft: self._granting.call(asking, request, draft),
            )
        return consult_pb2.ReplyGrantedResponse(response=reply_response(replied))

    def _enter(
        self, request: Consulting, context: grpc.ServicerContext, kind: str = "consult"
    ) -> None:
        self._admit(context)
        with self._recorder.check("refused_login"):
            self._signed.require(request)
        with self._recorder.check(kind):
            refuse_unknown_fields(request)


class ReviewingServicer(consult_pb2_grpc.ReviewingServicer):
    """For officers, on the socket of the node's own machine."""

    def __init__(self, reviewing: Reviewing, recorder: Recorder) -> None:
        self._reviewing = reviewing
        self._recorder = recorder

    def ListConsultations(
        self, request: consult_pb2.ListConsultationsRequest, context: grpc.ServicerContext
    ) -> consult_pb2.ListConsultationsResponse:
        """The officer's queue."""
        found = self._reviewing.queue(self._token(context), closed=request.closed)
        return consult_pb2.ListConsultationsResponse(consultations=found)

    def ShowConsultation(
        self, request: consult_pb2.ShowConsultationRequest, context: grpc.ServicerContext
    ) -> consult_pb2.ShowConsultationResponse:
        """One, in full."""
        view = self._reviewing.show(self._token(context), request.id)
        return consult_pb2.ShowConsultationResponse(consultation=view)

    def DecideConsultation(
        self, request: consult_pb2.DecideConsultationRequest, context: grpc.ServicerContext
    ) -> consult_pb2.DecideConsultationResponse:
        """The officer's move."""
        token = self._token(context)
        with self._recorder.check("consult"):
            refuse_unknown_fields(request)
            decision = _decision(request)
        view = self._reviewing.decide(token, request.id, request.turn, decision)
        return consult_pb2.DecideConsultationResponse(consultation=view)

    def FollowConsultations(
        self, request: consult_pb2.FollowConsultationsRequest, context: grpc.ServicerContext
    ) -> consult_pb2.FollowConsultationsResponse:
        """News of the queue."""
        events, latest = self._reviewing.follow(
            self._token(context),
            request.after,
            _left(request.wait_seconds, context.time_remaining),
        )
        return consult_pb2.FollowConsultationsResponse(
            events=[event_to(event) for event in events], latest=latest
        )

    def _token(self, context: grpc.ServicerContext) -> str:
        with self._recorder.check("refused_login"):
            return bearer_token(context.invocation_metadata())


def _left(wanted: int, remaining: Callable[[], float]) -> Callable[[], float]:
    end = time.monotonic() + min(float(wanted), LONGEST_WAIT)
    return lambda: min(end - time.monotonic(), remaining() - MARGIN)


def _scope(message: consult_pb2.Approval) -> Scope:
    return Scope(message.reusable, message.hours or Scope().hours, message.organisation)


def _decision(request: consult_pb2.DecideConsultationRequest) -> Decision:
    match request.WhichOneof("decision"):
        case "approve":
            return Approve(_scope(request.approve))
        case "narrow":
            offer = request.narrow
            less = Less(tuple(offer.without), {each.key: each.to for each in offer.coarser})
            return Narrow(less, offer.micro_epsilon, _scope(offer.approval), offer.text)
        case "ask":
            return Ask(request.ask)
        case "decline":
            return Decline(request.decline)
        case _:
            raise error("INVALID_ARGUMENT", "The decision decides nothing.")
