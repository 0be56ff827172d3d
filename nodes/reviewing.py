"""Consultations, the officers' side at the node: the queue, and what an officer makes of it.

An officer is a caller like any other, by a token of the same issuers, whom the owner's policy lets
`review`; the token reaches the node on its own machine and never by the gateway (decision 0031).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never, cast

from landbridge.edge.record import Draft, Recorder
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.v1 import consult_pb2
from nodes.convert import narrowed_to, question_from
from nodes.desk import Desk, resource_of
from nodes.queue import Change, Event, Record
from policies.canonical import masked, text
from policies.consultation import Scope, State, readable
from policies.disclosure import chosen_epsilon
from policies.narrowing import Less, narrowed
from policies.review import not_available, review

MOST_LISTED: Final = 200
LONGEST_TEXT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Approve:
    """Yes, that far."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Narrow:
    """Less is offered: the question, and the epsilon (0: as it is)."""

    less: Less
    micro_epsilon: int
    scope: Scope
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Something is asked back."""

    text: str


@dataclass(frozen=True, slots=True)
class Decline:
    """No, for this reason."""

    text: str


Decision = Approve | Narrow | Ask | Decline


class Reviewing:
    """The use cases of officers; `token` is the officer's own."""

    def __init__(self, desk: Desk, recorder: Recorder) -> None:
        self._desk = desk
        self._recorder = recorder

    def queue(self, token: str, *, closed: bool) -> list[consult_pb2.Consultation]:
        """Those that this officer may decide, or could have; in the log before it returns."""
        with self._recorder.request("consult") as draft:
            officer = self._desk.guard.officer(token, draft)
            with self._desk.change() as change:
                views = [
                    self._desk.view(record, [], officers=True)
                    for record in change.listed(closed=closed, most=MOST_LISTED)
                    if self._may(officer, record)
                ]
            draft.note(note=f"listed {len(views)}")
            draft.answered(b"".join(view.SerializeToString(deterministic=True) for view in views))
            return views

    def show(self, token: str, identifier: str) -> consult_pb2.Consultation:
        """One, with everything that happened."""
        with self._recorder.request("consult") as draft:
            officer = self._desk.guard.officer(token, draft)
            with self._desk.change() as change:
                record = self._theirs(change, officer, identifier, draft)
                view = self._desk.view(record, change.events(record.id), officers=True)
            draft.note(note="viewed")
            draft.answered(view.SerializeToString(deterministic=True))
            return view

    def follow(self, token: str, after: int, left: Callable[[], float]) -> tuple[list[Event], int]:
        """What happened after that event to what this officer may decide, and where to go on.

        Waits while there is nothing; what it gives is in the log before.
        """

        def look() -> tuple[tuple[list[Event], int, Caller], bool]:
            with self._recorder.check("consult"):  # at every look: a token can end meanwhile
                officer = self._desk.guard.officer(token, Draft("consult", self._recorder))
            with self._desk.change() as change:
                found = change.everything(after, MOST_LISTED)
                mine = [
                    event
                    for event in found
                    if (record := change.get(event.consultation)) is not None
                    and self._may(officer, record)
                ]
            latest = found[-1].number if found else after
            return (mine, latest, officer), bool(mine)

        events, latest, officer = self._desk.awaited(look, left)
        if events:
            with self._recorder.request("consult") as draft:
                draft.caller(officer)
                draft.note(note=f"told of {len(events)} events")
                draft.answered(str([event.number for event in events]).encode())
        return events, latest

    def decide(
        self, token: str, identifier: str, turn: int, decision: Decision
    ) -> consult_pb2.Consultation:
        """The officer's move, on what they saw; raises CONSULTATION_CHANGED or _CLOSED."""
        with self._recorder.request("consult") as draft:
            officer = self._desk.guard.officer(token, draft)
            with self._desk.change() as change:
                record = self._theirs(change, officer, identifier, draft)
                if (officer.organisation, officer.subject) == (record.organisation, record.subject):
                    raise error(
                        "ACCESS_DENIED",
                        "Nobody decides what they ask themselves.",
                        rule="consult.own",
                        hint="Another officer has to.",
                    )
                standing = record.standing.on(turn)
                who = f"{officer.organisation}/{officer.subject}"
                match decision:
                    case Approve(scope):
                        self._require_current(record)
                        said, standing = "", standing.approve(who, scope, change.now)
                        approved = standing.state is State.APPROVED
                        kind = "approved" if approved else "approved_once"
                    case Narrow(_, _, scope, said):
                        self._require_current(record)
                        standing = standing.narrow(who, scope, change.now)
                        record, kind = self._narrowed(record, decision, draft), "narrowed"
                        readable(said, LONGEST_TEXT, "The remark", empty=True)
                    case Ask(said):
                        kind, standing = "asked", standing.ask(change.now)
                        readable(said, LONGEST_TEXT, "What is asked")
                    case Decline(said):
                        kind, standing = "declined", standing.decline()
                        readable(said, LONGEST_TEXT, "The reason")
                    case _:
                        assert_never(decision)
                role = record.standing.role
                record = self._desk.granted(replace(record, standing=standing), change.now)
                draft.note(note=kind)
                change.put(record, kind, said, role)
                view = self._desk.view(record, change.events(record.id), officers=True)
                draft.answered(view.SerializeToString(deterministic=True))
                return view

    def _narrowed(self, record: Record, offer: Narrow, draft: Draft) -> Record:
        """The record with less in it; raises where it is not less, or cannot be answered."""
        if record.handler:
            raise error(
                "INVALID_ARGUMENT", "A handler's reply has nothing in it that could be left out."
            )
        matter = consult_pb2.Matter.FromString(record.matter)
        question = question_from(matter.question)
        contract = self._desk.contract(question)
        if offer.less.without or offer.less.coarser:
            question = narrowed(question, contract, offer.less)
            narrowed_to(matter.question, question)
        elif not offer.micro_epsilon:
            raise error("INVALID_ARGUMENT", "Nothing less is offered.", hint="Approve it then.")
        micro_epsilon = offer.micro_epsilon or record.micro_epsilon
        if offer.micro_epsilon and not (
            chosen_epsilon(contract, offer.micro_epsilon)
            < chosen_epsilon(contract, record.micro_epsilon)
        ):
            raise error("INVALID_ARGUMENT", "An epsilon that is offered is less than the asked.")
        usage = review(question, contract, max(record.clearance, record.level))
        after = self._desk.priced(question, contract, micro_epsilon, record.organisation)
        level = usage.level if usage.level > record.clearance else None
        draft.note(
            question=masked(question, contract, lambda v: draft.recorder.digest("literal", v)),
            question_hash=draft.recorder.digest("question", text(question)),
        )
        return replace(
            record,
            matter=matter.SerializeToString(deterministic=True),
            micro_epsilon=micro_epsilon,
            level=usage.level,
            lifts=replace(record.lifts, level=level, micro_rho=after.beyond),
        )

    def _require_current(self, record: Record) -> None:
        if not self._desk.current(record):
            raise error(
                "CONSULTATION_CHANGED",
                "The contract has changed since it was opened.",
                hint="Decline it; it can be opened again.",
            )

    def _theirs(self, change: Change, officer: Caller, identifier: str, draft: Draft) -> Record:
        """The consultation, for an officer who may decide it; another is like none."""
        record = change.get(identifier)
        if record is None or not self._may(officer, record):
            raise not_available("consultation", identifier[:40])
        draft.note(
            case=record.id,
            purpose=record.purpose,
            resource=resource_of(record, self._desk.guard.department),
        )
        return record

    def _may(self, officer: Caller, record: Record) -> bool:
        return self._desk.guard.reviews(
            officer,
            cast(Literal["contract", "handler"], record.kind),
            record.resources,
            record.purpose,
            record.level,
            record.standing.role,
        )
