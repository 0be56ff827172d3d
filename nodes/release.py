"""The release: the one place where an answer comes into being. Step (9) of a question's life.

`Released` can be constructed by `release` alone; the wire conversion accepts nothing else, so
exact cells have no way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from landbridge.errors import error
from nodes.selection import Selected
from nodes.tally import Cells, tally
from policies.contract import Method
from policies.disclosure import Axis, Mechanism, ReleasePlan
from policies.noise import Draw
from policies.protection import Part, TrueCell, largest_needed, protect
from policies.suppression import TOTAL, Coordinates

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class ReleasedMeasure:
    """One measure over all cells, in whole grid steps, noise included.

    One number per cell; a histogram has cell by cell the numbers of its tree.

    `withheld` are the places of cells that are not told; they stand as 0 in `units`.
    """

    mechanism: Mechanism
    units: tuple[int, ...]
    withheld: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Released:
    """What may leave the department; `suppressed` cells have a number that is withheld."""

    plan: ReleasePlan
    measures: tuple[ReleasedMeasure, ...]
    suppressed: int
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.release.release makes a Released")


def release(
    chosen: ReleasePlan | Selected, cells: Cells, draw: Draw, histograms: Iterable[Cells] = ()
) -> Released:
    """Every cell of the plan's axes with its noise, empty cells and empty bins too.

    `histograms` are those of the plan in its order, `cells` has the other measures. Where a key's
    values are found in the data, nothing but what was selected makes a release. By `cell_key` and
    `exact`, what `policies.protection` makes of them instead. Raises RUN_FAILED when the engine's
    cells do not fit the plan.
    """
    if isinstance(chosen, Selected):
        plan, cells = chosen.plan, _placed(chosen, cells)
        histograms = [_placed(chosen, rows) for rows in histograms]
    elif chosen.selection is not None:
        raise TypeError("a key's values have to be selected first")
    else:
        plan = chosen
    if plan.terms.tabular:
        return _protected(plan, cells)
    exact = tally(plan, cells, histograms)
    measures = tuple(
        ReleasedMeasure(mechanism, tuple(draw(values, mechanism)))
        for mechanism, values in zip(plan.mechanisms, exact, strict=True)
    )
    return Released(plan, measures, 0, _SEAL)


def _placed(selected: Selected, cells: Cells) -> Iterator[Sequence[object]]:
    """The rows with the place of a selected value instead of its code; raises RUN_FAILED."""
    places: dict[object, int | None] = {
        code: place for place, code in enumerate(selected.codes)
    } | {None: None}
    for row in cells:
        code = row[selected.place]
        if code not in places:
            raise error("RUN_FAILED")
        yield [*row[: selected.place], places[code], *row[selected.place + 1 :]]


def _protected(plan: ReleasePlan, cells: Cells) -> Released:
    shown = protect(plan, _true_cells(plan, cells))
    measures = tuple(
        ReleasedMeasure(
            mechanism,
            tuple(number or 0 for number in numbers),
            tuple(place for place, number in enumerate(numbers) if number is None),
        )
        for mechanism, numbers in zip(plan.mechanisms, shown, strict=True)
    )
    suppressed = len({place for measure in measures for place in measure.withheld})
    return Released(plan, measures, suppressed, _SEAL)


def _true_cells(plan: ReleasePlan, cells: Cells) -> dict[Coordinates, TrueCell]:
    """The engine's rows as `nodes.compile.Statement` describes them; raises RUN_FAILED."""
    exact = plan.terms.method is Method.EXACT
    axes, most = plan.table if exact else plan.axes, largest_needed(plan.terms)
    margins = exact and bool(axes)
    width = 6 + most
    found: dict[Coordinates, TrueCell] = {}
    for row in cells:
        numbers = [number for number in row[len(axes) :] if type(number) is int]
        level = numbers.pop(0) if margins and numbers else 0
        if len(row) != len(axes) + margins + 1 + width * len(plan.mechanisms) or (
            len(numbers) != 1 + width * len(plan.mechanisms)
        ):
            raise error("RUN_FAILED")
        cell = tuple(
            TOTAL if level >> (len(axes) - 1 - place) & 1 else _index(axis, key)
            for place, (axis, key) in enumerate(zip(axes, row, strict=False))
        )
        outside = any(
            place != TOTAL and place not in through
            for place, through in zip(cell, plan.passing, strict=exact)
        )
        if cell in found or outside:
            raise error("RUN_FAILED")
        parts = (numbers[first : first + width] for first in range(1, len(numbers), width))
        found[cell] = TrueCell(
            numbers[0],
            tuple(
                Part(part[0], part[1], part[2], part[3], part[4], part[5], tuple(part[6:]))
                for part in parts
            ),
        )
    return found


def _index(axis: Axis, key: object) -> int:
    """The key's place on its axis, NULL after the values; raises RUN_FAILED."""
    if key is None and axis.null_last:
        return len(axis.values)
    if type(key) is int and 0 <= key < len(axis.values):
        return key
    raise error("RUN_FAILED")
