"""What `cell_key` and `exact` do to a table's true cells. Pure: true cells in, shown numbers out.

A cell is sensitive where fewer units count in it than the owner's minimum (none at all included: to
show that nobody is there would show that somebody is not), or, for a sum, where few units hold too
much of it:

- (n, k) dominance: the n largest units hold more than k percent;
- p percent: the second largest unit could compute the largest to within p percent of it.

`cell_key` withholds sensitive cells and perturbs the others by their cell keys. `exact` looks at
the contract's one table with all its margins, whatever was asked, withholds sensitive cells and
those that would give them away (`policies.suppression`), rounds the others, and shows the level
that was asked: so whoever asks for whatever levels sees cells of one table, withheld once.

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
from policies.question import ColumnOf, Count, Sum
from policies.suppression import TOTAL, UNBOUNDED, Coordinates, Room, withheld

SMALLEST_RANGE: Final = 10.0
"""Percent of its largest unit that a withheld sum stays uncertain by, at least."""


@dataclass(frozen=True, slots=True)
class Part:
    """One measure in one cell: `value` in grid steps.

    `units` have rows that count for it, `rest` have rows that do not (their column is NULL);
    `largest` are the largest absolute totals of one unit, descending, `total` is the sum of all;
    `rows` have a value.
    """

    units: int
    value: int
    key: int
    rest: int
    total: int
    rows: int
    largest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrueCell:
    """A cell before protection; `units` have any row in it, `parts` are in the plan's order."""

    units: int
    parts: tuple[Part, ...]


_EMPTY: Final = Part(0, 0, 0, 0, 0, 0, (0, 0, 0))


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

    `cells` are the cells that have rows, for `exact` those of `ReleasePlan.table` with all margins;
    coordinates are indices of `Axis.values`, NULL after the last, `TOTAL` for a margin.
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
    asked = _asked(plan)
    return tuple(tuple(shown.get(cell) for cell in asked) for shown in whole_table(plan, cells))


def whole_table(
    plan: ReleasePlan, cells: Mapping[Coordinates, TrueCell]
) -> tuple[dict[Coordinates, int], ...]:
    """For each measure every cell of the table and its margins that anybody can be shown."""
    terms = plan.terms
    # What the filter excludes by its words is empty for everybody to see, and no cell at all.
    shape = [len(through) for through in plan.passing]
    places = [{at: place for place, at in enumerate(through)} for through in plan.passing]
    at = {
        tuple(
            TOTAL if own == TOTAL else known[own] for own, known in zip(cell, places, strict=True)
        ): found
        for cell, found in cells.items()
    }
    leaves = list(product(*map(range, shape)))
    few = frozenset(
        cell for cell in _cube(shape) if cell not in at or at[cell].units < terms.minimum_units
    )
    # The same whatever is measured: persons, and rows, of which there are no fewer. What a measure
    # needs besides comes on top.
    common = withheld(
        shape,
        {leaf: Room(at[leaf].units if leaf in at else 0, UNBOUNDED) for leaf in leaves},
        dict.fromkeys(few, terms.minimum_units),
    )
    tables = []
    for number, mechanism in enumerate(plan.mechanisms):
        parts = {cell: found.parts[number] for cell, found in at.items()}
        hidden = common
        if _of_column(mechanism):
            needs = {
                cell: _range(parts.get(cell, _EMPTY), mechanism, terms)
                for cell in _cube(shape)
                if cell in few or _telling(parts[cell], mechanism, terms)
            }
            room = {
                leaf: _room(parts.get(leaf, _EMPTY), mechanism, terms, leaf in few)
                for leaf in leaves
            }
            hidden = withheld(shape, room, needs, common)
        tables.append(
            {
                tuple(
                    TOTAL if own == TOTAL else through[own]
                    for own, through in zip(cell, plan.passing, strict=True)
                ): _rounded(part.value, mechanism.base)
                for cell, part in parts.items()
                if cell not in hidden
            }
        )
    return tuple(tables)


def _of_column(mechanism: Mechanism) -> bool:
    """Whether it measures a column, and not just who is there."""
    measure = mechanism.measure
    return isinstance(measure, Sum) or (isinstance(measure, Count) and measure.of is not None)


def _telling(part: Part, mechanism: Mechanism, terms: Disclosure) -> bool:
    """Whether a cell with enough units is sensitive: few have a value, or few have none."""
    return _sensitive(part, mechanism, terms) or 0 < part.rest < terms.minimum_units


def _room(part: Part, mechanism: Mechanism, terms: Disclosure, few: bool) -> Room:  # noqa: FBT001
    """What the contract's bounds leave of a finest cell to one who knows how many rows it has.

    Where few units are in it he does not, and it could be as many as the minimum.
    """
    if not isinstance(mechanism.measure, Sum):
        return Room(part.value, UNBOUNDED if few else part.rest)
    assert mechanism.span is not None  # the method's own plan
    low, high = mechanism.span.low_units, mechanism.span.high_units
    most = max(part.rows, terms.minimum_units) if few else part.rows
    return Room(
        max(0, part.value - min(low * part.rows, low * most)),
        max(0, max(high * part.rows, high * most) - part.value),
    )


def _range(part: Part, mechanism: Mechanism, terms: Disclosure) -> int:
    """How uncertain a withheld number must stay, in its own steps."""
    if not isinstance(mechanism.measure, Sum):
        return terms.minimum_units
    return max(1, math.ceil(max(terms.p_percent, SMALLEST_RANGE) / 100 * part.largest[0]))


def _asked(plan: ReleasePlan) -> list[Coordinates]:
    """The cells of the answer as cells of the table, in the answer's order."""
    asked = {axis.key.column: place for place, axis in enumerate(plan.axes)}
    return [
        tuple(
            TOTAL if axis.key.column not in asked else place[asked[axis.key.column]]
            for axis in plan.table
        )
        for place in _places([len(axis) for axis in plan.axes])
    ]


def _rounded(value: int, base: int) -> int:
    """The nearest multiple of the base; halves go up."""
    return (2 * value + base) // (2 * base) * base


def _places(shape: Sequence[int]) -> list[Coordinates]:
    """The cells of the answer, the last key varying fastest."""
    return list(product(*(range(length) for length in shape)))


def _cube(shape: Sequence[int]) -> list[Coordinates]:
    """The same with all margins."""
    return list(product(*((TOTAL, *range(length)) for length in shape)))
