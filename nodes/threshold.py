"""The release of a standing question: in which cells its condition holds. Step (9) of its life.

A `Crossed` is all that leaves of an evaluation, and only `compare` makes one. By `dp` it holds
places and no number; see `policies.watch` for what that costs and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from nodes.release import release
from nodes.tally import Cells, tally
from policies.noise import Draw
from policies.watch import Sparse, WatchPlan

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Run:
    """Where a watch by `dp` is: how many runs have begun, and the noisy threshold of the last one.

    `bar` is None where no run is open. It is the owner's secret: with it, silence would be an
    answer about each number.
    """

    begun: int = 0
    bar: int | None = field(default=None, repr=False)

    def over(self, runs: int) -> bool:
        """Whether no run is open and none of so many is left."""
        return self.bar is None and self.begun >= runs


@dataclass(frozen=True, slots=True)
class Crossed:
    """The cells in which the condition holds, by place; each with its released number, or None."""

    cells: tuple[tuple[int, float | None], ...]
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.threshold.compare makes a Crossed")


def compare(
    plan: WatchPlan, cells: Cells, run: Run, resting: Collection[int], draw: Draw
) -> tuple[Crossed, Run]:
    """One evaluation, and where the watch is after it.

    `resting` are the places that nothing is said of now; which they are follows from what was told
    before, so leaving them out costs nothing. Raises RUN_FAILED when the engine's cells do not fit.
    """
    if plan.sparse is not None:
        (exact,) = tally(plan.release, cells)
        watched = [place for place in range(len(exact)) if place not in resting]
        found, after = _above(plan, plan.sparse, exact, watched, run, draw)
        return Crossed(tuple((place, None) for place in found), _SEAL), after
    released = release(plan.release, cells, draw)
    assert plan.condition is not None  # what has none is a trend
    sign = plan.condition.sign
    (measure,) = released.measures
    step = measure.mechanism.step
    told = tuple(
        (place, units * step)
        for place, units in enumerate(measure.units)
        if place not in resting and place not in measure.withheld and sign * units >= plan.least
    )
    return Crossed(told, _SEAL), run


def _above(
    plan: WatchPlan,
    sparse: Sparse,
    exact: list[int],
    watched: Iterable[int],
    run: Run,
    draw: Draw,
) -> tuple[list[int], Run]:
    """AboveThreshold, run after run, over the watched cells in their order."""
    begun, bar = run.begun, run.bar
    found: list[int] = []
    places = list(watched)
    # Each number gets noise of its own in every evaluation, also one that is compared again.
    assert plan.condition is not None  # a run compares
    noisy = draw([plan.condition.sign * exact[place] for place in places], sparse.compared)
    for place, number in zip(places, noisy, strict=True):
        if bar is None:
            if begun >= sparse.runs:
                break
            (bar,) = draw([plan.least], sparse.threshold)
            begun += 1
        if number >= bar:
            found.append(place)
            bar = None  # a threshold that has told once is never used again
    return found, Run(begun, bar)
