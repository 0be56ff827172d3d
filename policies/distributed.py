"""Noise that several departments make together: what the sum of their shares costs.

A sum of discrete Gaussians is no discrete Gaussian, so its privacy cost is not the idealised one.
Source: P. Kairouz, Z. Liu, T. Steinke, The Distributed Discrete Gaussian Mechanism for Federated
Learning with Secure Aggregation (2021), proposition 14: for n shares of scale sigma >= 1/2 each and
a query of L2 sensitivity D2, L1 sensitivity D1 and d coordinates, with

    t = 10 sum_{k=1}^{n-1} exp(-2 pi^2 sigma^2 k / (k + 1)),  l2 = D2 / (sqrt(n) sigma),
    l1 = D1 / (sqrt(n) sigma)

the Renyi divergence of every order a > 1 is at most the least of a l2^2 / 2 + t d,
a (l2^2 + 2 l1 t + t^2 d) / 2 and a (l2 + sqrt(d) t)^2 / 2.
"""

from __future__ import annotations

import math
from typing import Final

SMALLEST_SHARE: Final = 0.5
"""The proposition holds from here on; a share is never finer."""
_PRECISION: Final = 1 + 1e-9


def rho(share: float, shares: int, l2: float, l1: float, dimension: int) -> float:
    """The zCDP cost of a sum of `shares` discrete Gaussians of scale `share` each, in steps.

    `l2` and `l1` are the sensitivities, in steps, over the vector of `dimension` numbers. Raises
    ValueError for a share under one half, for which nothing is proven.
    """
    if share < SMALLEST_SHARE or shares < 1 or dimension < 1:
        raise ValueError("A share is at least one half of a step, and there is one at least.")
    total = math.sqrt(shares) * share
    tau = 10 * sum(math.exp(-2 * math.pi**2 * share**2 * k / (k + 1)) for k in range(1, shares))
    small, large = l2 / total, l1 / total
    # A bound on the divergence of every order a > 1 that is at most a * r is r-zCDP; t d alone does
    # not grow with a, so counting it in full is on the safe side.
    return min(
        small**2 / 2 + tau * dimension,
        (small**2 + 2 * large * tau + tau**2 * dimension) / 2,
        (small + math.sqrt(dimension) * tau) ** 2 / 2,
    )


def share_scale(allowed: float, shares: int, l2: float, l1: float, dimension: int) -> float:
    """The scale of one share so that the sum of `shares` of them costs at most `allowed` rho.

    The smallest one, to nine digits.
    """
    if not allowed > 0:
        raise ValueError("Noise of no cost would be endless.")
    low = max(SMALLEST_SHARE, l2 / math.sqrt(2 * allowed * shares))
    high = low
    while rho(high, shares, l2, l1, dimension) > allowed:
        high *= 1.5
    while high > low * _PRECISION:
        middle = (low + high) / 2
        if rho(middle, shares, l2, l1, dimension) > allowed:
            low = middle
        else:
            high = middle
    return high
