"""A consultation as values: what its caller and its officers are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from landbridge.errors import error
from landbridge.v1 import consult_pb2, release_pb2

WAITING: Final = frozenset({"open", "asked", "offered"})
CLOSED: Final = frozenset({"approved", "declined", "expired", "withdrawn"})


@dataclass(frozen=True, slots=True)
class ConsultationEvent:
    """Something that happened.

    `kind` is "opened", "approved_once", "approved", "narrowed", "asked", "replied", "accepted",
    "declined", "withdrawn", "escalated" or "expired"; `by` is "caller", "node" or an officer's
    role; `text` is what was said with it.
    """

    number: int
    at: datetime
    kind: str
    text: str
    by: str
    consultation: str


@dataclass(frozen=True, slots=True)
class Offering:
    """What would be released: `accuracy` has the expected 95 % half-width of each measure.

    `cells` is 0 where that is not known; `epsilon` is 0 without a privacy budget; of the budgets,
    in millionths of rho, `spent` and `limit` are the recipient's, `cost` is the question's.
    """

    method: str
    cells: int
    keys: tuple[str, ...]
    accuracy: Mapping[str, float | None]
    epsilon: float
    cost: int
    spent: int
    limit: int


@dataclass(frozen=True, slots=True)
class View:
    """A consultation as it stood when it was read.

    `state`: "open" (an officer's turn), "asked" and "offered" (the caller's), "approved",
    "declined", "expired", "withdrawn". `turn` counts moves. `question` is the matter in words,
    `sql` asks it; `lifts` says why policy does not answer it. Where it is approved, its caller has
    `grant`. `caller`, `organisation` and `approvals` are told to officers alone.
    """

    id: str
    department: str
    state: str
    turn: int
    question: str
    sql: str
    handler: str
    arguments: Mapping[str, object]
    purpose: str
    basis: str
    lifts: tuple[str, ...]
    resource: str
    role: str
    opened: datetime
    due: datetime | None
    micro_epsilon: int
    offering: Offering | None
    events: tuple[ConsultationEvent, ...]
    grant: bytes
    caller: str
    organisation: str
    approvals: tuple[str, ...]
    approvals_needed: int

    @property
    def closed(self) -> bool:
        """Nobody can move any more."""
        return self.state not in WAITING


def read_callers(message: consult_pb2.CallersConsultation) -> View:
    """The view of its caller; raises ANSWER_REJECTED for a state that is not known."""
    return _view(message.consultation, message.department, message.sql)


def read_officers(message: consult_pb2.Consultation) -> View:
    """The view of officers."""
    return _view(message, "", "")


def read_events(
    messages: Iterable[consult_pb2.ConsultationEvent],
) -> tuple[ConsultationEvent, ...]:
    """What happened, oldest first."""
    return tuple(
        ConsultationEvent(
            each.number, _time(each.at_ms), each.kind, each.text, each.by, each.consultation
        )
        for each in messages
    )


def _view(message: consult_pb2.Consultation, department: str, sql: str) -> View:
    from landbridge.wire import read_literal

    if message.state not in WAITING | CLOSED:
        raise error("ANSWER_REJECTED", "A consultation is in a state that is not known here.")
    call = message.matter.call
    handler = call.handler if message.matter.WhichOneof("kind") == "call" else ""
    return View(
        id=f"{department}.{message.id}" if department else message.id,
        department=department,
        state=message.state,
        turn=message.turn,
        question=message.words,
        sql=sql,
        handler=f"{department}.{handler}" if handler else "",
        arguments={name: read_literal(value)[1] for name, value in call.arguments.items()},
        purpose=message.purpose,
        basis=message.basis,
        lifts=tuple(message.lifts),
        resource=message.resource,
        role=message.role,
        opened=_time(message.opened_at_ms),
        due=_time(message.due_at_ms) if message.due_at_ms else None,
        micro_epsilon=message.offering.micro_epsilon,
        offering=_offering(message) if message.HasField("offering") else None,
        events=read_events(message.events),
        grant=message.grant.SerializeToString() if message.HasField("grant") else b"",
        caller=message.caller,
        organisation=message.organisation,
        approvals=tuple(message.approvals),
        approvals_needed=message.approvals_needed,
    )


def _offering(message: consult_pb2.Consultation) -> Offering:
    offered = message.offering
    budget: release_pb2.Budget = offered.recipient_budget
    return Offering(
        offered.method,
        offered.cells,
        tuple(offered.keys),
        {
            each.words: 1.959964 * each.standard_deviation if each.standard_deviation > 0 else None
            for each in offered.measures
        },
        offered.epsilon,
        offered.cost_micro_rho,
        budget.spent_micro_rho,
        budget.limit_micro_rho,
    )


def _time(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise error("ANSWER_REJECTED", "A consultation has a time that is none.") from None
