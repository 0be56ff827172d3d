"""The gateway's face of consultations: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import grpc

from gateway.consulting import Consulting
from gateway.request import Request
from landbridge.v1 import consult_pb2, consult_pb2_grpc

Requests = Callable[[str, str, str, grpc.ServicerContext], AbstractContextManager[Request]]
"""What the gateway's servicer makes of a call: step, purpose, question id and context."""

_NO_QUESTION = "0" * 32


class ConsultationsServicer(consult_pb2_grpc.ConsultationsServicer):
    """What callers speak to."""

    def __init__(self, consulting: Consulting, requests: Requests) -> None:
        self._consulting = consulting
        self._requests = requests

    def OpenConsultation(
        self, request: consult_pb2.OpenConsultationRequest, context: grpc.ServicerContext
    ) -> consult_pb2.OpenConsultationResponse:
        """Puts it before an officer of its owner."""
        with self._requests("consult", request.purpose, request.question_id, context) as asked:
            return self._consulting.consult(asked, request)

    def FollowConsultation(
        self, request: consult_pb2.FollowConsultationRequest, context: grpc.ServicerContext
    ) -> consult_pb2.FollowConsultationResponse:
        """What has come of it."""
        with self._requests("follow", "", _NO_QUESTION, context) as asked:
            view = self._consulting.follow(asked, request.id, request.after, request.wait_seconds)
        return consult_pb2.FollowConsultationResponse(consultation=view)

    def RespondConsultation(
        self, request: consult_pb2.RespondConsultationRequest, context: grpc.ServicerContext
    ) -> consult_pb2.RespondConsultationResponse:
        """The caller's move."""
        with self._requests("respond", "", request.question_id, context) as asked:
            view = self._consulting.respond(asked, request)
        return consult_pb2.RespondConsultationResponse(consultation=view)

    def QueryGranted(
        self, request: consult_pb2.QueryGrantedRequest, context: grpc.ServicerContext
    ) -> consult_pb2.QueryGrantedResponse:
        """A question under a grant."""
        query = request.query
        with self._requests("query", query.purpose, query.question_id, context) as asked:
            found = self._consulting.query_granted(asked, query, request.grant)
        return consult_pb2.QueryGrantedResponse(response=found)

    def CallGranted(
        self, request: consult_pb2.CallGrantedRequest, context: grpc.ServicerContext
    ) -> consult_pb2.CallGrantedResponse:
        """A handler's call under a grant."""
        call = request.call
        with self._requests("call", call.purpose, call.question_id, context) as asked:
            found = self._consulting.call_granted(asked, call, request.grant)
        return consult_pb2.CallGrantedResponse(response=found)
