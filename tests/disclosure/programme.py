"""An attacker with a linear programme: what the numbers that are shown leave of one that is not.

Variables are the finest cells of the contract's table, which the attacker knows to be not negative
and, for sums, inside what the contract's bounds allow. Every number shown in any table over the
same rows is an equation, or an interval where it was rounded. Solved by HiGHS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import highspy
import numpy as np

from policies.suppression import TOTAL, Coordinates

INFINITE = highspy.kHighsInf


def cube_of(shape: Sequence[int]) -> list[Coordinates]:
    """Every cell of a table and of all its margins."""
    return list(product(*((TOTAL, *range(length)) for length in shape)))


def within(cell: Coordinates, leaf: Coordinates) -> bool:
    """Whether a cell or margin sums that finest cell."""
    return all(place in (TOTAL, own) for place, own in zip(cell, leaf, strict=True))


class Programme:
    """Cells of one or several measures with what is known of them, and intervals that follow."""

    def __init__(self, shape: Sequence[int], measures: int = 1) -> None:
        self.leaves = list(product(*map(range, shape)))
        self.columns = len(self.leaves) * measures
        self.low = [0.0] * self.columns
        self.high = [INFINITE] * self.columns
        self.rows: list[tuple[float, float, list[int], list[float]]] = []
        self.solver: highspy.Highs | None = None

    def cells(self, cell: Coordinates, measure: int = 0) -> list[int]:
        """The variables that a cell of a measure sums."""
        first = measure * len(self.leaves)
        return [first + place for place, leaf in enumerate(self.leaves) if within(cell, leaf)]

    def knows(self, cell: Coordinates, low: float, high: float, measure: int = 0) -> None:
        """A number was shown, true or rounded."""
        of = self.cells(cell, measure)
        if len(of) == 1:
            self.low[of[0]] = max(self.low[of[0]], low)
            self.high[of[0]] = min(self.high[of[0]], high)
        else:
            self.rows.append((low, high, of, [1.0] * len(of)))

    def bounds(self, low: float, high: float, *, of: int, by: int) -> None:
        """In each finest cell measure `of` is between `low` and `high` times measure `by`."""
        size = len(self.leaves)
        for place in range(size):
            pair = [of * size + place, by * size + place]
            self.rows.append((0.0, INFINITE, pair, [1.0, -float(low)]))
            self.rows.append((-INFINITE, 0.0, pair, [1.0, -float(high)]))

    def interval(self, cell: Coordinates, measure: int = 0) -> tuple[float, float]:
        """The smallest and the largest number that a cell can be."""
        solver = self._solver()
        of = np.array(self.cells(cell, measure), dtype=np.int32)
        everything = np.arange(self.columns, dtype=np.int32)
        cost = np.zeros(self.columns)
        cost[of] = 1.0
        solver.changeColsCost(self.columns, everything, cost)
        ends = []
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            solver.changeObjectiveSense(sense)
            solver.run()
            status = solver.getModelStatus()
            if status == highspy.HighsModelStatus.kOptimal:
                ends.append(solver.getObjectiveValue())
            elif status in (
                highspy.HighsModelStatus.kUnbounded,
                highspy.HighsModelStatus.kUnboundedOrInfeasible,
            ):
                ends.append(INFINITE if sense == highspy.ObjSense.kMaximize else -INFINITE)
            else:
                raise AssertionError(f"what is shown fits no table: {status}")
        return ends[0], ends[1]

    def width(self, cell: Coordinates, measure: int = 0) -> float:
        """How uncertain a cell is."""
        low, high = self.interval(cell, measure)
        return high - low

    def _solver(self) -> highspy.Highs:
        if self.solver is None:
            solver = highspy.Highs()  # type: ignore[no-untyped-call]
            solver.silent()
            solver.setOptionValue("threads", 1)
            # Without it an unbounded programme can be reported as "unbounded or infeasible".
            solver.setOptionValue("presolve", "off")
            for low, high in zip(self.low, self.high, strict=True):
                solver.addVar(low, high)
            for low, high, of, weights in self.rows:
                solver.addRow(low, high, len(of), np.array(of, np.int32), np.array(weights))
            self.solver = solver
        return self.solver


def programme(shape: Sequence[int], shown: Mapping[Coordinates, tuple[float, float]]) -> Programme:
    """The attacker of one measure that is a count."""
    found = Programme(shape)
    for cell, (low, high) in shown.items():
        found.knows(cell, low, high)
    return found
