"""What a change brings with it: steps that are asked now, that never will be, and the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.cases.case import Case, Change
from policies.procedure import Procedure
from policies.progress import CaseState, StepState, next_changes


def unfolded(procedure: Procedure, case: Case, first: Sequence[Change], now: float) -> list[Change]:
    """`first` and everything that follows from it at once, numbered on from the case's last."""
    states = case.states()
    for each in first:
        if each.step and each.state in {state.value for state in StepState}:
            states[each.step] = StepState(each.state)
    changes = list(first)
    closing = {each.state for each in first if not each.step} & {"cancelled"}
    if not closing:
        follows = next_changes(procedure, states)
        changes += [Change(0, now, name, StepState.SKIPPED.value) for name in follows.skip]
        changes += [
            Change(
                0,
                now,
                name,
                StepState.ASKED.value,
                due_at=now + procedure.step(name).deadline,
            )
            for name in follows.ask
        ]
        if follows.decided is not None and case.state is CaseState.OPEN:
            changes.append(Change(0, now, "", follows.decided.value))
    return [
        replace(each, sequence=number)
        for number, each in enumerate(changes, start=case.sequence + 1)
    ]
