"""What `cell_key` and `exact` do to a table's true cells. Pure: true cells in, shown numbers out.

A cell is sensitive where fewer units count in it than the owner's minimum (none at all included: to
show that nobody is there would show that somebody is not), or, for a sum, where few units hold too
much of it:

- (n, k) dominance: the n largest units hold more than k percent;
- p percent: the second largest unit could compute the largest to within p percent of it.

`cell_key` withholds sensitive cells and perturbs the others by their cell keys. `exact` withholds
sensitive cells and those that would give them away (`policies.suppression`), and rounds the others.

Source: A. Hundepool et al., Statistical Disclosure Control (2012), chapters 4 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from policies.cell_key import MULTIPLIERS
from policies.contract import Disclosure, Method
from policies.disclosure import Mechanism, ReleasePlan
from policies.question import ColumnOf, Sum
from policies.suppression import TOTAL, Coordinates, withheld

SMALLEST_RANGE: Final = 10.0
"""Percent of its largest unit that a withheld sum stays uncertain by, at least."""


@dataclass(frozen=True, slots=True)
class Part:
    """One measure in one cell: `value` in grid steps.

    `units` have rows that count for it, `rest` have rows that do not (their column is NULL);
    `largest` are the largest absolute totals of one unit, descending, `total` is the sum of all.
    """

    units: int
    value: int
    key: int
    rest: int
    total: int
    largest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrueCell:
    """A cell before protection; `units` have any row in it, `parts` are in the plan's order."""

    units: int
    parts: tuple[Part, ...]


_EMPTY: Final = Part(0, 0, 0, 0, 0, (0, 0, 0))


def largest_needed(terms: Disclosure) -> int:
    """How many of a cell's largest unit totals the rules look at."""
    return max(2, terms.dominance.n if terms.dominance else 0, len(MULTIPLIERS))


def dominated(part: Part, terms: Disclosure) -> bool:
    """Whether few units hold too much of a sum."""
    rule = terms.dominance
    if rule is not None and 100 * sum(part.largest[: rule.n]) > rule.k * part.total:
        return True
    first, second = part.largest[:2]
    return 100 * (part.total - first - second) < terms.p_percent * first


def protect(
    plan: ReleasePlan, cells: Mapping[Coordinates, TrueCell]
) -> tuple[tuple[int | None, ...], ...]:
    """For each measure its cells in the plan's order, in grid steps; None is withheld.

    `cells` are the cells that have rows, for `exact` with all margins; coordinates are indices of
    `Axis.values`, NULL after the last, `TOTAL` for a margin.
    """
    if plan.terms.method is Method.EXACT:
        return _exact(plan, cells)
    places = _places([len(axis) for axis in plan.axes])
    return tuple(
        tuple(
            _perturbed(plan, mechanism, cells[cell].parts[number] if cell in cells else None)
            for cell in places
        )
        for number, mechanism in enumerate(plan.mechanisms)
    )


def _perturbed(plan: ReleasePlan, mechanism: Mechanism, part: Part | None) -> int | None:
    """The number with the perturbation of its cell key; None where it is withheld."""
    part = _EMPTY if part is None else part
    assert mechanism.table is not None  # the method's own plan
    if _sensitive(part, mechanism, plan.terms):
        return None
    if isinstance(mechanism.measure, Sum):
        assert isinstance(mechanism.measure.of, ColumnOf)
        label = f"{plan.question.contract}.{mechanism.measure.of.column}"
        return part.value + mechanism.table.noise_of_sum(part.largest, part.key, label)
    return part.value + mechanism.table.perturbation(part.value, part.key)


def _sensitive(part: Part, mechanism: Mechanism, terms: Disclosure) -> bool:
    few = part.units < terms.minimum_units
    return few or (isinstance(mechanism.measure, Sum) and dominated(part, terms))


def _exact(
    plan: ReleasePlan, cells: Mapping[Coordinates, TrueCell]
) -> tuple[tuple[int | None, ...], ...]:
    terms = plan.terms
    shape = [len(axis) for axis in plan.axes]
    fullest = [
        max(range(length), key=lambda index: (_units(cells, _margin(axis, index, shape)), -index))
        for axis, length in enumerate(shape)
    ]
    units = {cell: found.units for cell, found in cells.items()}
    few = {
        cell: terms.minimum_units
        for cell in _cube(shape)
        if units.get(cell, 0) < terms.minimum_units
    }
    # The same for every question over these rows; what one measure needs besides comes on top.
    common = withheld(shape, units, few, fullest)
    shown = []
    for place, mechanism in enumerate(plan.mechanisms):
        parts = {cell: found.parts[place] for cell, found in cells.items()}
        extra = {
            cell: _range(part, mechanism, terms)
            for cell, part in parts.items()
            if cell not in few
            and (_sensitive(part, mechanism, terms) or 0 < part.rest < terms.minimum_units)
        }
        amounts = {cell: abs(part.value) for cell, part in parts.items()}
        hidden = withheld(shape, amounts, extra, fullest, common) if extra else common
        shown.append(
            tuple(
                None
                if cell in hidden or cell not in parts
                else _rounded(parts[cell].value, mechanism.base)
                for cell in _places(shape)
            )
        )
    return tuple(shown)


def _range(part: Part, mechanism: Mechanism, terms: Disclosure) -> int:
    """How uncertain a withheld number must stay, in its own steps."""
    if not isinstance(mechanism.measure, Sum):
        return terms.minimum_units
    if mechanism.span is not None and mechanism.span.low_units < 0:
        return 0  # any cell can be negative, so nothing bounds the attacker's range
    return max(1, math.ceil(max(terms.p_percent, SMALLEST_RANGE) / 100 * part.largest[0]))


def _rounded(value: int, base: int) -> int:
    """The nearest multiple of the base; halves go up."""
    return (2 * value + base) // (2 * base) * base


def _units(cells: Mapping[Coordinates, TrueCell], cell: Coordinates) -> int:
    return cells[cell].units if cell in cells else 0


def _margin(axis: int, index: int, shape: Sequence[int]) -> Coordinates:
    return tuple(index if place == axis else TOTAL for place in range(len(shape)))


def _places(shape: Sequence[int]) -> list[Coordinates]:
    """The cells of the answer, the last key varying fastest."""
    return list(product(*(range(length) for length in shape)))


def _cube(shape: Sequence[int]) -> list[Coordinates]:
    """The same with all margins."""
    return list(product(*((TOTAL, *range(length)) for length in shape)))
