"""From combined cells to the rows that a caller sees. Pure post-processing of released numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import assert_never

from gateway.combine import Combined
from gateway.presentation import Both, Either, Having, Holds, Key, Neither, Ordering, Presentation
from gateway.scalar import Scalar, estimate, measures_of
from gateway.unbiased import unbiased
from policies.contract import Value
from policies.disclosure import ReleasePlan
from policies.question import Measure, Relation

_RELATIONS: Mapping[Relation, Callable[[float, float], bool]] = {
    Relation.EQUAL: operator.eq,
    Relation.NOT_EQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.LESS_OR_EQUAL: operator.le,
    Relation.GREATER: operator.gt,
    Relation.GREATER_OR_EQUAL: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value (None: NULL) and its 95 % half-width (None: a key, or it cannot be told)."""

    value: Value | None
    half_width: float | None = None


Row = tuple[Cell, ...]


def rows(
    plan: ReleasePlan, presentation: Presentation, combined: Sequence[Combined]
) -> tuple[list[Row], int]:
    """The rows in the caller's order, and how many numbers were lost in their noise."""
    numbers = _Numbers(unbiased(plan, combined))
    keys = product(*([*axis.values, *([None] if axis.null_last else [])] for axis in plan.axes))
    places = {axis.key: place for place, axis in enumerate(plan.axes)}
    untold = 0
    found: list[Row] = []
    for cell, combination in enumerate(keys):
        if presentation.having is not None and not numbers.holds(presentation.having, cell):
            continue
        row = []
        for output in presentation.outputs:
            if isinstance(output.source, Key):
                row.append(Cell(combination[places[output.source.key]]))
            else:
                row.append(numbers.cell(output.source, cell))
                untold += row[-1].value is None and not numbers.withholds(output.source, cell)
        found.append(tuple(row))
    for ordering in reversed(presentation.order):
        _sort(found, ordering)
    return found[: presentation.limit], untold


def half_width(part: Combined) -> float | None:
    """95 % half-width of one cell, in the measure's own unit, on its grid; None: not known.

    The smallest whole number of steps that holds at least 95 % of the discrete noise.
    """
    if part.factor is None:
        return None
    if not part.deviation:
        return 0.0
    if part.estimates is not None:  # on no grid
        return part.factor * part.deviation * part.mechanism.step
    return max(1, math.ceil(part.factor * part.deviation - 0.5)) * part.mechanism.step


class _Numbers:
    """The released measures, and what follows from them cell by cell."""

    def __init__(self, combined: Sequence[Combined]) -> None:
        self._released: dict[Measure, Combined] = {p.mechanism.measure: p for p in combined}
        self._widths = {measure: half_width(p) for measure, p in self._released.items()}

    def cell(self, scalar: Scalar, cell: int) -> Cell:
        found = estimate(scalar, self._released, self._widths, cell)
        return Cell(found.value, found.half_width(self._widths))

    def withholds(self, scalar: Scalar, cell: int) -> bool:
        """Whether the department kept a number back that the result would need."""
        return any(cell in self._released[measure].withheld for measure in measures_of(scalar))

    def holds(self, having: Having, cell: int) -> bool:
        """TRUE, in SQL's three-valued logic."""
        return self._truth(having, cell) is True

    def _truth(self, having: Having, cell: int) -> bool | None:
        match having:
            case Holds(left, relation, literal):
                value = estimate(left, self._released, self._widths, cell).value
                return None if value is None else _RELATIONS[relation](value, literal)
            case Both(left, right):
                parts = (self._truth(left, cell), self._truth(right, cell))
                return False if False in parts else None if None in parts else True
            case Either(left, right):
                parts = (self._truth(left, cell), self._truth(right, cell))
                return True if True in parts else None if None in parts else False
            case Neither(of):
                inner = self._truth(of, cell)
                return None if inner is None else not inner
            case _:
                assert_never(having)


def _sort(found: list[Row], ordering: Ordering) -> None:
    present = [row for row in found if row[ordering.output].value is not None]
    absent = [row for row in found if row[ordering.output].value is None]

    def value(row: Row) -> Value:
        cell = row[ordering.output].value
        assert cell is not None  # taken out above
        return cell

    present.sort(key=value, reverse=ordering.descending)
    found[:] = absent + present if ordering.nulls_first else present + absent
