"""From combined cells to the rows that a caller sees. Pure post-processing of released numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from gateway.combine import Combined
from gateway.presentation import Key, Mean, Number, Ordering, Presentation
from policies.contract import Value
from policies.disclosure import ReleasePlan
from policies.question import Measure


@dataclass(frozen=True, slots=True)
class Cell:
    """A value (None: NULL) and its 95 % half-width (None: a key, or it cannot be told)."""

    value: Value | None
    half_width: float | None = None


Row = tuple[Cell, ...]


def rows(
    plan: ReleasePlan, presentation: Presentation, combined: Sequence[Combined]
) -> tuple[list[Row], int]:
    """The rows in the caller's order, and how many means there were too few rows to tell."""
    numbers = {part.mechanism.measure: part for part in combined}
    keys = product(*([*axis.values, *([None] if axis.null_last else [])] for axis in plan.axes))
    places = {axis.column: place for place, axis in enumerate(plan.axes)}
    untold = 0
    found: list[Row] = []
    for cell, combination in enumerate(keys):
        row = []
        for output in presentation.outputs:
            match output.source:
                case Key(column):
                    row.append(Cell(combination[places[column]]))
                case Number(measure):
                    row.append(_number(numbers, measure, cell))
                case Mean(total, count):
                    row.append(_mean(numbers[total], numbers[count], cell))
                    known = not {cell} & (numbers[total].withheld | numbers[count].withheld)
                    untold += known and row[-1].value is None
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
    return max(1, math.ceil(part.factor * part.deviation - 0.5)) * part.mechanism.step


def _number(numbers: dict[Measure, Combined], measure: Measure, cell: int) -> Cell:
    part = numbers[measure]
    if cell in part.withheld:
        return Cell(None)
    step, centre = part.mechanism.step, part.mechanism.centre_units
    units, width = part.units[cell], half_width(part)
    if part.mechanism.counted is not None:
        # The sum was taken from the centre of the range; the counted rows put it back.
        count = numbers[part.mechanism.counted]
        units += centre * count.units[cell]
        width = math.hypot(width or 0.0, centre * step * (half_width(count) or 0.0))
    return Cell(units if step == 1.0 else units * step, width)


def _mean(total: Combined, count: Combined, cell: int) -> Cell:
    """A ratio of two noisy numbers, with the error of first order (delta method).

    Too few rows for the noise give NULL: the ratio would be noise.
    """
    if cell in total.withheld or cell in count.withheld:
        return Cell(None)
    rows_counted, width = count.units[cell], half_width(count) or 0.0
    if rows_counted <= max(width, 0):
        return Cell(None)
    step = total.mechanism.step
    centre = total.mechanism.centre_units * step
    above = total.units[cell] * step / rows_counted
    of_total = half_width(total)
    if of_total is None:
        return Cell(centre + above)
    return Cell(centre + above, math.hypot(of_total, above * width) / rows_counted)


def _sort(found: list[Row], ordering: Ordering) -> None:
    present = [row for row in found if row[ordering.output].value is not None]
    absent = [row for row in found if row[ordering.output].value is None]

    def value(row: Row) -> Value:
        cell = row[ordering.output].value
        assert cell is not None
        return cell

    present.sort(key=value, reverse=ordering.descending)
    found[:] = absent + present if ordering.nulls_first else present + absent
