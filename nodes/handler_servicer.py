"""The node's gRPC face for handlers in batches and for steps of cases: convert, one use case."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.literals import from_literal
from landbridge.membership.statement import Request
from landbridge.v1 import batch_pb2, batch_pb2_grpc, step_pb2, step_pb2_grpc
from nodes.convert import arguments_from, refuse_unknown_fields
from nodes.replying import Batch, Replying
from nodes.servicer import asking_from
from nodes.stepping import Stepping, reply_to

Admit = Callable[[grpc.ServicerContext, Request], None]
"""Raises unless the gateway asks and has signed the request."""


class HandlersServicer(batch_pb2_grpc.HandlersServicer):
    """Many subjects at once."""

    def __init__(
        self, admit: Admit, replying: Replying, recorder: Recorder, telemetry: Telemetry
    ) -> None:
        self._admit = admit
        self._replying = replying
        self._recorder = recorder
        self._telemetry = telemetry

    def ReplyMany(
        self, request: batch_pb2.ReplyManyRequest, context: grpc.ServicerContext
    ) -> batch_pb2.ReplyManyResponse:
        """A reply for each subject."""
        self._admit(context, request)
        with self._recorder.check("call"):
            refuse_unknown_fields(request)
            arguments = arguments_from(request.arguments)
            subjects = [from_literal(each) for each in request.subjects]
        with self._telemetry.request("node.reply_many", context.invocation_metadata()) as trace:
            replied = self._replying.reply_many(
                asking_from(request.asking),
                request.handler,
                arguments,
                Batch(subjects, tuple(request.consents)),
                time_left=context.time_remaining,
                trace_id=trace.id,
            )
        response = batch_pb2.ReplyManyResponse(version=replied[0].version)
        for each in replied:
            reply = reply_to(each.reply)
            reply.receipt.CopyFrom(each.logged.message())
            response.replies.append(reply)
        return response


class StepsServicer(step_pb2_grpc.StepsServicer):
    """Steps of cases."""

    def __init__(
        self, admit: Admit, stepping: Stepping, recorder: Recorder, telemetry: Telemetry
    ) -> None:
        self._admit = admit
        self._stepping = stepping
        self._recorder = recorder
        self._telemetry = telemetry

    def Take(
        self, request: step_pb2.TakeRequest, context: grpc.ServicerContext
    ) -> step_pb2.TakeResponse:
        """One step, once."""
        self._admit(context, request)
        with self._recorder.check("step"):
            refuse_unknown_fields(request)
        with self._telemetry.request("node.take", context.invocation_metadata()) as trace:
            return self._stepping.take(
                asking_from(request.asking),
                request,
                time_left=context.time_remaining,
                trace_id=trace.id,
            )
