"""One person's accesses, gathered from every log for a citizens' portal.

The gateway reads its own log; each department reads its own and decides by its own policy. Who did
not answer, or does not permit it, is named: a list that looks whole is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import cast

import grpc

from gateway.ask_each import ask_each
from gateway.departments import Departments
from gateway.parts import part_of, rejected
from gateway.planning import Planning
from gateway.request import MARGIN
from gateway.sight import Sight, Unwatched
from landbridge.edge.own_log import OwnLog, require_subject
from landbridge.edge.record import Draft, Recorder
from landbridge.edge.telemetry import Telemetry, Trace
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.certificates import Presented, presented
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import node_pb2, portal_pb2, portal_pb2_grpc

MOST = 10_000
"""Accesses in one reply, over all logs: some two megabytes."""
FEWEST = 10
"""Of one log, however many there are."""
LONGEST_WORD = 500

Found = portal_pb2.SubjectAccessListResponse


class PortalServicer(portal_pb2_grpc.PortalServicer):
    """Convert, one use case, convert."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log: OwnLog,
        log_key: str,
        signer: AskingSigner,
        telemetry: Telemetry,
        sight: Sight | None = None,
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log = log
        self._log_key = log_key
        self._signer = signer
        self._telemetry = telemetry
        self._sight = sight or Unwatched()

    def About(
        self, request: portal_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> portal_pb2.AboutResponse:
        """Every access that may be told, by log."""
        metadata = context.invocation_metadata()
        with (
            self._telemetry.request("gateway.about", metadata) as trace,
            self._recorder.request("about", trace_id=trace.id) as draft,
        ):
            token = bearer_token(metadata)
            if not _is_id(request.question_id):
                raise error(
                    "INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits."
                )
            draft.note(question_id=request.question_id)
            caller = self._verifier.verify(token, _certificate(context))
            draft.caller(caller)
            self._planning.about(request.purpose, caller, self._log.name, draft)
            require_subject(request.subject)
            draft.note(subject=draft.recorder.subject(request.subject))
            response = self._gathered(request, token, trace, context.time_remaining, draft)
            logged = draft.answered(response.SerializeToString(deterministic=True))
            response.receipt.CopyFrom(logged.message())
            return response

    def _gathered(
        self,
        request: portal_pb2.AboutRequest,
        token: str,
        trace: Trace,
        time_left: Callable[[], float],
        draft: Draft,
    ) -> portal_pb2.AboutResponse:
        before = dict(request.before)
        known = self._departments.catalogue()
        members = [name for name in known.members if not before or name in before]
        most = max(FEWEST, MOST // (len(members) + 1))
        requests = {
            name: self._signer.signing(
                portal_pb2.SubjectAccessListRequest(
                    asking=node_pb2.Asking(
                        token=token,
                        purpose=request.purpose,
                        question_id=request.question_id,
                        gateway_log=self._log_key,
                    ),
                    subject=request.subject,
                    before=before.get(name, 0),
                    most=most,
                )
            )(name)
            for name in members
        }
        stubs = {
            name: portal_pb2_grpc.SubjectAccessStub(each.channel)
            for name, each in self._departments.connections.items()
        }
        logs = []
        if not before or "" in before:
            listed = self._log.about(request.subject, before.get("", 0), most, time_left)
            logs.append(listed.message(self._log.name))
        seen = self._sight.sizes(members)
        doubtful = [name for name in members if not self._sight.trusted(name)]
        asked = ask_each(
            stubs,
            [name for name in members if name not in doubtful],
            lambda stub: stub.List,
            requests.__getitem__,
            time_left() - MARGIN,
            trace.headers,
        )
        absent = {**asked.missing, **asked.refused}
        absent |= dict.fromkeys(doubtful, error("LOG_CONTRADICTED"))
        parts = []
        for name, reply in asked.replies.items():
            try:
                parts.append(part_of(name, reply.receipt, request.question_id, known, seen[name]))
                logs.append(_checked(name, reply.found, most))
            except LandbridgeError as unproved:
                absent[name] = unproved
        draft.note(members=members, parts=parts)
        if absent:
            draft.note(note="missing: " + ", ".join(sorted(absent)))
        return portal_pb2.AboutResponse(logs=logs, missing=_missing(members, absent))


def _checked(department: str, found: portal_pb2.LogAccesses, most: int) -> portal_pb2.LogAccesses:
    """What a department says, kept short and printable: it goes to somebody's screen."""
    if len(found.accesses) > most or (found.next and not found.accesses):
        raise rejected(department, "another number of accesses than it was asked for")
    words: Iterable[str] = (
        found.log,
        *found.forgotten,
        *(
            word
            for each in found.accesses
            for word in (
                each.time, each.organisation, each.purpose, each.kind, each.what, each.outcome
            )
        ),
    )  # fmt: skip
    if not all(len(word) <= LONGEST_WORD and word.isprintable() for word in words):
        raise rejected(department, "accesses that cannot be shown")
    shown = portal_pb2.LogAccesses()
    shown.CopyFrom(found)
    shown.department = department
    return shown


def _missing(
    members: Collection[str], absent: Mapping[str, LandbridgeError]
) -> list[portal_pb2.MissingLog]:
    return [
        portal_pb2.MissingLog(department=name, reason=absent[name].reason)
        for name in members
        if name in absent
    ]


def _is_id(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _certificate(context: grpc.ServicerContext) -> Presented:
    return presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
