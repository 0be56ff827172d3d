"""A question from the caller's text to the answer, at the gateway: steps (1) to (5), (11), (12)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.combine import Combined, combine
from gateway.convert import question_to
from gateway.departments import Departments
from gateway.planning import Plan, Planning
from gateway.table import Row, rows
from landbridge.edge.record import Draft, Recorder
from landbridge.edge.telemetry import Trace
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.receipt import Receipt, verify_receipt
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.tokens import TokenVerifier
from landbridge.v1 import evidence_pb2, node_pb2, release_pb2

MARGIN = 0.5
"""Seconds kept back from the caller's deadline for combining, the log and the way back."""
MAXIMUM_PURPOSE = 200
_QUESTION_ID = re.compile(r"[0-9a-f]{32}")

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `micro_epsilon` 0 is the contract's own."""

    metadata: Metadata
    purpose: str
    question_id: str
    time_left: Callable[[], float]
    trace: Trace


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything that the reply shows."""

    plan: Plan
    rows: list[Row]
    untold: int
    combined: tuple[Combined, ...]
    replies: Mapping[str, node_pb2.AnswerResponse]
    missing: tuple[str, ...]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Explained:
    """What an answer would be like."""

    plan: Plan
    estimates: Mapping[str, node_pb2.EstimateResponse]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Called:
    """A handler's code, its version, and the proof that it was logged."""

    code: str
    version: str
    receipt: Receipt


class Asking:
    """The gateway's use cases. Everything that acts is passed in."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: TokenVerifier,
        recorder: Recorder,
        log_name: str,
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name

    def query(self, request: Request, sql: str, micro_epsilon: int, *, partial: bool) -> Answered:
        """The combined answer, or a refusal; either is in the log before this returns."""
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            token, plan = self._planned(request, sql, micro_epsilon, draft)
            replies, missing = self._departments.ask(  # (5)
                self._agreeing(plan),
                lambda stub: stub.Answer,
                lambda _: node_pb2.AnswerRequest(
                    asking=self._asking(request, token),
                    question=question_to(plan.question),
                    micro_epsilon=micro_epsilon,
                    members=plan.departments,
                ),
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            parts = [self._part(name, reply.receipt) for name, reply in replies.items()]
            draft.note(
                parts=parts,
                charged_micro_rho=sum(reply.charged_micro_rho for reply in replies.values()),
                remembered=bool(replies) and all(r.release.remembered for r in replies.values()),
            )
            absent = _absent(plan, replies, missing, partial=partial)
            releases = {name: reply.release for name, reply in replies.items()}
            combined = combine(plan.release, releases)  # (11)
            table, untold = rows(plan.release, plan.presentation, combined)
            if absent:
                draft.note(note="missing: " + ", ".join(absent))
            receipt = draft.answered(answer_digest=_digest(releases))  # (12)
            return Answered(plan, table, untold, combined, replies, absent, receipt)

    def explain(self, request: Request, sql: str, micro_epsilon: int) -> Explained:
        """The plan, its cost and its accuracy; no data is touched, nothing is charged."""
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            token, plan = self._planned(request, sql, micro_epsilon, draft)
            estimates, _ = self._departments.ask(
                self._agreeing(plan),
                lambda stub: stub.Estimate,
                lambda _: node_pb2.EstimateRequest(
                    asking=self._asking(request, token),
                    question=question_to(plan.question),
                    micro_epsilon=micro_epsilon,
                    members=plan.departments,
                ),
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            draft.answered()
            absent = tuple(name for name in plan.departments if name not in estimates)
            return Explained(plan, estimates, absent)

    def call(
        self, request: Request, name: str, arguments: Callable[[node_pb2.ReplyRequest], None]
    ) -> Called:
        """A handler's reply. `arguments` fills them into the node's request."""
        with self._recorder.request("call", trace_id=request.trace.id) as draft:
            token = self._identified(request, draft)
            caller = self._verifier.verify(token)
            draft.caller(caller)
            department, offer = self._planning.handler(
                name, request.purpose, caller, self._departments.catalogue(), draft
            )
            message = node_pb2.ReplyRequest(asking=self._asking(request, token), handler=offer.name)
            arguments(message)
            replies, missing = self._departments.ask(
                (department,),
                lambda stub: stub.Reply,
                lambda _: message,
                request.time_left() - MARGIN,
                request.trace.headers,
            )
            if missing:
                raise _why((department,), missing)
            reply = replies[department]
            if reply.code not in offer.codes:
                raise error(
                    "ANSWER_REJECTED",
                    f"Department {department} sent a reply that handler {offer.name} does not "
                    "declare.",
                    missing=(department,),
                )
            draft.note(parts=[self._part(department, reply.receipt)])
            digest = sha256(reply.code.encode()).hexdigest()
            return Called(reply.code, reply.version, draft.answered(answer_digest=digest))

    def identify(self, metadata: Metadata) -> Caller:
        """Who the caller is; a refused login is in the log."""
        with self._recorder.check():
            return self._verifier.verify(bearer_token(metadata))

    def _planned(
        self, request: Request, sql: str, micro_epsilon: int, draft: Draft
    ) -> tuple[str, Plan]:
        token = self._identified(request, draft)
        caller = self._verifier.verify(token)  # (1)
        draft.caller(caller)
        known = self._departments.catalogue()
        plan = self._planning.question(sql, request.purpose, micro_epsilon, caller, known, draft)
        return token, plan

    def _identified(self, request: Request, draft: Draft) -> str:
        draft.note(purpose=request.purpose[:MAXIMUM_PURPOSE])
        token = bearer_token(request.metadata)
        if not _QUESTION_ID.fullmatch(request.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=request.question_id)
        return token

    def _agreeing(self, plan: Plan) -> tuple[str, ...]:
        known = self._departments.catalogue()
        return tuple(name for name in plan.departments if known.agrees(name, plan.contract))

    def _asking(self, request: Request, token: str) -> node_pb2.Asking:
        return node_pb2.Asking(
            token=token,
            purpose=request.purpose,
            question_id=request.question_id,
            gateway_log=self._log_name,
        )

    def _part(self, department: str, receipt: evidence_pb2.Receipt) -> dict[str, object]:
        """The department's own entry of this question, whose proof must hold."""
        offer = self._departments.catalogue().offers[department]
        try:
            proven = verify_receipt(receipt.entry, receipt.proof, offer.log_key)
        except EvidenceError:
            raise error(
                "ANSWER_REJECTED",
                f"Department {department} sent no valid proof that it logged its answer.",
                missing=(department,),
            ) from None
        return {
            "department": department,
            "index": proven.index,
            "leaf_hash": proven.leaf_hash.hex(),
        }


def _absent(
    plan: Plan,
    replies: Mapping[str, object],
    missing: Mapping[str, LandbridgeError],
    *,
    partial: bool,
) -> tuple[str, ...]:
    """Who did not answer; raises unless the caller takes a partial answer and there is one."""
    absent = tuple(name for name in plan.departments if name not in replies)
    if absent and not (partial and replies):
        raise _why(absent, missing)
    return absent


def _why(absent: tuple[str, ...], missing: Mapping[str, LandbridgeError]) -> LandbridgeError:
    names = ", ".join(absent)
    reasons = {said.reason for said in missing.values()}
    if reasons == {"DEADLINE"} and len(missing) == len(absent):
        return error("DEADLINE", f"Time ran out before {names} answered.", missing=absent)
    if len(absent) == 1 and reasons <= {"RUN_FAILED", "ANSWER_REJECTED"} and reasons:
        (said,) = missing.values()
        return error(said.reason, f"Department {names}: {said.message}", missing=absent)
    return error(
        "DEPARTMENT_MISSING",
        f"No answer came from {names}.",
        missing=absent,
        hint="Ask again later, or accept a partial answer where others answer.",
    )


def _digest(releases: Mapping[str, release_pb2.Release]) -> str:
    """SHA-256 over the releases in the order of department names."""
    whole = sha256()
    for name in sorted(releases):
        drawn = release_pb2.Release()
        drawn.CopyFrom(releases[name])
        drawn.ClearField("remembered")
        whole.update(sha256(drawn.SerializeToString(deterministic=True)).digest())
    return whole.hexdigest()
