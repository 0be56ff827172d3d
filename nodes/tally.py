"""The engine's rows in the layout of a plan: exact numbers, for the release step alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from landbridge.errors import error
from policies.disclosure import ReleasePlan
from policies.quantiles import Layout

LARGEST: Final = 2**61
"""Exact numbers saturate here, as 64 bits would with noise on top; no two tables come further apart
by it. Joined rows can be more than any table has."""

Cells = Iterable[Sequence[object]]
"""Exact cells as the engine gives them: domain indices of the keys, then one number per measure.

Of a histogram: indices of the keys, a bin, and its rows.
"""


def tally(plan: ReleasePlan, cells: Cells, histograms: Iterable[Cells] = ()) -> list[list[int]]:
    """All numbers of each measure, empty cells and empty bins too, in grid steps.

    `histograms` are those of the plan in its order, `cells` has the other measures. Raises
    RUN_FAILED when the engine's cells do not fit the plan.
    """
    indices = plan.indices()
    width = len(plan.axes)
    exact = [[0] * (plan.cells * mechanism.numbers) for mechanism in plan.mechanisms]
    plain = [
        numbers
        for numbers, mechanism in zip(exact, plan.mechanisms, strict=True)
        if mechanism.layout is None
    ]
    for row in cells:
        place = indices.get(_key(row[:width]))
        numbers = row[width:]
        if place is None or len(numbers) != len(plain):
            raise error("RUN_FAILED")
        for measure, number in zip(plain, numbers, strict=True):
            if type(number) is not int:
                raise error("RUN_FAILED")
            measure[place] = max(-LARGEST, min(LARGEST, number))
    given = iter(histograms)
    for measure, mechanism in zip(exact, plan.mechanisms, strict=True):
        if mechanism.layout is not None:
            _count(measure, mechanism.layout, indices, next(given, None))
    if next(given, None) is not None:
        raise error("RUN_FAILED")
    return exact


def _count(
    numbers: list[int],
    layout: Layout,
    indices: Mapping[tuple[int | None, ...], int],
    rows: Cells | None,
) -> None:
    """Adds the engine's rows of one histogram to the trees of its cells; raises RUN_FAILED."""
    if rows is None:
        raise error("RUN_FAILED")
    for row in rows:
        *keys, index, count = row if len(row) >= 2 else (None, None)
        place = indices.get(_key(keys))
        if place is None or type(index) is not int or type(count) is not int:
            raise error("RUN_FAILED")
        if not (0 <= index < layout.bins and count > 0):
            raise error("RUN_FAILED")
        for node in layout.places(index):
            numbers[place * layout.numbers + node] += count


def _key(values: Sequence[object]) -> tuple[int | None, ...]:
    """Domain indices; raises RUN_FAILED for anything else."""
    if all(value is None or type(value) is int for value in values):
        return tuple(value for value in values if value is None or isinstance(value, int))
    raise error("RUN_FAILED")
