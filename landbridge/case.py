"""Cases as values, and the exchanges with which they are opened and followed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from landbridge.errors import error
from landbridge.exchange import Exchange
from landbridge.receipt import Receipt
from landbridge.v1 import case_pb2

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
WAIT: Final = 10.0
"""Seconds that one look for changes waits at the gateway."""


@dataclass(frozen=True, slots=True)
class CaseStep:
    """A step of a case.

    `state` is waiting, asked, passed, failed, deemed_passed, deemed_failed, skipped, denied or
    cancelled; `reasons` are declared codes; `due_at` is when its silence is taken for something.
    """

    name: str
    title: str
    department: str
    state: str
    code: str
    reasons: tuple[str, ...]
    due_at: datetime | None
    escalated_to: str


@dataclass(frozen=True, slots=True)
class CaseChange:
    """Something that happened: to a step, or to the case as a whole where `step` is empty."""

    sequence: int
    time: datetime | None
    step: str
    state: str
    code: str
    reasons: tuple[str, ...]
    role: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as it stood: `state` is open, approved, refused or cancelled."""

    id: str
    procedure: str
    title: str
    state: str
    opened_at: datetime | None
    closed_at: datetime | None
    steps: tuple[CaseStep, ...]
    sequence: int
    receipt: Receipt | None = None

    @property
    def open(self) -> bool:
        """Whether it is not decided yet."""
        return self.state == "open"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason that any step gave."""
        return tuple(dict.fromkeys(each for step in self.steps for each in step.reasons))


@dataclass(frozen=True, slots=True)
class Followed:
    """What changed, and the case after it."""

    changes: tuple[CaseChange, ...]
    view: CaseView


def describe(procedure: str) -> Exchange[case_pb2.DescribeProcedureResponse]:
    """What a form of the procedure holds."""
    request = case_pb2.DescribeProcedureRequest(procedure=_name(procedure))
    return Exchange("DescribeProcedure", request, lambda reply: reply, "Cases")


def typed(
    described: case_pb2.DescribeProcedureResponse, texts: Mapping[str, str]
) -> dict[str, int | str]:
    """Texts in the types of the form's fields, where they are spelt as such."""
    kinds = {field.name: field.type for field in described.fields}
    return {
        name: int(text) if kinds.get(name) == "integer" and _WHOLE.fullmatch(text) else text
        for name, text in texts.items()
    }


def opening(request: case_pb2.OpenRequest) -> Exchange[CaseView]:
    """Opens the case; the same request again is the same case."""
    return Exchange("Open", request, _opened, "Cases")


def show(case_id: str) -> Exchange[CaseView]:
    """The case as it stands."""
    request = case_pb2.ShowRequest(case_id=_name(case_id))
    return Exchange("Show", request, lambda reply: _view(reply.case), "Cases")


def history(case_id: str) -> Exchange[tuple[CaseChange, ...]]:
    """Everything that happened so far."""
    request = case_pb2.ShowRequest(case_id=_name(case_id))
    return Exchange("Show", request, lambda reply: _changes(reply.changes), "Cases")


def follow(
    case_id: str, after: int, seconds: float, *, until_closed: bool = False
) -> Exchange[Followed]:
    """What changed after that change; waits for something to change, or for the case's end."""
    request = case_pb2.CasesFollowRequest(
        case_id=_name(case_id),
        after=after,
        wait_ms=max(0, round(1000 * min(seconds, WAIT))),
        until_closed=until_closed,
    )
    return Exchange(
        "Follow",
        request,
        lambda reply: Followed(_changes(reply.changes), _view(reply.case)),
        "Cases",
    )


def listing(
    procedure: str, state: str, after: str, most: int, *, overdue: bool
) -> Exchange[tuple[CaseView, ...]]:
    """The cases that this caller may see."""
    request = case_pb2.ListRequest(
        procedure=procedure, state=state, overdue=overdue, after=after, most=most
    )
    return Exchange("List", request, lambda reply: tuple(map(_view, reply.cases)), "Cases")


def cancel(case_id: str) -> Exchange[CaseView]:
    """Ends the case."""
    request = case_pb2.CancelRequest(case_id=_name(case_id))
    return Exchange("Cancel", request, lambda reply: _view(reply.case), "Cases")


def _opened(reply: case_pb2.OpenResponse) -> CaseView:
    view = _view(reply.case)
    receipt = reply.receipt
    return CaseView(
        view.id,
        view.procedure,
        view.title,
        view.state,
        view.opened_at,
        view.closed_at,
        view.steps,
        view.sequence,
        Receipt(receipt.entry, receipt.proof, receipt.answer_salt),
    )


def _view(case: case_pb2.CaseState) -> CaseView:
    return CaseView(
        case.case_id,
        case.procedure,
        case.title,
        case.state,
        _time(case.opened_at),
        _time(case.closed_at),
        tuple(
            CaseStep(
                step.step,
                step.title,
                step.department,
                step.state,
                step.code,
                tuple(step.reasons),
                _time(step.due_at),
                step.escalated_to,
            )
            for step in case.steps
        ),
        case.sequence,
    )


def _changes(changes: Iterable[case_pb2.CaseChange]) -> tuple[CaseChange, ...]:
    return tuple(
        CaseChange(
            each.sequence,
            _time(each.time),
            each.step,
            each.state,
            each.code,
            tuple(each.reasons),
            each.role,
        )
        for each in changes
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise error("ANSWER_REJECTED", "The gateway sent a time that is none.") from None


def _name(text: str) -> str:
    if not isinstance(text, str) or not text or len(text) > 64 or not text.isascii():
        raise error("INVALID_ARGUMENT", "A procedure or a case is named by a short text.")
    return text
