"""A question from the caller's text to the answer, at the gateway: steps (1) to (5), (11), (12)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.answered import Answered, Explained
from gateway.catalogue import Catalogue
from gateway.combine import combine, require_budgets, suppressed
from gateway.convert import question_to
from gateway.departments import Asked, Departments
from gateway.nearest import nearest
from gateway.parts import part_of, rejected
from gateway.planning import Plan, Planning
from gateway.reply import explain_response, query_response
from gateway.selection import closed
from gateway.sight import Sight, Unwatched
from gateway.table import rows
from landbridge.edge.record import Draft, Recorder
from landbridge.edge.telemetry import Trace
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import evidence_pb2, gateway_pb2, node_pb2

MARGIN = 0.5
"""Seconds kept back from the caller's deadline for combining, the log and the way back."""
_QUESTION_ID = re.compile(r"[0-9a-f]{32}")

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `certificate` is the SHA-256 of the one that the caller showed."""

    metadata: Metadata
    purpose: str
    question_id: str
    time_left: Callable[[], float]
    trace: Trace
    certificate: str = ""


class Asking:
    """The gateway's use cases. Everything that acts is passed in."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        sight: Sight | None = None,
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name
        self._signer = signer
        self._sight = sight or Unwatched()

    def query(
        self, request: Request, sql: str, micro_epsilon: int, *, partial: bool
    ) -> gateway_pb2.QueryResponse:
        """The combined answer, or a refusal; either is in the log before this returns.

        What the log commits to is this response without its receipt, serialized deterministically.
        """
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            token, plan = self._planned(request, sql, micro_epsilon, draft)
            seen = self._sight.sizes(plan.departments)
            asked = self._departments.ask(  # (5)
                self._agreeing(plan),
                lambda stub: stub.Answer,
                self._signer.signing(
                    node_pb2.AnswerRequest(
                        asking=self._asking(request, token),
                        question=question_to(plan.question),
                        micro_epsilon=micro_epsilon,
                        members=plan.departments,
                    )
                ),
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            replies = asked.replies
            draft.note(
                parts=[self._part(name, r.receipt, request, seen) for name, r in replies.items()],
                charged_micro_rho=sum(reply.charged_micro_rho for reply in replies.values()),
                remembered=bool(replies) and all(r.release.remembered for r in replies.values()),
            )
            asked.require_none_refused()
            absent = _absent(plan, asked, partial=partial)
            plan = replace(plan, release=closed(plan.release, replies))  # (11)
            combined = combine(plan.release, replies)
            draft.note(suppressed=suppressed(combined))
            table, untold = rows(plan.release, plan.presentation, combined)
            if absent:
                draft.note(note="missing: " + ", ".join(absent))
            response = query_response(Answered(plan, table, untold, combined, replies, absent))
            logged = draft.answered(response.SerializeToString(deterministic=True))  # (12)
            response.receipt.CopyFrom(logged.message())
            return response

    def explain(
        self, request: Request, sql: str, micro_epsilon: int
    ) -> gateway_pb2.ExplainResponse:
        """The plan, its cost and its accuracy; no data is touched, nothing is charged.

        What planning refuses is refused with the nearest question that would pass.
        """
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            plan = self._planned_or_nearest(request, sql, micro_epsilon, caller, draft)
            asked = self._departments.ask(
                self._agreeing(plan),
                lambda stub: stub.Estimate,
                self._signer.signing(
                    node_pb2.EstimateRequest(
                        asking=self._asking(request, token),
                        question=question_to(plan.question),
                        micro_epsilon=micro_epsilon,
                        members=plan.departments,
                    )
                ),
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            asked.require_none_refused()
            for name, estimate in asked.replies.items():
                require_budgets(name, estimate)
            absent = tuple(name for name in plan.departments if name not in asked.replies)
            response = explain_response(Explained(plan, asked.replies, absent))
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def call(
        self, request: Request, name: str, arguments: Callable[[node_pb2.ReplyRequest], None]
    ) -> gateway_pb2.CallResponse:
        """A handler's reply. `arguments` fills them into the node's request.

        What the log commits to is the code, in UTF-8.
        """
        with self._recorder.request("call", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            department, offer = self._planning.handler(
                name, request.purpose, caller, self._departments.catalogue(), draft
            )
            message = node_pb2.ReplyRequest(asking=self._asking(request, token), handler=offer.name)
            arguments(message)
            if not self._sight.trusted(department):
                raise _why((department,), {})
            seen = self._sight.sizes((department,))
            asked = self._departments.ask(
                (department,),
                lambda stub: stub.Reply,
                self._signer.signing(message),
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            asked.require_none_refused()
            if asked.missing:
                raise _why((department,), asked.missing)
            reply = asked.replies[department]
            draft.note(parts=[self._part(department, reply.receipt, request, seen)])
            if reply.code not in offer.codes:
                raise rejected(department, "a reply that its handler does not declare")
            logged = draft.answered(reply.code.encode())
            return gateway_pb2.CallResponse(
                code=reply.code, version=reply.version, receipt=logged.message()
            )

    def view(self, caller: Caller) -> Catalogue:
        """What the caller may know to exist."""
        return self._planning.view(caller, self._departments.catalogue())

    def identify(self, metadata: Metadata, certificate: str = "") -> Caller:
        """Who the caller is; a refused login is in the log."""
        with self._recorder.check("refused_login"):
            return self._verifier.verify(bearer_token(metadata), certificate)

    def _planned(
        self, request: Request, sql: str, micro_epsilon: int, draft: Draft
    ) -> tuple[str, Plan]:
        token, caller = self._identified(request, draft)  # (1)
        known = self._departments.catalogue()
        plan = self._planning.question(sql, request.purpose, micro_epsilon, caller, known, draft)
        return token, plan

    def _planned_or_nearest(
        self, request: Request, sql: str, micro_epsilon: int, caller: Caller, draft: Draft
    ) -> Plan:
        known = self._departments.catalogue()

        def plan(text: str, micro: int) -> Plan:
            # Nobody asked this text, so what planning notes of it goes nowhere.
            unwritten = Draft("explain", self._recorder)
            return self._planning.question(
                text, request.purpose, micro, caller, known, unwritten, remember=False
            )

        try:
            return self._planning.question(
                sql, request.purpose, micro_epsilon, caller, known, draft
            )
        except LandbridgeError as refusal:
            refusal.passing = nearest(sql, micro_epsilon, refusal, plan)
            raise

    def _identified(self, request: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request.metadata)
        if not _QUESTION_ID.fullmatch(request.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=request.question_id)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        return token, caller

    def _agreeing(self, plan: Plan) -> tuple[str, ...]:
        known = self._departments.catalogue()
        return tuple(
            name
            for name in plan.departments
            if known.agrees(name, plan.contract) and self._sight.trusted(name)
        )

    def _asking(self, request: Request, token: str) -> node_pb2.Asking:
        return node_pb2.Asking(
            token=token,
            purpose=request.purpose,
            question_id=request.question_id,
            gateway_log=self._log_name,
        )

    def _part(
        self,
        department: str,
        receipt: evidence_pb2.Receipt,
        request: Request,
        seen: Mapping[str, int],
    ) -> dict[str, object]:
        """The department's own entry of this very question, whose proof must hold."""
        known = self._departments.catalogue()
        return part_of(department, receipt, request.question_id, known, seen[department])


def _absent(plan: Plan, asked: Asked[node_pb2.AnswerResponse], *, partial: bool) -> tuple[str, ...]:
    """Who did not answer; raises unless the caller takes a partial answer and there is one."""
    absent = tuple(name for name in plan.departments if name not in asked.replies)
    if absent and not (partial and asked.replies):
        raise _why(absent, asked.missing)
    return absent


def _why(absent: tuple[str, ...], missing: Mapping[str, LandbridgeError]) -> LandbridgeError:
    names = ", ".join(absent)
    reasons = {said.reason for said in missing.values()}
    if reasons == {"DEADLINE"} and len(missing) == len(absent):
        return error("DEADLINE", f"Time ran out before {names} answered.", missing=absent)
    if len(absent) == 1 and reasons == {"RUN_FAILED"}:
        return error("RUN_FAILED", f"Department {names} could not compute it.", missing=absent)
    return error(
        "DEPARTMENT_MISSING",
        f"No answer came from {names}.",
        missing=absent,
        hint="Ask again later, or accept a partial answer where others answer.",
    )
