"""Consultations at the gateway: passed on to the owner, remembered nowhere here.

A consultation's id names its department, so that whoever follows it is told by the owner itself;
the gateway keeps nothing but its log. Grants pass through it: it verifies the owner's signature and
that the request is the one granted, and the node does so again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from threading import BoundedSemaphore
from typing import Final, TypeVar

import grpc

from gateway.asking import Asking
from gateway.consult_planning import ConsultPlanning
from gateway.convert import question_to
from gateway.departments import Asked, Departments, named
from gateway.fitting import reply_of, require_fitting
from gateway.gathering import Put, asking_of, why_missing
from gateway.links import Links
from gateway.parts import part_of
from gateway.planning import Planning
from gateway.reply import call_response
from gateway.request import MARGIN, Request
from gateway.sight import Sight
from gateway.spelling import spelt
from landbridge.consultation.grant import Grant, invalid, read_grant
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.status import from_rpc_error
from landbridge.v1 import consult_pb2, consult_pb2_grpc, evidence_pb2, gateway_pb2
from policies.consultation import readable
from policies.joined import joined
from policies.reply import spelt as reply_text
from policies.review import not_available

LONGEST_BASIS: Final = 2_000
LONGEST_WAIT: Final = 20
NINETY_FIVE: Final = 1.959964
_ID: Final = re.compile(r"([a-z][a-z0-9_]{0,30})\.([0-9a-f]{32})")

Message = TypeVar(
    "Message",
    consult_pb2.ConsultRequest,
    consult_pb2.FollowRequest,
    consult_pb2.RespondRequest,
    consult_pb2.AnswerGrantedRequest,
    consult_pb2.ReplyGrantedRequest,
)
Reply = TypeVar("Reply")


class Consulting(Asking):
    """The use cases of consultations; `waiting` callers at the most wait for news at a time."""

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
        super().__init__(planning, departments, verifier, recorder, log_name, signer, links, sight)
        self._consulting = consulting
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
            seen = self._sight.sizes((department,))
            reply = self._owner(
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
                parts=[self._part(department, reply.receipt, request, seen)],
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
                reply = self._owner(
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
            seen = self._sight.sizes((department,))
            reply = self._owner(
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
                parts=[self._part(department, reply.receipt, request, seen)],
            )
            view = self._view(department, reply.consultation)
            draft.answered(view.SerializeToString(deterministic=True))
            return view

    def query_granted(
        self, request: Request, asked: gateway_pb2.QueryRequest, message: consult_pb2.Grant
    ) -> gateway_pb2.QueryResponse:
        """As `query`, for what an officer of the owner let through."""
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            grant = self._grant(message)
            known = self._departments.catalogue()
            plan = self._consulting.question(
                asked.sql, request.purpose, asked.micro_epsilon, caller, known, draft, grant
            )
            seen = self._sight.sizes((grant.department,))
            reply = self._owner(  # (5)
                grant.department,
                lambda stub: stub.AnswerGranted,
                consult_pb2.AnswerGrantedRequest(
                    asking=asking_of(request, token, self._log_name),
                    question=question_to(plan.question),
                    micro_epsilon=asked.micro_epsilon,
                    grant=message,
                ),
                request,
            )
            put = Put(plan, request, token, caller.organisation, asked.micro_epsilon, draft)
            replies = Asked({grant.department: reply.response}, {}, {})
            return self._combined(self._gathering.received(put, replies, seen), draft)

    def call_granted(
        self, request: Request, asked: gateway_pb2.CallRequest, message: consult_pb2.Grant
    ) -> gateway_pb2.CallResponse:
        """As `call`, for what an officer of the owner let through."""
        with self._recorder.request("call", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            grant = self._grant(message)
            call = consult_pb2.HandlerCall(
                handler=asked.handler.partition(".")[2], arguments=asked.arguments
            )
            department, offer = self._consulting.granted_handler(
                grant, asked.handler, consult_pb2.Matter(call=call), request.purpose, caller,
                self._departments.catalogue(), draft,
            )  # fmt: skip
            seen = self._sight.sizes((department,))
            reply = self._owner(
                department,
                lambda stub: stub.ReplyGranted,
                consult_pb2.ReplyGrantedRequest(
                    asking=asking_of(request, token, self._log_name), call=call, grant=message
                ),
                request,
            ).response
            draft.note(parts=[self._part(department, reply.receipt, request, seen)])
            require_fitting(department, offer, reply)
            logged = draft.answered(reply_text(reply_of(reply)).encode())
            return call_response(reply, logged)

    def _part(
        self, department: str, receipt: evidence_pb2.Receipt, request: Request,
        seen: Mapping[str, int],
    ) -> dict[str, object]:  # fmt: skip
        """The department's own entry of this very request, whose proof must hold."""
        known = self._departments.catalogue()
        return part_of(department, receipt, request.question_id, known, seen[department])

    def _grant(self, message: consult_pb2.Grant) -> Grant:
        """The grant, if the department that it names signed it."""
        try:
            named_in = consult_pb2.GrantStatement.FromString(message.statement).department
        except Exception:  # noqa: BLE001 - protobuf raises more than it says
            raise invalid() from None
        key = self._departments.signing_key(named_in)
        if key is None:
            raise invalid()
        return read_grant(message, key, self._signer.federation, named_in)

    def _owner(
        self,
        department: str,
        method: Callable[
            [consult_pb2_grpc.ConsultingStub], grpc.UnaryUnaryMultiCallable[Message, Reply]
        ],
        message: Message,
        request: Request,
    ) -> Reply:
        """What the owner says; raises its refusal, with its name, or who is missing and why."""
        seconds = request.seconds
        if seconds <= 0:
            raise error("DEADLINE")
        connection = self._departments.connections.get(department)
        if connection is None:
            raise not_available("department", department)
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
        signed = self._signer.signing(message)(department)
        headers: Sequence[tuple[str, str]] = tuple(request.trace.headers)
        try:
            return (
                method(connection.consulting)
                .future(signed, timeout=seconds, metadata=tuple(headers))
                .result()
            )
        except grpc.RpcError as failure:
            said = from_rpc_error(failure)
            if said.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"):
                raise named(department, said) from None
        except (ValueError, grpc.FutureCancelledError):  # the channel was closed: it left
            said = error("DEPARTMENT_MISSING")
        raise why_missing((department,), {department: said})

    def _view(
        self, department: str, consultation: consult_pb2.Consultation
    ) -> consult_pb2.CallersConsultation:
        """What the caller is shown of it."""
        view = consult_pb2.CallersConsultation(department=department, consultation=consultation)
        matter = consultation.matter
        if matter.WhichOneof("kind") == "question":
            view.sql = self._sql(department, matter)
        for measure in consultation.offering.measures:
            expected = view.accuracy.add(column=measure.words)
            if measure.standard_deviation > 0:
                expected.half_width = NINETY_FIVE * measure.standard_deviation
        return view

    def _sql(self, department: str, matter: consult_pb2.Matter) -> str:
        offer = self._departments.catalogue().offers.get(department)
        names = (matter.question.contract, *matter.question.joined)
        if offer is None or any(name not in offer.contracts for name in names):
            return ""
        try:
            contract = joined([offer.contracts[name] for name in names])
            return spelt(matter.question, contract, department)
        except LandbridgeError:
            return ""


def _identifier(department: str, consultation: consult_pb2.Consultation) -> str:
    return f"{department}.{consultation.id}"


def _named_in(identifier: str) -> tuple[str, str]:
    """The department, and its own id, of "department.id"; raises NOT_AVAILABLE."""
    match = _ID.fullmatch(identifier)
    if match is None:
        raise not_available("consultation", identifier[:70])
    return match[1], match[2]
