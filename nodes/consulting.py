"""Consultations, the callers' side at the node: opened, followed, replied to. Step (6) for them.

The node trusts the gateway with nothing here either: it verifies the caller's token, weighs the
request by its own policy, and keeps it in its own queue.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from landbridge.consultation.grant import matter_hash
from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.v1 import consult_pb2
from nodes.convert import arguments_from, question_from
from nodes.desk import Desk, Priced
from nodes.granting import Terms, terms_of_contract, terms_of_handler
from nodes.guard import Asking
from nodes.queue import Change, Record
from policies.consultation import Lifts, Standing, readable
from policies.consultation import Terms as Deciding
from policies.contract import Method
from policies.review import not_available

LONGEST_BASIS: Final = 2_000
LONGEST_TEXT: Final = 1_000
MAXIMUM_OPEN: Final = 20
"""Consultations of one organisation that may wait at one department."""


@dataclass(frozen=True, slots=True)
class Response:
    """The caller's turn; exactly one of the three."""

    reply: str = ""
    accept: bool = False
    withdraw: bool = False


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a matter comes to: who asks, about what, under which terms."""

    caller: Caller
    handler: str
    resources: tuple[str, ...]
    terms: Terms
    lifts: Lifts
    deciding: Deciding
    level: int
    priced: Priced | None = None


class Consulting:
    """The use cases of callers."""

    def __init__(self, desk: Desk, recorder: Recorder) -> None:
        self._desk = desk
        self._recorder = recorder

    def consult(
        self,
        asking: Asking,
        matter: consult_pb2.Matter,
        micro_epsilon: int,
        basis: str,
        *,
        trace_id: str,
    ) -> tuple[consult_pb2.Consultation, Logged]:
        """Puts the matter into the queue; the same question id gives the same consultation."""
        with self._recorder.request("consult", trace_id=trace_id) as draft:
            opening = self._weighed(asking, matter, micro_epsilon, draft)
            readable(basis, LONGEST_BASIS, "The legal basis")
            draft.note(basis=draft.recorder.digest("text", basis))
            _require_needed(opening)
            caller, standing = opening.caller, opening.deciding
            with self._desk.change() as change:
                record = change.asked(caller.organisation, caller.subject, asking.question_id)
                if record is not None:
                    if (record.purpose, record.basis) != (asking.purpose, basis):
                        raise error("QUESTION_ID_REUSED", hint="Open it under a new question id.")
                    draft.note(note="opened before")
                else:
                    if change.open_of(caller.organisation) >= MAXIMUM_OPEN:
                        raise error(
                            "CONSULTATIONS_EXHAUSTED",
                            rule="consult.open",
                            hint=f"{MAXIMUM_OPEN} may wait at one department; withdraw one.",
                        )
                    record = Record(
                        id=secrets.token_hex(16),
                        organisation=caller.organisation,
                        subject=caller.subject,
                        question_id=asking.question_id,
                        purpose=asking.purpose,
                        basis=basis,
                        matter=matter.SerializeToString(deterministic=True),
                        micro_epsilon=micro_epsilon,
                        handler=opening.handler,
                        resources=opening.resources,
                        terms=opening.terms,
                        clearance=caller.clearance,
                        level=type(caller.clearance)(opening.level),
                        lifts=opening.lifts,
                        opened=change.now,
                        standing=Standing.opened(standing, change.now),
                    )
                    draft.note(note="opened")
                    change.put(record, "opened", "", "caller")
                draft.note(case=record.id)
                return self._logged(change, record, draft)

    def follow(
        self, asking: Asking, identifier: str, after: int, left: Callable[[], float]
    ) -> consult_pb2.Consultation:
        """The consultation, with what happened after that event; waits while there is nothing."""
        with self._recorder.check("consult"):

            def look() -> tuple[consult_pb2.Consultation, bool]:
                # At every look: a token can end while its caller waits.
                caller = self._desk.guard.identify(asking, Draft("consult", self._recorder))
                with self._desk.change() as change:
                    record = _own(change, identifier, caller)
                    events = change.events(record.id, after)
                    news = bool(events) or record.standing.state.closed
                    return self._desk.view(record, events, officers=False), news

            return self._desk.awaited(look, left)

    def respond(
        self, asking: Asking, identifier: str, turn: int, response: Response, *, trace_id: str
    ) -> tuple[consult_pb2.Consultation, Logged]:
        """The caller's move; raises CONSULTATION_CHANGED or CONSULTATION_CLOSED."""
        with self._recorder.request("consult", trace_id=trace_id) as draft:
            caller = self._desk.guard.identify(asking, draft)
            if [bool(response.reply), response.accept, response.withdraw].count(True) != 1:
                raise error("INVALID_ARGUMENT", "A response replies, accepts or withdraws.")
            readable(response.reply, LONGEST_TEXT, "The reply", empty=True)
            with self._desk.change() as change:
                record = _own(change, identifier, caller)
                draft.note(
                    case=record.id, purpose=record.purpose, resource=" JOIN ".join(record.resources)
                )
                standing = record.standing.on(turn)
                if response.reply:
                    kind, standing = "replied", standing.reply(change.now)
                elif response.accept:
                    kind, standing = "accepted", standing.accept(change.now)
                else:
                    kind, standing = "withdrawn", standing.withdraw()
                if response.accept and not self._desk.current(record):
                    raise error(
                        "CONSULTATION_CHANGED",
                        "The owner's contract has changed since it was opened.",
                        hint="Withdraw it and open another.",
                    )
                record = self._desk.granted(replace(record, standing=standing), change.now)
                draft.note(note=kind)
                change.put(record, kind, response.reply, "caller")
                return self._logged(change, record, draft)

    def _logged(
        self, change: Change, record: Record, draft: Draft
    ) -> tuple[consult_pb2.Consultation, Logged]:
        """The view of the caller, once the entry is on disk."""
        view = self._desk.view(record, change.events(record.id), officers=False)
        return view, draft.answered(view.SerializeToString(deterministic=True))

    def _weighed(
        self, asking: Asking, matter: consult_pb2.Matter, micro_epsilon: int, draft: Draft
    ) -> _Opening:
        guard = self._desk.guard
        match matter.WhichOneof("kind"):
            case "question":
                question = question_from(matter.question)
                weighed = guard.weigh(asking, question, draft)
                caller, contract = weighed.permission.caller, weighed.permission.contract
                priced = self._desk.priced(question, contract, micro_epsilon, caller.organisation)
                return _Opening(
                    caller,
                    "",
                    question.contracts,
                    terms_of_contract(contract),
                    replace(weighed.lifts, micro_rho=priced.beyond),
                    weighed.terms,
                    weighed.permission.usage.level,
                    priced,
                )
            case "call":
                called = guard.weigh_call(asking, matter.call.handler, draft)
                handler = called.handler
                given = arguments_from(matter.call.arguments)
                handler.values(given)
                handler.require_consent("")  # a consultation carries none
                draft.note(
                    subject=draft.recorder.subject(str(given[handler.subject])),
                    question_hash=draft.recorder.digest("question", matter_hash(matter).hex()),
                )
                if micro_epsilon:
                    raise error("INVALID_ARGUMENT", "A handler's reply has no epsilon.")
                return _Opening(
                    called.caller,
                    handler.name,
                    (f"{guard.department}.{handler.name}",),
                    terms_of_handler(handler, called.contract),
                    called.lifts,
                    called.terms,
                    handler.level,
                )
            case _:
                raise error("INVALID_ARGUMENT", "The consultation is about nothing.")


def _require_needed(opening: _Opening) -> None:
    """Officers are asked for what they can give, and policy does not give already."""
    priced = opening.priced
    if priced is not None and priced.contract.disclosure.method is Method.DP:
        cost = priced.plan.cost_micro_rho
        if priced.overall.spent + cost > priced.overall.limit:
            raise error(
                "BUDGET_EXHAUSTED",
                f"The budget of contract {priced.contract.id} in all does not cover this question, "
                "and no officer can lift it.",
                rule="contract.budget.overall",
                hint="A smaller epsilon may fit"
                + (f"; it renews on {priced.overall.renews}." if priced.overall.renews else "."),
            )
    if not opening.lifts:
        raise error("CONSULTATION_NEEDLESS", hint="Ask it: client.query(...), or client.call(...).")


def _own(change: Change, identifier: str, caller: Caller) -> Record:
    """The caller's own consultation; another's is like none."""
    record = change.get(identifier)
    if record is None or (record.organisation, record.subject) != (
        caller.organisation,
        caller.subject,
    ):
        raise not_available("consultation", identifier[:40])
    return record
