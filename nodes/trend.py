"""The release of a trend: the running total, noise included. Step (9) of its life.

A `Told` is all that leaves of an evaluation, and only `advance` makes one; `policies.trend` says
what it costs. `Sums` is the state in between: exact partial sums that are still needed for longer
ones, and the noisy ones of which totals are put together. It is the owner's, as the data are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from landbridge.errors import error
from nodes.release import release
from nodes.tally import Cells, tally
from policies.noise import Draw
from policies.trend import Tree
from policies.watch import WatchPlan

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Sums:
    """After `evaluations` of them; cells in the plan's order, in grid steps.

    `last` are the exact totals of then, `exact` and `noisy` the partial sums by their level: over
    2^level evaluations, empty where none of that length is in use.
    """

    evaluations: int = 0
    last: tuple[int, ...] = field(default=(), repr=False)
    exact: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    noisy: tuple[tuple[int, ...], ...] = field(default=(), repr=False)

    def to_text(self) -> str:
        """As it is kept."""
        return json.dumps([self.evaluations, self.last, self.exact, self.noisy])

    @classmethod
    def from_text(cls, text: str) -> Sums:
        """What was kept."""
        evaluations, last, exact, noisy = json.loads(text)
        return cls(evaluations, tuple(last), tuple(map(tuple, exact)), tuple(map(tuple, noisy)))


@dataclass(frozen=True, slots=True)
class Told:
    """The number of each cell that has one, by place."""

    cells: tuple[tuple[int, float], ...]
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.trend.advance makes a Told")


def advance(plan: WatchPlan, cells: Cells, before: Sums, draw: Draw) -> tuple[Told, Sums]:
    """One evaluation, and the state behind it. Raises RUN_FAILED for cells that do not fit.

    Without a budget it is the number that a question would release.
    """
    if plan.tree is None:
        (measure,) = release(plan.release, cells, draw).measures
        step = measure.mechanism.step
        shown = tuple(
            (place, units * step)
            for place, units in enumerate(measure.units)
            if place not in measure.withheld
        )
        return Told(shown, _SEAL), Sums(before.evaluations + 1)
    (totals,) = tally(plan.release, cells)
    numbers, after = _told(plan.tree, totals, before, draw)
    step = plan.tree.partial.step
    return Told(tuple((place, each * step) for place, each in enumerate(numbers)), _SEAL), after


def _told(tree: Tree, totals: list[int], before: Sums, draw: Draw) -> tuple[list[int], Sums]:
    """Algorithm 2 of Chan, Shi and Song, in every cell at once."""
    if before.evaluations >= tree.numbers or (before.last and len(before.last) != len(totals)):
        raise error("RUN_FAILED")
    evaluations = before.evaluations + 1
    level = (evaluations & -evaluations).bit_length() - 1
    last = before.last or (0,) * len(totals)
    exact = [*before.exact, *[()] * (tree.levels - len(before.exact))]
    noisy = [*before.noisy, *[()] * (tree.levels - len(before.noisy))]
    whole = [now - then for now, then in zip(totals, last, strict=True)]
    for shorter in range(level):
        whole = [sum(pair) for pair in zip(whole, exact[shorter], strict=True)]
        exact[shorter], noisy[shorter] = (), ()
    exact[level], noisy[level] = tuple(whole), tuple(draw(whole, tree.partial))
    numbers = [0] * len(totals)
    for at in range(tree.levels):
        if evaluations >> at & 1:
            numbers = [sum(pair) for pair in zip(numbers, noisy[at], strict=True)]
    return numbers, Sums(evaluations, tuple(totals), tuple(exact), tuple(noisy))
