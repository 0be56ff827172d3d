"""What the departments of a plan answer, become one: steps (5) and (11), by the way of the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType

from gateway.ask_each import Asked
from gateway.by_department import side_by_side
from gateway.combine import Combined, combine, require_budgets
from gateway.convert import question_to
from gateway.days import date_changed
from gateway.departments import Departments
from gateway.parts import part_of
from gateway.planning import Plan
from gateway.pooling import Call, Pooled, Rounds
from gateway.request import Request
from gateway.selection import closed
from gateway.sight import Sight
from gateway.total import total
from gateway.way import way
from landbridge.days import AsOf
from landbridge.edge.recall import Recall
from landbridge.edge.record import Draft
from landbridge.edge.turns import Turns
from landbridge.errors import LandbridgeError, error
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import node_pb2, pooled_pb2, question_pb2, release_pb2
from policies.contract import Contract
from policies.pooling import fewest_members, plan_pooling


@dataclass(frozen=True, slots=True)
class Gathered:
    """The combined cells, and what each department said beside its part.

    `plan` is the plan as it came true: with the values that were found, for the members that were
    left. `rounds` is how many were charged.
    """

    plan: Plan
    combined: tuple[Combined, ...]
    replies: Mapping[str, node_pb2.AnswerResponse]
    absent: tuple[str, ...]
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Put:
    """A planned question that is put to its departments now, for the organisation `recipient`."""

    plan: Plan
    request: Request
    token: str
    recipient: str
    micro_epsilon: int
    draft: Draft
    partial: bool = False

    @property
    def same(self) -> bytes:
        """What two askings share whose answer departments remember as one, as far as we know."""
        asked = question_to(self.plan.question).SerializeToString(deterministic=True)
        shared = (self.recipient, str(self.micro_epsilon), *self.plan.departments)
        return sha256(b"\0".join([*(each.encode() for each in shared), asked])).digest()


class Gathering:
    """Asks departments, and trusts none of them. `log_name` is the gateway's log."""

    def __init__(
        self, departments: Departments, signer: AskingSigner, log_name: str, sight: Sight
    ) -> None:
        self._sight = sight
        self._departments = departments
        self._signer = signer
        self._log_name = log_name
        self._turns = Turns()
        self._wire = Recall[question_pb2.Question]()

    def answer(self, put: Put) -> Gathered:
        """The cells of the plan; raises a refusal, ANSWER_REJECTED, or who is missing.

        What every department logged is in the draft before anything is raised for it.
        """
        if put.plan.way.pooling is None:
            return self._parts(put)
        # Of two askings at once each department could take another one first, and then both would
        # be drawn and charged everywhere; the second one finds the first one's round.
        with self._turns.turn(put.same, put.request.seconds):
            return self._total(put)

    def estimate(self, put: Put) -> tuple[Mapping[str, node_pb2.EstimateResponse], tuple[str, ...]]:
        """What each department says that it would cost, and who did not say."""
        plan = put.plan
        if plan.way.pooling is not None:
            estimates = self._estimated_total(put)
        else:
            asked = self._departments.ask(
                self._agreeing(plan),
                lambda stub: stub.node.Estimate,
                # Whoever gives cells of its own is asked for itself, not as one of many.
                lambda name: self._signer.signing(
                    node_pb2.EstimateRequest(
                        asking=self._asking(put),
                        question=question_to(plan.question),
                        micro_epsilon=put.micro_epsilon,
                        members=(name,) if plan.way.grouped else plan.departments,
                    )
                )(name),
                put.request.seconds,
                put.request.trace.headers,
            )
            asked.require_none_refused()
            estimates = asked.replies
        for name, estimate in estimates.items():
            require_budgets(name, estimate)
        return estimates, tuple(name for name in plan.departments if name not in estimates)

    def _parts(self, put: Put) -> Gathered:
        plan, request = put.plan, put.request
        seen = self._sight.sizes(plan.departments)
        if plan.way.grouped:
            put.draft.note(members=[])  # each is told of itself alone; `parts` names them
        asked = self._departments.ask(
            self._agreeing(plan),
            lambda stub: stub.node.Answer,
            self._answering(put),
            request.seconds,
            request.trace.headers,
            long=True,
        )
        return self.received(put, asked, seen)

    def received(
        self, put: Put, asked: Asked[node_pb2.AnswerResponse], seen: Mapping[str, int]
    ) -> Gathered:
        """What was answered, become one; `seen` are the sizes of the logs before it was asked."""
        plan, request, replies = put.plan, put.request, asked.replies
        put.draft.note(
            parts=[
                part_of(
                    name,
                    r.receipt,
                    request.question_id,
                    self._departments.catalogue(),
                    seen[name],
                )
                for name, r in replies.items()
            ],
            charged_micro_rho=sum(reply.charged_micro_rho for reply in replies.values()),
            remembered=bool(replies) and all(r.release.remembered for r in replies.values()),
        )
        asked.require_none_refused()
        absent = _absent(plan, asked, partial=put.partial)
        if plan.way.grouped:
            release, combined = side_by_side(plan.release, replies)
            return Gathered(replace(plan, release=release), combined, replies, absent)
        plan = replace(plan, release=closed(plan.release, replies))
        return Gathered(plan, combine(plan.release, replies), replies, absent)

    def _answering(self, put: Put) -> Callable[[str], node_pb2.AnswerRequest]:
        """The request for each department, who is asked as one of many or for itself."""

        def request(members: Sequence[str]) -> node_pb2.AnswerRequest:
            return node_pb2.AnswerRequest(
                asking=self._asking(put),
                question=self._wire.of(
                    (put.plan.question,), None, lambda: question_to(put.plan.question)
                ),
                micro_epsilon=put.micro_epsilon,
                members=members,
            )

        if put.plan.way.grouped:
            return lambda name: self._signer.signing(request((name,)))(name)
        return self._signer.signing(request(put.plan.departments))

    def _total(self, put: Put) -> Gathered:
        plan, draft = put.plan, put.draft
        parts: list[dict[str, object]] = []
        replied: list[pooled_pb2.PoolResponse] = []
        halves = 2 if put.partial else 1

        def ask(call: Call) -> Asked[pooled_pb2.PoolResponse]:
            request = replace(put.request, question_id=call.question_id)
            seen = self._sight.sizes(call.asked)
            asked = self._departments.ask(
                call.asked,
                lambda stub: stub.pooling.Pool,
                self._signer.signing(
                    pooled_pb2.PoolRequest(
                        asking=self._asking(replace(put, request=request)),
                        question=question_to(plan.question),
                        micro_epsilon=put.micro_epsilon,
                        members=call.members,
                        keys_digest=self._departments.keys_digest(call.members),
                        repeats=call.repeats,
                        anew=call.anew,
                    )
                ),
                # One that is silent must leave the others time for a round without it.
                request.seconds / halves,
                request.trace.headers,
            )
            known = self._departments.catalogue()
            for name, reply in asked.replies.items():
                parts.append(part_of(name, reply.receipt, call.question_id, known, seen[name]))
                replied.append(reply)
            draft.note(
                question_id=call.question_id,
                members=list(call.members),
                parts=list(parts),
                charged_micro_rho=sum(reply.charged_micro_rho for reply in replied),
                remembered=bool(replied) and all(reply.remembered for reply in replied),
            )
            return asked

        def lost(missing: Mapping[str, LandbridgeError], following: str) -> None:
            """A round that was charged and told nothing has an entry of its own."""
            nonlocal halves
            halves = 1
            names = ", ".join(sorted(missing))
            note = f"no answer from {names}; asked again without, as {following}"
            ended = Draft(draft.kind, draft.recorder, {**draft.fields, "note": note})
            draft.recorder.append(ended, outcome="failed", reason="DEPARTMENT_MISSING")
            parts.clear()
            replied.clear()
            draft.note(question_id=following, parts=[], charged_micro_rho=0, remembered=False)

        fewest = fewest_members(plan.contract)
        pooled = Rounds(ask, lost, fewest).run(
            plan.departments, self._agreeing(plan), put.request.question_id, partial=put.partial
        )
        if pooled.left:
            return self._left(put, pooled)
        pooling = plan.way.pooling
        assert pooling is not None  # or nothing would have been pooled
        if pooled.missing:
            count = len(pooled.replies)
            pooling = plan_pooling(plan.question, plan.contract, put.micro_epsilon, count)
        combined = total(pooling, pooled.replies)
        replies = {
            name: node_pb2.AnswerResponse(
                release=release_pb2.Release(remembered=reply.remembered),
                recipient_budget=reply.recipient_budget,
                overall_budget=reply.overall_budget,
                charged_micro_rho=pooled.charged[name],
            )
            for name, reply in pooled.replies.items()
        }
        plan = replace(plan, release=pooling.release, way=replace(plan.way, pooling=pooling))
        return Gathered(plan, combined, replies, pooled.missing, pooled.rounds)

    def _left(self, put: Put, pooled: Pooled) -> Gathered:
        """Those who are too few for a total, as parts with noise of their own."""
        put.draft.note(question_id=pooled.question_id, members=list(pooled.left))
        plan = put.plan
        if not plan.contract.disclosure.pooling.alone:
            raise error(
                "DEPARTMENT_MISSING",
                f"No answer came from {', '.join(pooled.missing)}; the others are too few for a "
                "total, and their owners let nothing else be told.",
                missing=pooled.missing,
                hint="Ask again later.",
            )
        chosen = way(plan.question, plan.contract, put.micro_epsilon, pooled.left)
        left = replace(plan, departments=pooled.left, way=chosen, release=chosen.release)
        request = replace(put.request, question_id=pooled.question_id)
        found = self._parts(replace(put, plan=left, request=request))
        for name, reply in found.replies.items():
            reply.charged_micro_rho += pooled.charged.get(name, 0)
        absent = tuple(sorted({*pooled.missing, *found.absent}))
        return replace(found, absent=absent, rounds=pooled.rounds)

    def _estimated_total(self, put: Put) -> Mapping[str, node_pb2.EstimateResponse]:
        members = sorted(put.plan.departments)
        asked = self._departments.ask(
            self._agreeing(put.plan),
            lambda stub: stub.pooling.EstimatePool,
            self._signer.signing(
                pooled_pb2.EstimatePoolRequest(
                    asking=self._asking(put),
                    question=question_to(put.plan.question),
                    micro_epsilon=put.micro_epsilon,
                    members=members,
                    keys_digest=self._departments.keys_digest(members),
                )
            ),
            put.request.seconds,
            put.request.trace.headers,
        )
        asked.require_none_refused()
        return {name: reply.estimate for name, reply in asked.replies.items()}

    def _asking(self, put: Put) -> node_pb2.Asking:
        plan = put.plan
        return asking_of(put.request, put.token, self._log_name, plan.contract, plan.as_of)

    def _agreeing(self, plan: Plan) -> tuple[str, ...]:
        known = self._departments.catalogue()
        return tuple(
            name
            for name in plan.departments
            if known.agrees(name, plan.contract) and self._sight.trusted(name)
        )


def asking_of(
    request: Request,
    token: str,
    log_name: str,
    contract: Contract | None = None,
    as_of: AsOf = MappingProxyType({}),
) -> node_pb2.Asking:
    """Who asks and why, by which contract and for which days it was planned, as a department is
    told.
    """
    return node_pb2.Asking(
        token=token,
        purpose=request.purpose,
        question_id=request.question_id,
        gateway_log=log_name,
        contracts=[bytes.fromhex(part.digest) for part in contract.each] if contract else (),
        as_of=as_of,
    )


def _absent(plan: Plan, asked: Asked[node_pb2.AnswerResponse], *, partial: bool) -> tuple[str, ...]:
    """Who did not answer; raises unless the caller takes a partial answer and there is one."""
    absent = tuple(name for name in plan.departments if name not in asked.replies)
    if absent and not (partial and asked.replies):
        raise why_missing(absent, asked.missing)
    return absent


def why_missing(absent: tuple[str, ...], missing: Mapping[str, LandbridgeError]) -> LandbridgeError:
    """Why these did not answer, in one error."""
    names = ", ".join(absent)
    reasons = {said.reason for said in missing.values()}
    if reasons == {"DEADLINE"} and len(missing) == len(absent):
        return error("DEADLINE", f"Time ran out before {names} answered.", missing=absent)
    if reasons == {"CONTRACT_CHANGED"} and len(missing) == len(absent):
        return error(
            "CONTRACT_CHANGED",
            f"The contract of {names} is another than the gateway knew; nothing was charged.",
            missing=absent,
            hint="Ask again in a moment: the gateway is reading the new one.",
        )
    if reasons == {"DATE_CHANGED"} and len(missing) == len(absent):
        return date_changed(absent)
    if len(absent) == 1 and reasons == {"RUN_FAILED"}:
        return error("RUN_FAILED", f"Department {names} could not compute it.", missing=absent)
    return error(
        "DEPARTMENT_MISSING",
        f"No answer came from {names}.",
        missing=absent,
        hint="Ask again later, or accept a partial answer where others answer.",
    )
