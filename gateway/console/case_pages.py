"""Cases: overdue ones first, each with a timeline per step. Names of steps and codes, no values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gateway.cases.case import Case, Change
from gateway.cases.store import Store
from gateway.console.page import Looking, Page
from landbridge.errors import error
from policies.procedure import Procedure
from policies.progress import CaseState, StepState

MOST: Final = 200


class CasePages:
    """The pages. `procedures` gives every declared procedure, by name."""

    def __init__(self, store: Store, procedures: Callable[[], Mapping[str, Procedure]]) -> None:
        self._store = store
        self._procedures = procedures

    def list(self, looking: Looking) -> Page:
        """The newest cases that the visitor may see, those with an overdue step first."""
        looking.roles.require(looking.roles.looks)
        known = self._procedures()
        cases = [
            _listed(case, known.get(case.opened.procedure), looking.now)
            for case in self._store.recent(MOST)
            if _seen(case, known, looking.roles.sees)
        ]
        cases.sort(key=lambda each: (not each["overdue"], each["closed"], -each["opened_at"]))
        return Page("cases.html", {"cases": cases, "most": MOST}, "cases")

    def show(self, looking: Looking) -> Page:
        """One case, step by step."""
        looking.roles.require(looking.roles.looks)
        known = self._procedures()
        case = self._store.find(looking.place["id"])
        if case is None or not _seen(case, known, looking.roles.sees):
            raise error("INVALID_ARGUMENT", "There is no such case.")
        procedure = known.get(case.opened.procedure)
        changes = self._store.changes(case.opened.id)
        steps = [step for step in case.steps if _of(step.step, procedure, looking.roles.sees)]
        return Page(
            "case.html",
            {
                "case": _listed(case, procedure, looking.now),
                "steps": [
                    _step(row, procedure, changes, looking.now)
                    for row in sorted(steps, key=lambda each: _place(each.step, procedure))
                ],
                "whole": [_change(each) for each in changes if not each.step],
            },
            f"cases/{case.opened.id}",
        )


def _listed(case: Case, procedure: Procedure | None, now: float) -> dict[str, Any]:
    late = [row.step for row in case.steps if _late(row.state, row.due_at, now)]
    return {
        "id": case.opened.id,
        "procedure": case.opened.procedure,
        "title": procedure.title if procedure else case.opened.procedure,
        "organisation": case.opened.organisation,
        "purpose": case.opened.purpose,
        "state": case.state.value,
        "closed": case.state is not CaseState.OPEN,
        "opened_at": case.opened.opened_at,
        "opened": _moment(case.opened.opened_at),
        "ended": _moment(case.closed_at),
        "overdue": bool(late) and case.state is CaseState.OPEN,
        "late": late,
        "waiting": [row.step for row in case.steps if row.state is StepState.ASKED],
    }


def _step(
    row: Any, procedure: Procedure | None, changes: Sequence[Change], now: float
) -> dict[str, Any]:
    declared = _declared(row.step, procedure)
    return {
        "name": row.step,
        "title": declared.title if declared else row.step,
        "handler": declared.handler if declared else "",
        "state": row.state.value,
        "code": row.code,
        "reasons": row.reasons,
        "due": _moment(row.due_at),
        "late": _late(row.state, row.due_at, now),
        "escalated": row.escalated_to,
        "changes": [_change(each) for each in changes if each.step == row.step],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "time": _moment(change.time),
        "state": change.state,
        "code": change.code,
        "reasons": change.reasons,
        "role": change.role,
        "due": _moment(change.due_at),
    }


def _late(state: StepState, due: float | None, now: float) -> bool:
    return state is StepState.ASKED and due is not None and due <= now


def _seen(case: Case, known: Mapping[str, Procedure], sees: frozenset[str] | None) -> bool:
    procedure = known.get(case.opened.procedure)
    return sees is None or any(_of(row.step, procedure, sees) for row in case.steps)


def _of(step: str, procedure: Procedure | None, sees: frozenset[str] | None) -> bool:
    """Whether the step is of a department that may be seen; of an unknown procedure, of none."""
    declared = _declared(step, procedure)
    return sees is None or (declared is not None and declared.department in sees)


def _declared(step: str, procedure: Procedure | None) -> Any:
    steps = () if procedure is None else procedure.steps
    return next((each for each in steps if each.name == step), None)


def _place(step: str, procedure: Procedure | None) -> int:
    steps = [] if procedure is None else [each.name for each in procedure.steps]
    return steps.index(step) if step in steps else len(steps)


def _moment(seconds: float | None) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds else ""
