"""What this department's log says of one person, told to a portal that its policy permits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import grpc

from landbridge.edge.own_log import OwnLog, require_subject
from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry, Trace
from landbridge.membership.statement import AskingVerifier
from landbridge.v1 import portal_pb2, portal_pb2_grpc
from nodes.convert import refuse_unknown_fields
from nodes.guard import Asking, Guard

MOST = 1_000
"""Accesses in one reply."""

Admit = Callable[[grpc.ServicerContext], None]
"""Raises PEER_UNKNOWN unless the gateway asks."""


class SubjectAccessServicer(portal_pb2_grpc.SubjectAccessServicer):
    """Convert, one use case, convert. The look-up stands in the log before it is answered."""

    def __init__(
        self,
        admit: Admit,
        signed: AskingVerifier,
        guard: Guard,
        log: OwnLog,
        recorder: Recorder,
        telemetry: Telemetry,
    ) -> None:
        self._admit = admit
        self._signed = signed
        self._guard = guard
        self._log = log
        self._recorder = recorder
        self._telemetry = telemetry

    def List(
        self, request: portal_pb2.SubjectAccessListRequest, context: grpc.ServicerContext
    ) -> portal_pb2.SubjectAccessListResponse:
        """One person's accesses, newest first."""
        self._admit(context)
        with self._recorder.check("refused_login"):
            self._signed.require(request)
        with (
            self._trace(context) as trace,
            self._recorder.request("about", trace_id=trace.id) as draft,
        ):
            refuse_unknown_fields(request)
            asked = request.asking
            asking = Asking(asked.token, asked.purpose, asked.question_id)
            self._guard.subject_access(asking, self._log.name, draft)
            require_subject(request.subject)
            draft.note(subject=draft.recorder.subject(request.subject))
            listed = self._log.about(
                request.subject,
                request.before,
                min(request.most, MOST) or MOST,
                context.time_remaining,
            )
            response = portal_pb2.SubjectAccessListResponse(found=listed.message(self._log.name))
            logged = draft.answered(response.SerializeToString(deterministic=True))
            response.receipt.CopyFrom(logged.message())
            return response

    def _trace(self, context: grpc.ServicerContext) -> AbstractContextManager[Trace]:
        return self._telemetry.request("node.about", context.invocation_metadata())
