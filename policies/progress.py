"""How a case goes on: from what its steps are to what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.procedure import Procedure, Silence


class StepState(StrEnum):
    """What has become of a step."""

    WAITING = "waiting"
    ASKED = "asked"
    PASSED = "passed"
    FAILED = "failed"
    DEEMED_PASSED = "deemed_passed"
    DEEMED_FAILED = "deemed_failed"
    SKIPPED = "skipped"
    DENIED = "denied"
    CANCELLED = "cancelled"


class CaseState(StrEnum):
    """What has become of a case."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"


UNDER_WAY: Final = frozenset({StepState.WAITING, StepState.ASKED})
GOOD: Final = frozenset({StepState.PASSED, StepState.DEEMED_PASSED})


@dataclass(frozen=True, slots=True)
class Next:
    """Steps to ask now, steps that never will be, and the decision where there is one."""

    ask: tuple[str, ...]
    skip: tuple[str, ...]
    decided: CaseState | None


def next_changes(procedure: Procedure, states: Mapping[str, StepState]) -> Next:
    """What follows from these states; nothing does twice."""
    now = dict(states)
    skip = []
    while True:
        hopeless = [
            step.name
            for step in procedure.steps
            if now[step.name] is StepState.WAITING
            and any(now[each] not in UNDER_WAY | GOOD for each in step.after)
        ]
        # What is handed over by nobody cannot be received, however the silence is taken.
        hopeless += [
            step.name
            for step in procedure.steps
            if step.name not in hopeless
            and now[step.name] is StepState.WAITING
            and any(now[source] is StepState.DEEMED_PASSED for source, _ in step.receives.values())
        ]
        if not hopeless:
            break
        skip += hopeless
        now |= dict.fromkeys(hopeless, StepState.SKIPPED)
    ask = tuple(
        step.name
        for step in procedure.steps
        if now[step.name] is StepState.WAITING and all(now[each] in GOOD for each in step.after)
    )
    return Next(ask, tuple(skip), _decided(procedure, now))


def silent(procedure: Procedure, step: str) -> StepState | None:
    """What an overdue step is deemed to be; None where it is escalated and asked on."""
    match procedure.step(step).silence:
        case Silence.APPROVE:
            return StepState.DEEMED_PASSED
        case Silence.REFUSE:
            return StepState.DEEMED_FAILED
        case Silence.ESCALATE:
            return None


def _decided(procedure: Procedure, states: Mapping[str, StepState]) -> CaseState | None:
    """Only when no step is under way: the applicant hears every reason at once."""
    if any(state in UNDER_WAY for state in states.values()):
        return None
    good = sum(state in GOOD for state in states.values())
    return CaseState.APPROVED if good >= procedure.needed else CaseState.REFUSED
