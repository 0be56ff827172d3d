"""From counted errors of an attacker to what the mechanism certainly loses.

An attacker who says "D'" tells two neighbouring tables apart with a false positive rate a and a
false negative rate b. Every promise bounds (a, b) from below, so measured errors bound the loss:

- (epsilon, delta)-DP: a + e^epsilon b >= 1 - delta and the other way round (Kairouz, Oh, Viswanath
  2015), used as by Jagielski, Ullman, Oprea (2020);
- mu-GDP: b >= Phi(Phi^-1(1 - a) - mu) (Dong, Roth, Su 2019), used as by Nasr et al. (2023);
- rho-zCDP: the Renyi divergence of order t between the two coins is at most rho t, t > 1, by data
  processing (Bun, Steinke 2016).

The errors are replaced by their upper Clopper-Pearson limits (1934), each at half of `alarm`: the
bound returned exceeds the true loss with a probability of at most `alarm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Errors:
    """What a fixed test got wrong on samples that it was not chosen on."""

    false_positives: int
    negatives: int
    false_negatives: int
    positives: int

    def limits(self, alarm: float) -> tuple[float, float]:
        """Upper limits of both error rates, jointly right with probability 1 - `alarm`."""
        return (
            upper(self.false_positives, self.negatives, alarm / 2),
            upper(self.false_negatives, self.positives, alarm / 2),
        )


@lru_cache(maxsize=10_000)
def upper(seen: int, runs: int, alarm: float) -> float:
    """The largest rate that still shows `seen` or fewer in `runs` with probability `alarm`."""
    if seen >= runs:
        return 1.0
    k = np.arange(seen + 1)
    ways = (
        math.lgamma(runs + 1)
        - np.array([math.lgamma(i + 1) for i in k])
        - np.array([math.lgamma(runs - i + 1) for i in k])
    )
    low, high = seen / runs, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        if not 0 < rate < 1:
            break
        below = float(np.exp(ways + k * math.log(rate) + (runs - k) * math.log1p(-rate)).sum())
        low, high = (rate, high) if below > alarm else (low, rate)
    return high


def epsilon(errors: Errors, delta: float, alarm: float) -> float:
    """A lower bound on epsilon at `delta`; 0 where nothing is shown."""
    a, b = errors.limits(alarm)
    found = [math.log((1 - delta - y) / x) for x, y in ((a, b), (b, a)) if 1 - delta > x + y]
    return max([0.0, *found])


def mu(errors: Errors, alarm: float) -> float:
    """A lower bound on mu of Gaussian differential privacy; 0 where nothing is shown."""
    a, b = errors.limits(alarm)
    if a >= 1 or b >= 1:
        return 0.0
    return max(0.0, -NORMAL.inv_cdf(a) - NORMAL.inv_cdf(b))


def rho(errors: Errors, alarm: float) -> float:
    """A lower bound on rho of zero-concentrated differential privacy; 0 where nothing is shown."""
    a, b = errors.limits(alarm)
    if a + b >= 1:
        return 0.0
    orders = np.linspace(1.001, 20, 400)
    found = [0.0]
    for p, q in ((1 - b, a), (1 - a, b)):
        inside = p**orders * q ** (1 - orders) + (1 - p) ** orders * (1 - q) ** (1 - orders)
        found.append(float((np.log(inside) / (orders - 1) / orders).max()))
    return max(found)
