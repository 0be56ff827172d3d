"""What a caller should know beside the numbers. From contracts and plans, never from data."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.planning import Plan
from policies.contract import Contract, Method, Type
from policies.question import Sum, measured


@dataclass(frozen=True, slots=True)
class Note:
    """`kind` is a stable lower-case word, `text` a sentence."""

    kind: str
    text: str


def plan_notes(plan: Plan) -> list[Note]:
    """What the terms of the contract mean for this question."""
    terms = plan.contract.disclosure
    if terms.method is Method.UNPROTECTED:
        return [Note("exact", f"Contract {plan.contract.id} protects nobody: numbers are exact.")]
    unit = plan.contract.unit or ""
    found = [
        Note(
            "noise",
            f"Every number carries {terms.noise} noise; half-widths hold with 95 % probability.",
        ),
        Note("clipping", f"At most {terms.rows_per_unit} rows of one {unit} count."),
    ]
    if terms.units_span > 1:
        found.append(
            Note(
                "noise",
                f"One {unit} can be in {terms.units_span} departments, so each gives out a share "
                "of what the epsilon allows.",
            )
        )
    if plan.contract.by_name[unit].nullable:
        found.append(Note("left_out", f"Rows without a {unit} are in no answer."))
    found += [Note("clipping", text) for text in _clamped(plan)]
    if len(plan.departments) > 1:
        found.append(
            Note(
                "plan",
                f"Put to {len(plan.departments)} departments and added up: one noise draw each.",
            )
        )
    return found


def answer_notes(
    plan: Plan, missing: tuple[str, ...], untold: int, *, remembered: bool
) -> list[Note]:
    """The plan's notes and what happened."""
    found = plan_notes(plan)
    if missing:
        found.insert(0, Note("missing", f"No answer came from {', '.join(missing)}."))
    if untold:
        found.append(
            Note(
                "untold",
                f"{untold} numbers are lost in the noise, mostly for want of rows, and are NULL.",
            )
        )
    if remembered:
        found.append(Note("remembered", "Answered before: the same numbers, free of charge."))
    return found


def _clamped(plan: Plan) -> list[str]:
    return [
        f"Values of {name} are clamped to {_span(plan.contract, name)} before they are aggregated."
        for name in sorted(_summed(plan))
    ]


def _summed(plan: Plan) -> set[str]:
    """Columns of sums whose clip interval is narrower than what the data can hold."""
    return {
        name
        for measure in plan.question.measures
        if isinstance(measure, Sum)
        for name in measured(measure)
        if plan.contract.by_name[name].clip != plan.contract.by_name[name].bounds
    }


def _span(contract: Contract, name: str) -> str:
    column = contract.by_name[name]
    assert column.clip is not None
    shown = "d" if column.type is Type.INTEGER else "g"
    low, high = (int(end) if shown == "d" else end for end in (column.clip.low, column.clip.high))
    return f"[{low:{shown}}, {high:{shown}}]"
