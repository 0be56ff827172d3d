"""Consultations at the gateway: passed on to the owner, remembered nowhere here.

A consultation's id names its department, so that whoever follows it is told by the owner itself;
the gateway keeps nothing but its log.
"""

from __future__ import annotations

import re
from threading import BoundedSemaphore
from typing import Final

from gateway.consult_planning import ConsultPlanning
from gateway.consultation_view import view_of
from gateway.convert import question_to
from gateway.departments import Departments
from gateway.gathering import asking_of
from gateway.granted import Granted
from gateway.links import Links
from gateway.planning import Planning
from gateway.request import MARGIN, Request
from gateway.sight import Sight
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import consult_pb2
from policies.consultation import readable
from policies.review import not_available

LONGEST_BASIS: Final = 2_000
LONGEST_WAIT: Final = 20
_ID: Final = re.compile(r"([a-z][a-z0-9_]{0,30})\.([0-9a-f]{32})")


class Consulting(Granted):
    """The gateway's use cases, with the consultations that end in a grant.

    `waiting` callers at the most wait for news at a time.
    """

    def __init__(
        self,
        planning: Planning,
        consulting: ConsultPlanning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        links: Links,
        sight: Sight | None = None,
        waiting: int = 8,
    ) -> None:
        super().__init__(
            planning, consulting, departments, verifier, recorder, log_name, signer, links, sight
        )
        self._waiting = BoundedSemaphore(waiting)

    def consult(
        self, request: Request, asked: consult_pb2.OpenConsultationRequest
    ) -> consult_pb2.OpenConsultationResponse:
        """The consultation, opened at its owner; in the log before this returns."""
        with self._recorder.request("consult", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            known = self._departments.catalogue()
            if bool(asked.sql) == bool(asked.handler):
                raise error("INVALID_ARGUMENT", "A consultation is about a question or a handler.")
            if asked.sql:
                plan = self._consulting.question(
                    asked.sql, request.purpose, asked.micro_epsilon, caller, known, draft
                )
                (department,) = plan.departments
                matter = consult_pb2.Matter(question=question_to(plan.question))
            else:
                department, offer = self._consulting.handler(
                    asked.handler, request.purpose, caller, known, draft
                )
                call = consult_pb2.HandlerCall(handler=offer.name, arguments=asked.arguments)
                matter = consult_pb2.Matter(call=call)
            readable(asked.basis, LONGEST_BASIS, "The legal basis")
            draft.note(basis=draft.recorder.digest("text", asked.basis))
            seen = self._owners.sizes(department)
            reply = self._owners.ask(
                department,
                lambda stub: stub.Consult,
                consult_pb2.ConsultRequest(
                    asking=asking_of(request, token, self._log_name),
                    matter=matter,
                    micro_epsilon=asked.micro_epsilon,
                    basis=asked.basis,
                ),
                request,
            )
            draft.note(
                case=_identifier(department, reply.consultation),
                note="opened",
                parts=[self._owners.part(department, reply.receipt, request, seen)],
            )
            view = self._view(department, reply.consultation)
            logged = draft.answered(view.SerializeToString(deterministic=True))
            return consult_pb2.OpenConsultationResponse(consultation=view, receipt=logged.message())

    def follow(
        self, request: Request, identifier: str, after: int, wait_seconds: int
    ) -> consult_pb2.CallersConsultation:
        """How it stands at its owner's; waits a while where there is nothing new."""
        with self._recorder.check("consult"):
            token = bearer_token(request.metadata)
            self._verifier.verify(token, request.certificate)
            department, own = _named_in(identifier)
            wait = min(wait_seconds, LONGEST_WAIT, int(max(0.0, request.time_left() - 2 * MARGIN)))
            waits = wait > 0 and self._waiting.acquire(blocking=False)
            try:
                reply = self._owners.ask(
                    department,
                    lambda stub: stub.Follow,
                    consult_pb2.FollowRequest(
                        asking=asking_of(request, token, self._log_name),
                        id=own,
                        after=after,
                        wait_seconds=wait if waits else 0,
                    ),
                    request,
                )
            finally:
                if waits:
                    self._waiting.release()
            return self._view(department, reply.consultation)

    def respond(
        self, request: Request, asked: consult_pb2.RespondConsultationRequest
    ) -> consult_pb2.CallersConsultation:
        """The caller's move, made at the owner's; in the log before this returns."""
        with self._recorder.request("consult", trace_id=request.trace.id) as draft:
            token, _ = self._identified(request, draft)
            department, own = _named_in(asked.id)
            draft.note(case=f"{department}.{own}")
            seen = self._owners.sizes(department)
            reply = self._owners.ask(
                department,
                lambda stub: stub.Respond,
                consult_pb2.RespondRequest(
                    asking=asking_of(request, token, self._log_name),
                    id=own,
                    turn=asked.turn,
                    reply=asked.reply,
                    accept=asked.accept,
                    withdraw=asked.withdraw,
                ),
                request,
            )
            draft.note(
                note="accepted" if asked.accept else "withdrawn" if asked.withdraw else "replied",
                # It was stated when it was opened; the owner's entry of this move has it too.
                purpose=reply.consultation.purpose,
                parts=[self._owners.part(department, reply.receipt, request, seen)],
            )
            view = self._view(department, reply.consultation)
            draft.answered(view.SerializeToString(deterministic=True))
            return view

    def _view(
        self, department: str, consultation: consult_pb2.Consultation
    ) -> consult_pb2.CallersConsultation:
        return view_of(department, consultation, self._departments.catalogue())


def _identifier(department: str, consultation: consult_pb2.Consultation) -> str:
    return f"{department}.{consultation.id}"


def _named_in(identifier: str) -> tuple[str, str]:
    """The department, and its own id, of "department.id"; raises NOT_AVAILABLE."""
    match = _ID.fullmatch(identifier)
    if match is None:
        raise not_available("consultation", identifier[:70])
    return match[1], match[2]
