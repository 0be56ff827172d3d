"""The node's gRPC face: convert, one use case, convert. Only the gateway may speak to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import cast

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry, Trace
from landbridge.identity.certificates import Admission
from landbridge.membership.statement import AskingVerifier, Request
from landbridge.v1 import node_pb2, node_pb2_grpc
from nodes.answering import Answering
from nodes.convert import (
    arguments_from,
    budget_to,
    question_from,
    refuse_unknown_fields,
)
from nodes.guard import Asking
from nodes.replying import Replied, Replying


class NodeServicer(node_pb2_grpc.NodeServicer):
    """`admission` is who may speak to it: the gateway. `as_of` gives the day of a table's data."""

    def __init__(
        self,
        admission: Admission,
        description: node_pb2.DescribeResponse,
        as_of: Callable[[str], str],
        answering: Answering,
        replying: Replying,
        recorder: Recorder,
        telemetry: Telemetry,
        signed: AskingVerifier,
    ) -> None:
        self._admission = admission
        self._description = description
        self._as_of = as_of
        self._answering = answering
        self._replying = replying
        self._recorder = recorder
        self._telemetry = telemetry
        self._signed = signed

    def describe(self, description: node_pb2.DescribeResponse) -> None:
        """Says this from now on; the gateway asks every few seconds."""
        self._description = description

    def Describe(
        self, request: node_pb2.DescribeRequest, context: grpc.ServicerContext
    ) -> node_pb2.DescribeResponse:
        """Public descriptions."""
        del request  # it says nothing yet
        self._admit(context)
        said = node_pb2.DescribeResponse()
        said.CopyFrom(self._description)
        for contract in said.contracts:
            contract.as_of = self._as_of(contract.id)
        return said

    def Answer(
        self, request: node_pb2.AnswerRequest, context: grpc.ServicerContext
    ) -> node_pb2.AnswerResponse:
        """Steps (6) to (10)."""
        self._admit(context)
        self._require_signed(request)
        with self._recorder.check("query"):
            refuse_unknown_fields(request, but="question")
            question = question_from(request.question)
        with self._trace("node.answer", context) as trace:
            answered = self._answering.answer(
                asking_from(request.asking),
                question,
                request.micro_epsilon,
                tuple(request.members),
                time_left=context.time_remaining,
                trace_id=trace.id,
            )
        return node_pb2.AnswerResponse(
            release=answered.release,
            recipient_budget=budget_to(answered.recipient),
            overall_budget=budget_to(answered.overall),
            charged_micro_rho=answered.charged,
            receipt=answered.logged.message(),
        )

    def Estimate(
        self, request: node_pb2.EstimateRequest, context: grpc.ServicerContext
    ) -> node_pb2.EstimateResponse:
        """Step (6) and the plan; no data is touched."""
        self._admit(context)
        self._require_signed(request)
        with self._recorder.check("explain"):
            refuse_unknown_fields(request, but="question")
            question = question_from(request.question)
        with self._trace("node.estimate", context) as trace:
            estimated = self._answering.estimate(
                asking_from(request.asking),
                question,
                request.micro_epsilon,
                tuple(request.members),
                trace_id=trace.id,
            )
        mechanisms = estimated.plan.mechanisms
        return node_pb2.EstimateResponse(
            standard_deviations=[mechanism.standard_deviation for mechanism in mechanisms],
            cells=estimated.plan.cells,
            cost_micro_rho=estimated.plan.cost_micro_rho,
            recipient_budget=budget_to(estimated.recipient),
            overall_budget=budget_to(estimated.overall),
        )

    def Reply(
        self, request: node_pb2.ReplyRequest, context: grpc.ServicerContext
    ) -> node_pb2.ReplyResponse:
        """One handler, one subject."""
        self._admit(context)
        self._require_signed(request)
        with self._recorder.check("call"):
            refuse_unknown_fields(request)
            arguments = arguments_from(request.arguments)
        with self._trace("node.reply", context) as trace:
            replied = self._replying.reply(
                asking_from(request.asking),
                request.handler,
                arguments,
                consent=request.consent,
                time_left=context.time_remaining,
                trace_id=trace.id,
            )
        return reply_response(replied)

    def admit(self, context: grpc.ServicerContext) -> None:
        """Raises PEER_UNKNOWN, and logs it, unless the gateway asks."""
        self._admit(context)

    def require(self, context: grpc.ServicerContext, request: Request) -> None:
        """As `admit`; and raises unless the gateway has signed the request for this department."""
        self._admit(context)
        self._require_signed(request)

    def _admit(self, context: grpc.ServicerContext) -> None:
        with self._recorder.check("refused_login"):
            self._admission.require(cast(Mapping[str, Iterable[bytes]], context.auth_context()))

    def _require_signed(self, request: Request) -> None:
        with self._recorder.check("refused_login"):
            self._signed.require(request)

    def _trace(self, step: str, context: grpc.ServicerContext) -> AbstractContextManager[Trace]:
        return self._telemetry.request(step, context.invocation_metadata())


def asking_from(message: node_pb2.Asking) -> Asking:
    """Who asks and why."""
    return Asking(
        message.token,
        message.purpose,
        message.question_id,
        frozenset(digest.hex() for digest in message.contracts),
        dict(message.as_of),
    )


def reply_response(replied: Replied) -> node_pb2.ReplyResponse:
    """A handler's reply, as the gateway is told."""
    return node_pb2.ReplyResponse(
        code=replied.reply.code,
        reasons=replied.reply.reasons,
        number=replied.reply.number,
        version=replied.version,
        receipt=replied.logged.message(),
    )
