"""A quantile of one cell's noisy histogram, and where it lies with 95 % probability.

At an edge between bins T = (1 - q) Left - q Right, Left and Right being the rows on both sides of
it, is not negative where the q-quantile lies below the edge and not positive where it lies above.
Both are sums of the fewest nodes of the tree, so T's standard deviation is known exactly.

The interval is what tests of T cannot exclude (inversion of a test: J. Neyman, Outline of a Theory
of Statistical Estimation, 1937). For its lower end the edges of the coarsest level are tested from
the left until the first that is not shown to lie below the quantile, then those of the next level
inside the node under that edge, and so on. On one level an end is wrong only if the first edge
above the quantile is rejected (fixed-sequence testing: W. Maurer, L. Hothorn, W. Lehmacher,
Multiple comparisons in drug clinical trials, 1995), so each level takes its share of 2.5 % for each
end. A row's worth of slack covers the definitions that a quantile has in a finite table.

The value itself is where T, made monotone inside the interval by least squares (pool adjacent
violators: M. Ayer et al., An Empirical Distribution Function for Sampling with Incomplete
Information, 1955), crosses zero, linear inside a bin.

Without noise the answer lies between order statistics, each known to half a bin.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from policies.contract import Noise
from policies.quantiles import FANOUT, Layout


@dataclass(frozen=True, slots=True)
class Located:
    """A quantile and the larger distance to the ends of its 95 % interval."""

    value: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Tree:
    """The counts of one cell; `deviation` is that of one number's noise, 0 for none."""

    layout: Layout
    numbers: Sequence[int]
    noise: Noise
    deviation: float

    def quantile(self, share: float, *, discrete: bool) -> Located | None:
        """The quantile, or None where it is lost in the noise or where there are no rows.

        `discrete` is one of the values, else what lies between two of them is interpolated.
        """
        if not self.deviation:
            return _exactly(self.layout, self.numbers, share, discrete=discrete)
        top = self.layout.levels[0]
        if sum(self.numbers[:top]) <= critical(self.noise, 1) * self.deviation * math.sqrt(top):
            return None
        bins = self.layout.bins
        scores = _Scores(self, share)
        first, last = scores.lowest(), scores.highest()
        if first > last or (bins > 1 and (first, last) == (0, bins - 1)):
            return None
        low, high = self.layout.edge(first), self.layout.edge(last + 1)
        value = min(max(scores.crossing(first, last), low), high)
        return Located(value, max(value - low, high - value))


@lru_cache(maxsize=16)
def critical(noise: Noise, tests: int) -> float:
    """Beyond how many standard deviations noise goes to one side with probability 2.5 % / tests.

    Of one Laplace draw, which is on the safe side for a sum of several.
    """
    if noise is Noise.LAPLACE:
        return math.log(20 * tests) / math.sqrt(2)
    return NormalDist().inv_cdf(1 - 0.025 / tests)


class _Scores:
    """T at the edges of one tree, for one share."""

    def __init__(self, tree: Tree, share: float) -> None:
        self._layout, self._share = tree.layout, share
        self._sums = [
            list(accumulate(level, initial=0)) for level in tree.layout.tree(tree.numbers)
        ]
        self._wide = critical(tree.noise, len(tree.layout.levels)) * tree.deviation

    def at(self, edge: int) -> tuple[float, float]:
        """T at an edge, and how far noise takes it from there."""
        left = right = below = above = 0
        for total, (first, cut, after, end) in zip(
            self._sums, _nodes(self._layout.levels, edge), strict=True
        ):
            left += total[cut] - total[first]
            right += total[end] - total[after]
            below += cut - first
            above += end - after
        q = self._share
        nodes = (1 - q) ** 2 * below + q**2 * above
        return (1 - q) * left - q * right, self._wide * math.sqrt(nodes)

    def lowest(self) -> int:
        """The first bin in which the quantile can be."""
        first, end = 0, self._layout.bins
        for span in self._layout.spans:
            for edge in range(first + span, end, span):
                score, wide = self.at(edge)
                if score >= -wide - self._share:
                    end = edge
                    break
                first = edge
        return first

    def highest(self) -> int:
        """The last bin in which it can be."""
        first, end = 0, self._layout.bins
        for span in self._layout.spans:
            last = (end - 1) // span * span  # the lower edge of the last node
            for edge in range(last, first, -span):
                score, wide = self.at(edge)
                if score <= wide + 1 - self._share:
                    first = edge
                    break
                end = edge
        return end - 1

    def crossing(self, first: int, last: int) -> float:
        """Where T, made monotone between two bins that the quantile lies between, crosses zero."""
        inner = [self.at(edge) for edge in range(first + 1, last + 1)]
        smooth = _monotone((score, 1 / (wide * wide)) for score, wide in inner)
        # It is known, or was shown, to be below zero at the one end and above at the other.
        smooth = [min(self.at(first)[0], 0.0), *smooth, max(self.at(last + 1)[0], 0.0)]
        above = next((place for place, score in enumerate(smooth) if score > 0), len(smooth) - 1)
        below = next((place for place in reversed(range(above)) if smooth[place] < 0), 0)
        layout = self._layout
        if above - below == 1:
            rise = smooth[above] - smooth[below]
            if layout.pointed or not rise:
                return layout.middle(first + below)
            low, high = layout.edge(first + below), layout.edge(first + above)
            return low - smooth[below] / rise * (high - low)
        # A stretch without rows: quantiles between two values divide it by 1 - q.
        start = layout.edge(first + below + (smooth[below] < 0))
        end = layout.edge(first + above - (smooth[above] > 0))
        return start + (1 - self._share) * (end - start)


@lru_cache(maxsize=20_000)
def _nodes(sizes: tuple[int, ...], edge: int) -> tuple[tuple[int, int, int, int], ...]:
    """The fewest nodes on both sides of an edge: whole ones, then parts of the one that it cuts.

    Per level, where those of the left side start and end, and those of the right side.
    """
    found: list[tuple[int, int, int, int]] = []
    rest = [(0, 0, 0, 0)] * len(sizes)
    first, end = 0, sizes[0]
    if edge == sizes[-1]:
        return ((0, end, end, end), *rest[1:])
    for level, size in enumerate(sizes):
        span = FANOUT ** (len(sizes) - level - 1)
        end, cut = min(end, size), edge // span
        if edge % span == 0:
            found += [(first, cut, cut, end), *rest[level + 1 :]]
            break
        found.append((first, cut, cut + 1, end))
        first, end = cut * FANOUT, (cut + 1) * FANOUT
    return tuple(found)


def _monotone(scores: Iterable[tuple[float, float]]) -> list[float]:
    """The nearest non-decreasing values to weighted ones, by least squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in scores:
        mean, mass, many = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            before, other, more = blocks.pop()
            mean = (mean * mass + before * other) / (mass + other)
            mass, many = mass + other, many + more
        blocks.append((mean, mass, many))
    return [mean for mean, _, many in blocks for _ in range(many)]


def _exactly(
    layout: Layout, numbers: Sequence[int], share: float, *, discrete: bool
) -> Located | None:
    """Between order statistics, as SQL's quantile_cont and quantile_disc define them."""
    below = list(accumulate(numbers[-layout.levels[-1] :]))
    rows = below[-1]
    if not rows:
        return None
    if discrete:
        place, part = max(math.ceil(share * rows) - 1, 0), 0.0
    else:
        place = math.floor(share * (rows - 1))
        part = share * (rows - 1) - place
    # The bin of the row at a place, counted from 0 in the order of values.
    first = bisect_right(below, place)
    second = bisect_right(below, min(place + 1, rows - 1))
    value = (1 - part) * layout.middle(first) + part * layout.middle(second)
    return Located(value, 0.0 if layout.pointed else layout.width * layout.span.step / 2)
