"""From cells of reports to estimates of what was true, after release: step (11), post-processing.

Where a grouping column was randomised at its source, the released cells count reports. Of the cells
c_v along that column, with T their sum, (c_v - q T) / (p - q) estimates without bias what the cell
of the true value holds (`landbridge.submission.randomised`). It is linear, so it is the same for
sums and for totals of many departments, and the noise of the release goes through it.

The randomisation is an error of its own. Of what one row adds to an estimate the mean square is
known; how many rows there are is read off the released count, at the upper end of its noise. So its
half-width is an estimate too, as a quantile's is, and one for enough rows that a sum of them is
near normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.combine import GAUSSIAN, Combined
from landbridge.submission.randomised import Response
from policies.disclosure import ReleasePlan
from policies.question import Count, Sum


def unbiased(plan: ReleasePlan, combined: Sequence[Combined]) -> tuple[Combined, ...]:
    """The same measures with `estimates` and `sampled`, where anything was randomised."""
    if not is_randomised(plan):
        return tuple(combined)
    along = _along(plan)
    rows = next(part for part in combined if part.mechanism.measure == Count())
    if along is None:
        return tuple(_of_numbers(part, rows) for part in combined)
    return tuple(_of_categories(part, rows, along) for part in combined)


def is_randomised(plan: ReleasePlan) -> bool:
    """Whether the released cells are of reports."""
    return _along(plan) is not None or any(mechanism.spread for mechanism in plan.mechanisms)


@dataclass(frozen=True, slots=True)
class _Along:
    """The randomised axis: how far two neighbours on it are apart in the list of cells."""

    response: Response
    stride: int

    def line(self, cell: int) -> list[int]:
        """All cells that differ from this one on the axis alone, itself included."""
        categories = self.response.categories
        place = cell // self.stride % categories
        first = cell - place * self.stride
        return [first + at * self.stride for at in range(categories)]

    def inverted(self, units: Sequence[int]) -> list[float]:
        """The estimates."""
        swap, gain = self.response.swap, self.response.gain
        return [
            (each - swap * sum(units[at] for at in self.line(cell))) / gain
            for cell, each in enumerate(units)
        ]

    @property
    def widening(self) -> float:
        """What the inversion does to the standard deviation of independent noise in the cells."""
        swap = self.response.swap
        return (
            math.sqrt((1 - swap) ** 2 + (self.response.categories - 1) * swap**2)
            / self.response.gain
        )


def _along(plan: ReleasePlan) -> _Along | None:
    for place, axis in enumerate(plan.axes):
        if axis.randomised is not None:
            return _Along(
                axis.randomised, math.prod(len(after) for after in plan.axes[place + 1 :])
            )
    return None


def _of_numbers(part: Combined, rows: Combined) -> Combined:
    """A sum of reports is unbiased as it was released; only the error is more."""
    if not part.mechanism.spread:
        return part
    return replace(
        part,
        sampled=tuple(
            _half_width(part.mechanism.spread * _most(units, rows.deviation), part)
            for units in rows.units
        ),
    )


def _of_categories(part: Combined, rows: Combined, along: _Along) -> Combined:
    response = along.response
    counts = isinstance(part.mechanism.measure, Count)
    counted = part if counts else rows
    there = along.inverted(counted.units)
    noise = counted.deviation * along.widening
    own, other = response.squared(own=True), response.squared(own=False)
    square = 1.0
    if isinstance(part.mechanism.measure, Sum):
        assert part.mechanism.span is not None  # every sum has one
        centre = part.mechanism.centre_units
        span = part.mechanism.span
        square = float(max(abs(span.low_units - centre), abs(span.high_units - centre)) ** 2)
    sampled = []
    for cell in range(len(part.units)):
        line = [counted.units[at] for at in along.line(cell)]
        all_ = _most(sum(line), counted.deviation * math.sqrt(len(line)))
        here = min(all_, _most(there[cell], noise))
        # Of a row that is here a count adds 1 on average, which is no error.
        variance = here * (own - counts) + (all_ - here) * other
        sampled.append(_half_width(square * variance, part))
    return replace(
        part,
        deviation=part.deviation * along.widening,
        estimates=tuple(along.inverted(part.units)),
        sampled=tuple(sampled),
    )


def _most(units: float, deviation: float) -> float:
    """How many rows there are at the most, in 95 of 100 cases; one at least."""
    return max(1.0, units + GAUSSIAN * deviation)


def _half_width(variance: float, part: Combined) -> float:
    return GAUSSIAN * math.sqrt(variance) * part.mechanism.step
