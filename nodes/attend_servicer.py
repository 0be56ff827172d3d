"""The officers' face of handler watches, on the node's own machine."""

from __future__ import annotations

import time

import grpc

from landbridge.edge.record import Recorder
from landbridge.identity.bearer import bearer_token
from landbridge.v1 import attend_pb2, attend_pb2_grpc
from nodes.attending import Attending
from nodes.concerns import Concern

LONGEST_WAIT = 20.0
MARGIN = 0.25


class AttendingServicer(attend_pb2_grpc.AttendingServicer):
    """What officers speak to."""

    def __init__(self, attending: Attending, recorder: Recorder) -> None:
        self._attending = attending
        self._recorder = recorder

    def ListConcerns(
        self, request: attend_pb2.ListConcernsRequest, context: grpc.ServicerContext
    ) -> attend_pb2.ListConcernsResponse:
        """What waits for this officer."""
        del request  # it says nothing yet
        found = self._attending.list(self._token(context))
        return attend_pb2.ListConcernsResponse(concerns=map(_to, found))

    def FollowConcerns(
        self, request: attend_pb2.FollowConcernsRequest, context: grpc.ServicerContext
    ) -> attend_pb2.FollowConcernsResponse:
        """What is new."""
        end = time.monotonic() + min(float(request.wait_seconds), LONGEST_WAIT)
        found, latest = self._attending.follow(
            self._token(context),
            request.after,
            lambda: min(end - time.monotonic(), context.time_remaining() - MARGIN),
        )
        return attend_pb2.FollowConcernsResponse(concerns=map(_to, found), latest=latest)

    def AttendConcern(
        self, request: attend_pb2.AttendConcernRequest, context: grpc.ServicerContext
    ) -> attend_pb2.AttendConcernResponse:
        """Somebody has looked after it."""
        self._attending.attend(self._token(context), request.number)
        return attend_pb2.AttendConcernResponse()

    def _token(self, context: grpc.ServicerContext) -> str:
        with self._recorder.check("refused_login"):
            return bearer_token(context.invocation_metadata())


def _to(concern: Concern) -> attend_pb2.Concern:
    return attend_pb2.Concern(
        number=concern.number,
        handler=concern.handler,
        role=concern.role,
        subject=str(concern.subject),
        code=concern.code,
        reasons=concern.reasons,
        opened_at_ms=concern.opened_ms,
    )
