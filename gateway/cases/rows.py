"""Rows of the tables as values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.cases.case import Case, Change, Opened, StepRow
from policies.progress import CaseState, StepState


def case_of(row: Any, steps: Sequence[Any]) -> Case:
    """A case and its steps."""
    return Case(
        opened_of(row),
        CaseState(row.state),
        row.closed_at,
        row.sequence,
        tuple(step_of(each) for each in steps),
        row.owner,
    )


def opened_of(row: Any) -> Opened:
    """What a case was opened as."""
    return Opened(
        row.id,
        row.procedure,
        row.digest,
        row.purpose,
        row.opener,
        row.organisation,
        row.client,
        row.form_key,
        row.opened_at,
    )


def step_of(row: Any) -> StepRow:
    """A step."""
    return StepRow(
        row.step,
        StepState(row.state),
        row.code,
        tuple(row.reasons.split()),
        row.due_at,
        row.escalated_to,
    )


def change_of(row: Any) -> Change:
    """A change."""
    return Change(
        row.sequence,
        row.time,
        row.step,
        row.state,
        row.code,
        tuple(row.reasons.split()),
        row.role,
        tuple(json.loads(row.parts)) if row.parts else (),
        row.due_at,
    )
