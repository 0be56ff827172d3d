"""The release: the one place where an answer comes into being. Step (9) of a question's life.

`Released` can be constructed by `release` alone; the wire conversion accepts nothing else, so
exact cells have no way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from landbridge.errors import error
from policies.disclosure import Mechanism, ReleasePlan
from policies.noise import Draw

_SEAL: Final = object()

Cells = Iterable[Sequence[object]]
"""Exact cells as the engine gives them: domain indices of the keys, then one number per measure."""


@dataclass(frozen=True, slots=True)
class ReleasedMeasure:
    """One measure over all cells, in whole grid steps, noise included."""

    mechanism: Mechanism
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """What may leave the department."""

    plan: ReleasePlan
    measures: tuple[ReleasedMeasure, ...]
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.release.release makes a Released")


def release(plan: ReleasePlan, cells: Cells, draw: Draw) -> Released:
    """Every cell of the declared domains with its noise, empty cells too.

    Raises RUN_FAILED when the engine's cells do not fit the plan.
    """
    indices = plan.indices()
    width = len(plan.axes)
    exact = [[0] * plan.cells for _ in plan.mechanisms]
    for row in cells:
        place = indices.get(_key(row[:width]))
        numbers = row[width:]
        if place is None or len(numbers) != len(exact):
            raise error("RUN_FAILED")
        for measure, number in zip(exact, numbers, strict=True):
            if type(number) is not int:
                raise error("RUN_FAILED")
            measure[place] = number
    measures = tuple(
        ReleasedMeasure(mechanism, tuple(draw(values, mechanism)))
        for mechanism, values in zip(plan.mechanisms, exact, strict=True)
    )
    return Released(plan, measures, _SEAL)


def _key(values: Sequence[object]) -> tuple[int | None, ...]:
    """Domain indices; raises RUN_FAILED for anything else."""
    if all(value is None or type(value) is int for value in values):
        return tuple(value for value in values if value is None or isinstance(value, int))
    raise error("RUN_FAILED")
