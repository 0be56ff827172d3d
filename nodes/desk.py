"""The desk where consultations lie: what both callers and officers see of them, and what time does.

Whoever looks, looks through `change`: silence that has had its effect by then is written into log
and queue first, so that nobody sees a deadline pass before the log says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import TypeVar, cast

from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError
from landbridge.v1 import consult_pb2
from nodes.convert import arguments_from, budget_to, question_from
from nodes.granting import Granting, Terms, terms_of_contract, terms_of_handler
from nodes.guard import Guard
from nodes.ledger import Account, Ledger
from nodes.queue import Change, Event, Queue, Record
from policies.canonical import key_text, literal_text, measure_text, text
from policies.consultation import State
from policies.contract import Contract, Method, Value
from policies.disclosure import ReleasePlan, chosen_epsilon, plan_release
from policies.joined import joined
from policies.question import Question

Found = TypeVar("Found")

LONGEST_WAIT = 20.0
"""Seconds that a reader waits for news in one call."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What would be released of a question, and the budgets that it would be charged to."""

    question: Question
    contract: Contract
    plan: ReleasePlan
    recipient: Account
    overall: Account

    @property
    def beyond(self) -> int:
        """What the recipient's allowance does not cover of it: all of the charge, or nothing."""
        cost = self.plan.cost_micro_rho
        return cost if self.recipient.spent + cost > self.recipient.limit else 0


class Desk:
    """One department's. `waiting` readers at the most wait for news at a time."""

    def __init__(
        self,
        queue: Queue,
        guard: Guard,
        ledger: Ledger,
        recorder: Recorder,
        granting: Granting,
        waiting: int = 4,
    ) -> None:
        self.queue = queue
        self.guard = guard
        self.recorder = recorder
        self._ledger = ledger
        self._granting = granting
        self._waiting = BoundedSemaphore(waiting)
        self._stopping = False

    def stop(self) -> None:
        """Lets nobody wait any more; whoever does is told at once how things stand."""
        self._stopping = True
        self.queue.wake()

    def awaited(self, look: Callable[[], tuple[Found, bool]], left: Callable[[], float]) -> Found:
        """What `look` finds, once it says that there is news, or at the last when time is over.

        Whoever waits holds a thread, so only a few may; the others are told at once how things
        stand, and ask again.
        """
        found, news = look()
        if news or left() <= 0 or not self._waiting.acquire(blocking=False):
            return found
        try:
            while not news and left() > 0 and not self._stopping:
                seen = self.queue.generation
                found, news = look()
                if not news and not self._stopping:
                    # A deadline makes no change until somebody looks.
                    self.queue.await_news(seen, min(left(), 1.0))
            return found
        finally:
            self._waiting.release()

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction, in which every silence has had its effect."""
        with self.queue.change() as change:
            for record in change.overdue():
                after = record.standing.silence(change.now)
                if after is not None:
                    kind = "expired" if after.state is State.EXPIRED else "escalated"
                    self.recorder.event(
                        "consult",
                        organisation=record.organisation,
                        purpose=record.purpose,
                        resource=resource_of(record, self.guard.department),
                        case=record.id,
                        note=kind,
                        **(
                            {"outcome": "refused", "reason": "CONSULTATION_CLOSED"}
                            if kind == "expired"
                            else {"outcome": "answered"}
                        ),
                    )
                    told = f"to {after.role}" if kind == "escalated" else ""
                    change.put(replace(record, standing=after), kind, told, "node")
            yield change

    def contract(self, question: Question) -> Contract:
        """The contract that a question is about, as it is now; it must be `current`."""
        contracts = self.guard.rules.contracts
        return joined([contracts[name] for name in question.contracts])

    def priced(
        self, question: Question, contract: Contract, micro_epsilon: int, organisation: str
    ) -> Priced:
        """What would be released of it, for one department; raises as planning does."""
        plan = plan_release(question, contract, micro_epsilon, 1)
        return Priced(question, contract, plan, *self._ledger.accounts(contract, organisation))

    def current(self, record: Record) -> bool:
        """Whether the owner's rules are still those under which it was opened."""
        found: Terms
        rules = self.guard.rules
        contracts = [rules.contracts.get(name) for name, _ in record.terms]
        if record.handler:
            handler = rules.handlers.get(record.handler)
            contract = None if handler is None else rules.contracts.get(handler.contract)
            if handler is None or contract is None:
                return False
            found = terms_of_handler(handler, contract)
        else:
            known = [contract for contract in contracts if contract is not None]
            if not known:
                return False
            found = tuple(term for contract in known for term in terms_of_contract(contract))
        return found == record.terms

    def granted(self, record: Record, now: float) -> Record:
        """The record with its grant, where it is approved."""
        if record.standing.state is not State.APPROVED:
            return record
        assert record.standing.scope is not None  # approved
        grant = self._granting.issue(record, record.standing.scope, now)
        return replace(record, grant=grant.SerializeToString(deterministic=True))

    def view(
        self, record: Record, events: Sequence[Event], *, officers: bool
    ) -> consult_pb2.Consultation:
        """The consultation for its caller, or for officers of the owner."""
        matter = consult_pb2.Matter.FromString(record.matter)
        view = consult_pb2.Consultation(
            id=record.id,
            state=record.standing.state.value,
            turn=record.standing.turn,
            matter=matter,
            words=words_of(record, self.guard.department),
            purpose=record.purpose,
            basis=record.basis,
            lifts=record.lifts.words(),
            offering=self._offering(record, matter) if self.current(record) else None,
            role=record.standing.role,
            opened_at_ms=int(record.opened * 1000),
            due_at_ms=int(record.standing.due * 1000),
            events=[event_to(event) for event in events],
            resource=resource_of(record, self.guard.department),
            approvals_needed=record.standing.terms.reviewers,
        )
        if officers:
            view.caller = record.subject
            view.organisation = record.organisation
            view.approvals.extend(record.standing.approvals)
        elif record.grant:
            view.grant.ParseFromString(record.grant)
        return view

    def _offering(self, record: Record, matter: consult_pb2.Matter) -> consult_pb2.Offering | None:
        if record.handler:
            codes = self.guard.rules.handlers[record.handler].codes
            said = f"one of {', '.join(codes)}" if codes else "a bounded number"
            return consult_pb2.Offering(cells=1, method="code", keys=[said])
        question = question_from(matter.question)
        try:
            contract = self.contract(question)
            priced = self.priced(question, contract, record.micro_epsilon, record.organisation)
        except LandbridgeError:
            return None
        plan, terms = priced.plan, priced.contract.disclosure
        epsilon = chosen_epsilon(priced.contract, record.micro_epsilon)
        return consult_pb2.Offering(
            cells=plan.cells,
            keys=[key_text(key) for key in question.group_by],
            measures=[
                consult_pb2.OfferedMeasure(
                    words=measure_text(each.measure),
                    standard_deviation=each.standard_deviation,
                )
                for each in plan.mechanisms
            ],
            micro_epsilon=record.micro_epsilon,
            epsilon=epsilon if terms.method is Method.DP else 0.0,
            cost_micro_rho=plan.cost_micro_rho,
            method=terms.method.value,
            recipient_budget=budget_to(priced.recipient),
            overall_budget=budget_to(priced.overall),
        )


def resource_of(record: Record, department: str) -> str:
    """What it is about, as logs name it."""
    return f"{department}.{record.handler}" if record.handler else " JOIN ".join(record.resources)


def words_of(record: Record, department: str) -> str:
    """The matter in words, with the caller's literals, which are the owner's to see."""
    matter = consult_pb2.Matter.FromString(record.matter)
    if not record.handler:
        return text(question_from(matter.question))
    given = arguments_from(matter.call.arguments)
    inside = ", ".join(
        f"{name} = {literal_text(cast(Value, value))}" for name, value in sorted(given.items())
    )
    return f"{department}.{record.handler}({inside})"


def event_to(event: Event) -> consult_pb2.ConsultationEvent:
    """One event on the wire."""
    return consult_pb2.ConsultationEvent(
        number=event.number,
        at_ms=int(event.at * 1000),
        kind=event.kind,
        text=event.text,
        by=event.by,
        consultation=event.consultation,
    )
