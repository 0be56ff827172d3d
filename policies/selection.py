"""Which undeclared values may be shown at all: stable partition selection.

A value is shown where a noisy count of the distinct units that have it reaches a threshold. One
unit votes for at most so many values, once for each. So between neighbouring tables the counts of
values that both tables hold differ like any other count, and the noise covers that; and a value
that only one table holds is held by a single unit, so that it is shown only if 1 + noise reaches
the threshold. The threshold is so high that this happens to any of the unit's values with a
probability of at most delta. Together: delta-approximate zCDP (or, with Laplace noise, (epsilon,
delta)-DP).

Sources: A. Korolova, K. Kenthapadi, N. Mishra, A. Ntoulas, Releasing Search Queries and Clicks
Privately (2009); D. Desfontaines, J. Voss, B. Gipson, C. Mandayam, Differentially Private Partition
Selection (2022), which also bounds how many values one unit votes for; M. Bun, T. Steinke,
Concentrated Differential Privacy (2016), section 8: approximate zCDP, whose deltas add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from policies.contract import Noise

VALUES_PER_UNIT: Final = 16
"""Most values that one unit votes for: those of its rows with the lowest ranks. More votes would
make rare values of busy units count, and raise the noise and the threshold for all."""
MAXIMUM_FOUND: Final = 10_000
"""Most different values of a column, checked at load, so that no question fails later."""
SMALLEST_DELTA: Final = 1e-100
"""Of a contract whose values are found: far enough from where floats end to compute tails."""

_ROUNDING: Final = 1 + 1e-9
"""More than the relative error of all float operations in a tail; it is added to be safe."""


@lru_cache(maxsize=1_024)
def threshold(noise: Noise, scale: float, votes: int, delta: float) -> int:
    """The smallest noisy count that lets a value through.

    The smallest whole number t for which `votes` values of a single unit pass with a probability of
    at most `delta`: 1 - (1 - P[1 + X >= t])^votes <= delta, X being the discrete noise.
    """
    if not delta > SMALLEST_DELTA**2:
        raise ValueError("such a delta cannot be accounted for in floats")

    def enough(distance: int) -> bool:
        alone = min(1.0, upper_tail(noise, scale, distance) * _ROUNDING)
        if alone == 1.0:
            return False
        return -math.expm1(votes * math.log1p(-alone)) * _ROUNDING <= delta

    low, high = 0, 1  # noise of 0 or more is never rare enough
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return 1 + high


def upper_tail(noise: Noise, scale: float, distance: int) -> float:
    """P[X >= distance], for a distance of at least 1; for the Gaussian a bound just above it.

    Discrete Laplace (Ghosh, Roughgarden, Sundararajan 2009): P[X = k] is in proportion to a^|k|,
    where a = exp(-1/scale), so the tail is a^k / (1 + a), exactly.

    Discrete Gaussian (Canonne, Kamath, Steinke 2020): P[X = k] is in proportion to g(k) = exp(-k^2
    / (2 scale^2)). The sum of g from k on is at most g(k) and the integral from k on, since g falls
    there; the sum of g over all whole numbers is at least its term at 0, and at least sqrt(2 pi)
    scale, by Poisson's summation formula.
    """
    if noise is Noise.LAPLACE:
        return math.exp(-distance / scale) / (1 + math.exp(-1 / scale))
    z = distance / scale
    beyond = scale * math.sqrt(math.pi / 2) * math.erfc(z / math.sqrt(2))
    return (math.exp(-z * z / 2) + beyond) / max(1.0, math.sqrt(2 * math.pi) * scale)


def room(maximum_cells: int, rest: int, *, nullable: bool) -> int:
    """How many values fit beside the `rest` cells that the other keys make for each of them."""
    return min(MAXIMUM_FOUND, maximum_cells // rest - nullable)


def passing(values: Sequence[str], noisy: Sequence[int], least: int, room: int) -> tuple[str, ...]:
    """The values whose noisy count is at least `least`, as text sorts them; at most `room` of them.

    Where there are more, those with the largest noisy counts: the counts that passed are covered by
    the accounting as well, so choosing among them is post-processing.
    """
    passed = [(-count, value) for value, count in zip(values, noisy, strict=True) if count >= least]
    return tuple(sorted(value for _, value in sorted(passed)[:room]))
