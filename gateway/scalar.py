"""Arithmetic on released numbers, after release: ratios, spreads, correlations.

Every measure in here carries noise that is independent of the others', so the error of a result
follows by its derivatives (the delta method, W. G. Cochran, Sampling Techniques, 1977, 6.4): with
half-widths w_i of the measures, the result's is the square root of the sum of (df/dm_i w_i)^2.
First order only: where a divisor is lost in its own noise there is no result.

Quantiles of one histogram share its noise: their |df/dq| w are added up, which holds however they
depend on each other (standard deviations are subadditive), and the sum counts as one measure's.
So is what randomisation at the source does to all measures of one answer, which are of the same
rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from gateway.combine import Combined
from gateway.quantile import Tree
from policies.question import Histogram, Measure


class Sign(StrEnum):
    """Arithmetic between released numbers."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"


@dataclass(frozen=True, slots=True)
class Number:
    """One measure as it was released."""

    measure: Measure


@dataclass(frozen=True, slots=True)
class Fixed:
    """A literal."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Combination:
    """Two numbers and a sign; NULL where either is, or where the divisor is lost in noise."""

    sign: Sign
    left: Scalar
    right: Scalar


@dataclass(frozen=True, slots=True)
class Root:
    """The square root; NULL of what noise made negative."""

    of: Scalar


@dataclass(frozen=True, slots=True)
class Within:
    """A number that is known to lie in an interval, and is put back into it."""

    of: Scalar
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value that a share of a histogram's rows does not exceed, from 0 to 1.

    `discrete` as SQL's quantile_disc; `extreme` where it was asked for as min or max.
    """

    measure: Histogram
    share: float
    discrete: bool = False
    extreme: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What randomisation at the source does to a measure."""

    measure: Measure


Scalar = Number | Fixed | Combination | Root | Within | Quantile


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value (None: it cannot be told), and its derivative by each source of an error.

    `spans` are the 95 % half-widths of those that are no measure's noise.
    """

    value: int | float | None
    slopes: Mapping[Measure | Quantile | Drawn, float]
    spans: Mapping[Quantile | Drawn, float] = field(default_factory=dict)

    def half_width(self, widths: Mapping[Measure, float | None]) -> float | None:
        """95 % half-width, from those of the measures; None where one of them is not known."""
        if self.value is None:
            return None
        parts: dict[Measure, float] = {}
        drawn = 0.0
        for source, slope in self.slopes.items():
            if isinstance(source, Drawn):
                drawn += abs(slope) * self.spans[source]
            elif isinstance(source, Quantile):
                histogram = source.measure
                parts[histogram] = parts.get(histogram, 0.0) + abs(slope) * self.spans[source]
            elif slope:
                width = widths[source]
                if width is None:
                    return None
                parts[source] = slope * width
        return math.hypot(drawn, *parts.values())


NOTHING = Estimate(None, {})


def measures_of(scalar: Scalar) -> tuple[Measure, ...]:
    """The measures that a number needs, left to right, each once."""
    match scalar:
        case Number(measure) | Quantile(measure):
            return (measure,)
        case Fixed():
            return ()
        case Combination(_, left, right):
            return tuple(dict.fromkeys((*measures_of(left), *measures_of(right))))
        case Root(of) | Within(of):
            return measures_of(of)
        case _:
            assert_never(scalar)


def quantiles_of(scalar: Scalar) -> Iterator[Quantile]:
    """The quantiles in a number, left to right."""
    match scalar:
        case Quantile():
            yield scalar
        case Number() | Fixed():
            return
        case Combination(_, left, right):
            yield from quantiles_of(left)
            yield from quantiles_of(right)
        case Root(of) | Within(of):
            yield from quantiles_of(of)
        case _:
            assert_never(scalar)


def size(scalar: Scalar) -> int:
    """How many steps computing it takes in one cell, apart from the bins of quantiles."""
    match scalar:
        case Number() | Fixed() | Quantile():
            return 1
        case Combination(_, left, right):
            return 1 + size(left) + size(right)
        case Root(of) | Within(of):
            return 1 + size(of)
        case _:
            assert_never(scalar)


def is_whole(scalar: Scalar, steps: Mapping[Measure, float]) -> bool:
    """Whether the number is a whole one whatever was released; `steps` are the measures' grids."""
    match scalar:
        case Number(measure):
            return steps[measure] == 1.0
        case Fixed(value):
            return isinstance(value, int)
        case Combination(sign, left, right):
            both = is_whole(left, steps) and is_whole(right, steps)
            return both and sign is not Sign.DIVIDE
        case Root() | Within() | Quantile():
            return False
        case _:
            assert_never(scalar)


def estimate(
    scalar: Scalar,
    released: Mapping[Measure, Combined],
    widths: Mapping[Measure, float | None],
    cell: int,
) -> Estimate:
    """The number in one cell; `widths` are the measures' 95 % half-widths."""
    match scalar:
        case Number(measure):
            return _released(measure, released, cell)
        case Quantile(measure, share, discrete):
            found = _tree(released[measure], cell).quantile(share, discrete=discrete)
            if found is None:
                return NOTHING
            return Estimate(found.value, {scalar: 1.0}, {scalar: found.half_width})
        case Fixed(value):
            return Estimate(value, {})
        case Combination(sign, left, right):
            first = estimate(left, released, widths, cell)
            second = estimate(right, released, widths, cell)
            if first.value is None or second.value is None:
                return NOTHING
            if sign is Sign.DIVIDE and abs(second.value) <= (second.half_width(widths) or 0.0):
                return NOTHING
            try:
                return _combined(sign, first, second)
            except ArithmeticError:  # too large or too small for a number
                return NOTHING
        case Root(of):
            inner = estimate(of, released, widths, cell)
            if inner.value is None or inner.value < 0:
                return NOTHING
            if not inner.value:
                # Without noise it is 0; with noise the root's error has no first order here.
                return Estimate(0.0, {}) if not inner.half_width(widths) else NOTHING
            root = math.sqrt(inner.value)
            slopes = {m: s / (2 * root) for m, s in inner.slopes.items()}
            return Estimate(root, slopes, inner.spans)
        case Within(of, low, high):
            inner = estimate(of, released, widths, cell)
            if inner.value is None:
                return NOTHING
            return Estimate(min(max(inner.value, low), high), inner.slopes, inner.spans)
        case _:
            assert_never(scalar)


def _released(measure: Measure, released: Mapping[Measure, Combined], cell: int) -> Estimate:
    part = released[measure]
    if cell in part.withheld:
        return NOTHING
    step, centre = part.mechanism.step, part.mechanism.centre_units
    units = _units(part, cell)
    slopes: dict[Measure | Quantile | Drawn, float] = {measure: 1.0}
    spans: dict[Quantile | Drawn, float] = {}
    if part.sampled is not None:
        slopes[Drawn(measure)], spans[Drawn(measure)] = 1.0, part.sampled[cell]
    counted = part.mechanism.counted
    if counted is not None:
        # The sum was taken from the centre of the range; the counted rows put it back.
        if cell in released[counted].withheld:
            return NOTHING
        rows = released[counted]
        units += centre * _units(rows, cell)
        slopes[counted] = centre * step
        if rows.sampled is not None:
            slopes[Drawn(counted)], spans[Drawn(counted)] = centre * step, rows.sampled[cell]
    return Estimate(units if step == 1.0 else units * step, slopes, spans)


def _units(part: Combined, cell: int) -> int | float:
    return part.units[cell] if part.estimates is None else part.estimates[cell]


def _tree(part: Combined, cell: int) -> Tree:
    layout = part.mechanism.layout
    assert layout is not None  # a histogram has one
    numbers = part.units[cell * layout.numbers : (cell + 1) * layout.numbers]
    return Tree(layout, numbers, part.mechanism.noise, part.deviation)


def _combined(sign: Sign, first: Estimate, second: Estimate) -> Estimate:
    a, b = first.value, second.value
    assert a is not None
    assert b is not None
    match sign:
        case Sign.ADD:
            value, by_a, by_b = a + b, 1.0, 1.0
        case Sign.SUBTRACT:
            value, by_a, by_b = a - b, 1.0, -1.0
        case Sign.MULTIPLY:
            value, by_a, by_b = a * b, float(b), float(a)
        case Sign.DIVIDE:
            value, by_a, by_b = a / b, 1 / b, -(a / b) / b
        case _:
            assert_never(sign)
    slopes = {measure: by_a * slope for measure, slope in first.slopes.items()}
    for source, slope in second.slopes.items():
        slopes[source] = slopes.get(source, 0.0) + by_b * slope
    if not (math.isfinite(value) and all(map(math.isfinite, slopes.values()))):
        return NOTHING
    if isinstance(value, int) and abs(value) >= 2**63:
        return NOTHING
    return Estimate(value, slopes, {**first.spans, **second.spans})
