"""What a caller should know beside the numbers. From contracts and plans, never from data."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import link_notes
from gateway.days import spoken
from gateway.planning import Plan
from gateway.presentation import Key, compared_of
from gateway.scalar import quantiles_of
from policies.contract import Contract, Method, Type
from policies.disclosure import ReleasePlan
from policies.estimable import randomised_columns
from policies.pooling import PoolingPlan
from policies.question import Histogram, Sum, measured


@dataclass(frozen=True, slots=True)
class Note:
    """`kind` is a stable lower-case word, `text` a sentence."""

    kind: str
    text: str


def tabular_notes(plan: Plan) -> list[Note]:
    """What `cell_key` and `exact` mean for this question."""
    terms, unit = plan.contract.disclosure, plan.contract.unit or ""
    found = []
    if terms.cell_key is not None:
        found.append(
            Note(
                "noise",
                "Every number is perturbed by its cell key: the same records give the same number "
                "whoever asks; half-widths hold with 95 % probability.",
            )
        )
        found.append(
            Note("additivity", "Numbers are perturbed one by one, so tables need not add up.")
        )
        if any(
            mechanism.table and not mechanism.standard_deviation
            for mechanism in plan.release.mechanisms
        ):
            found.append(
                Note(
                    "noise",
                    "Sums are perturbed by a share of their largest contributions, so their "
                    "half-widths would tell about data and are left out.",
                )
            )
    elif terms.rounding > 1:
        found.append(
            Note(
                "rounding",
                f"Numbers are rounded to multiples of {terms.rounding}, so tables need not add up.",
            )
        )
    else:
        found.append(Note("exact", "Numbers that are told are exact."))
    if terms.minimum_units:
        found.append(
            Note(
                "withheld",
                f"Cells with fewer than {terms.minimum_units} {unit} are NULL"
                + (
                    ", and so are cells that would give them away."
                    if terms.method is Method.EXACT
                    else "."
                ),
            )
        )
    if terms.dominance or terms.p_percent:
        found.append(Note("withheld", f"Sums in which few {unit} hold too much are NULL."))
    if plan.contract.by_name[unit].nullable:
        found.append(Note("left_out", f"Rows without a {unit} are in no answer."))
    found += [Note("clipping", text) for text in _clamped(plan)]
    if len(plan.departments) > 1:
        found.append(
            Note(
                "plan",
                f"Put to {len(plan.departments)} departments and added up; a cell that one of them "
                "withholds is NULL.",
            )
        )
    return found


def plan_notes(plan: Plan) -> list[Note]:
    """What the terms of the contract mean for this question."""
    terms = plan.contract.disclosure
    if plan.link is not None:
        linked = [Note(kind, text) for kind, text in link_notes.notes(plan.link)]
        return [*linked, *(Note("clipping", text) for text in _clamped(plan)), *_ordered(plan)]
    if terms.method is Method.UNPROTECTED:
        exact = f"Contract {plan.contract.id} protects nobody: numbers are exact."
        return [Note("exact", exact), *_ordered(plan)]
    if terms.tabular:
        return tabular_notes(plan)
    unit = plan.contract.unit or ""
    found = [
        Note(
            "noise",
            f"Every number carries {terms.noise} noise; half-widths hold with 95 % probability.",
        ),
        Note("clipping", _rows(plan.contract)),
    ]
    if plan.contract.parts:
        names = " and ".join(part.id for part in plan.contract.parts)
        found.append(Note("join", f"Charged in full to the budgets of {names}."))
    if terms.units_span > 1:
        shares = (
            "so the noise hides its parts at all of them."
            if plan.way.pooling
            else "so each gives out a share of what the epsilon allows."
        )
        found.append(
            Note("noise", f"One {unit} can be in {terms.units_span} departments, {shares}")
        )
    if plan.contract.by_name[unit].nullable:
        found.append(Note("left_out", f"Rows without a {unit} are in no answer."))
    found += selection_notes(plan.release, unit)
    found += [Note("clipping", text) for text in _clamped(plan)]
    found += _randomised(plan)
    found += _ordered(plan)
    if plan.way.pooling is not None:
        found.append(_pooled(plan.way.pooling))
    elif plan.way.grouped:
        found.append(Note("plan", "Every department's part has noise of its own."))
    elif len(plan.departments) > 1:
        found.append(
            Note(
                "plan",
                f"Put to {len(plan.departments)} departments and added up: one noise draw each.",
            )
        )
    return found


def _randomised(plan: Plan) -> list[Note]:
    """What is estimated from reports."""
    notes = []
    for name in sorted(randomised_columns(plan.question, plan.contract)):
        how = plan.contract.by_name[name].randomised
        assert how is not None
        notes.append(
            Note(
                "randomised",
                f"{name} was randomised before it was handed in, each report by epsilon "
                f"{how.epsilon:g}. Numbers about it are unbiased estimates of the true ones, can "
                "lie outside what is possible, and their half-widths hold that error too.",
            )
        )
    return notes


def _pooled(pooling: PoolingPlan) -> Note:
    """What is known of the noise, and by whom."""
    return Note(
        "plan",
        f"Pooled over {pooling.members} departments: every one adds a share of the noise, of which "
        f"those of {pooling.honest} are enough for the epsilon, and masks what it sends. Totals "
        "are rounded to the measure's step.",
    )


def selection_notes(release: ReleasePlan, unit: str) -> list[Note]:
    """What it means that a key's values are found in the data, before and after they are."""
    rule = release.selection
    if rule is None:
        return []
    (axis,) = (axis for axis in release.axes if axis.found)
    name = axis.key.column
    found = [
        Note(
            "selection",
            f"Values of {name} are shown where a noisy number of {unit} that have them reaches "
            f"{rule.threshold}; one {unit} counts for at most {rule.votes} values. Rows with other "
            "values are in no cell.",
        )
    ]
    if release.open:
        found.append(
            Note(
                "selection",
                f"How many cells there will be is not known beforehand: at most {rule.room} values "
                f"of {name}.",
            )
        )
    elif len(axis.values) == rule.room:
        found.append(
            Note(
                "selection",
                f"There is room for {rule.room} values of {name} only: those with the largest "
                "noisy numbers are shown, and there may be more.",
            )
        )
    return found


def day_notes(plan: Plan) -> list[Note]:
    """Of which day the data are, where anybody said so."""
    return [Note("as_of", f"Data as of {spoken(plan.as_of)}.")] if plan.as_of else []


def answer_notes(
    plan: Plan,
    missing: tuple[str, ...],
    untold: int,
    *,
    withheld: int = 0,
    remembered: bool,
    rounds: int = 1,
) -> list[Note]:
    """The plan's notes and what happened."""
    found = [*plan_notes(plan), *day_notes(plan)]
    if rounds > 1:
        found.insert(
            0,
            Note(
                "missing",
                f"{rounds} rounds were asked, each without those who were silent in the one "
                "before, and each was charged.",
            ),
        )
    if missing:
        found.insert(0, Note("missing", f"No answer came from {', '.join(missing)}."))
    if untold:
        found.append(
            Note(
                "untold",
                f"{untold} numbers are lost in the noise, mostly for want of rows, and are NULL.",
            )
        )
    if withheld:
        found.append(Note("suppressed", f"{withheld} cells have a number that is withheld."))
    if remembered:
        found.append(Note("remembered", "Answered before: the same numbers, free of charge."))
    return found


def _rows(contract: Contract) -> str:
    bounds = [str(part.disclosure.rows_per_unit) for part in contract.each]
    rows = f"{' x '.join(bounds)} joined rows" if contract.parts else f"{bounds[0]} rows"
    return f"At most {rows} of one {contract.unit} count."


def _ordered(plan: Plan) -> list[Note]:
    """What quantiles are, where the question has any."""
    shown = plan.presentation
    scalars = [output.source for output in shown.outputs if not isinstance(output.source, Key)]
    found = [each for s in (*scalars, *compared_of(shown.having)) for each in quantiles_of(s)]
    notes = []
    extremes = {name for each in found if each.extreme for name in measured(each.measure)}
    for name in sorted(extremes):
        share = 100 * (plan.contract.by_name[name].extremes or 0.0)
        notes.append(
            Note(
                "quantiles",
                f"min and max of {name} are told as its {share:g} % and {100 - share:g} % "
                "quantiles.",
            )
        )
    if found and plan.contract.disclosure.method is Method.UNPROTECTED:
        notes.append(Note("quantiles", "Quantiles are exact to the half of a bin."))
    elif found:
        together = len({each.measure for each in found})
        notes.append(
            Note(
                "quantiles",
                f"Quantiles are read off {together} released histograms; further quantiles of the "
                "same expressions cost nothing more.",
            )
        )
    return notes


def _clamped(plan: Plan) -> list[str]:
    return [
        f"Values of {name} are clamped to {_span(plan.contract, name)} before they are aggregated."
        for name in sorted(_summed(plan))
    ]


def _summed(plan: Plan) -> set[str]:
    """Columns of sums and histograms that are clipped to less than what the data can hold."""
    return {
        name
        for measure in plan.question.measures
        if isinstance(measure, Sum | Histogram)
        for name in measured(measure)
        if plan.contract.by_name[name].clip != plan.contract.by_name[name].bounds
    }


def _span(contract: Contract, name: str) -> str:
    column = contract.by_name[name]
    assert column.clip is not None
    shown = "d" if column.type is Type.INTEGER else "g"
    low, high = (int(end) if shown == "d" else end for end in (column.clip.low, column.clip.high))
    return f"[{low:{shown}}, {high:{shown}}]"
