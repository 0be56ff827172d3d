"""The audit's own arithmetic: limits hold as often as they say, bounds meet known losses."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np
import pytest

from tests.audit import bound
from tests.audit.bound import NORMAL, Errors
from tests.audit.distinguisher import GRID


@pytest.mark.parametrize(
    ("seen", "runs", "alarm"), [(0, 10, 0.05), (2, 20, 0.025), (5, 50, 0.005), (49, 50, 1e-6)]
)
def test_the_limits_are_clopper_and_pearsons(seen: int, runs: int, alarm: float) -> None:
    """Against the binomial tail added up term by term."""
    found = bound.upper(seen, runs, alarm)
    tail = sum(math.comb(runs, k) * found**k * (1 - found) ** (runs - k) for k in range(seen + 1))
    assert tail == pytest.approx(alarm)


def test_a_limit_is_wrong_as_rarely_as_it_says() -> None:
    """10,000 experiments at 1 %: more than 140 misses happen in about 1 of 20,000 runs."""
    source = np.random.default_rng(3)
    misses = sum(bound.upper(int(k), 200, 0.01) < 0.2 for k in source.binomial(200, 0.2, 10_000))
    assert misses <= 140


def test_the_bounds_approach_what_is_lost() -> None:
    """With all but endless runs a coin's epsilon, a Gaussian's mu and most of its rho come out."""
    endless = 10**5
    coin = Errors(round(endless / (1 + math.e)), endless, round(endless / (1 + math.e)), endless)
    assert 0.97 < bound.epsilon(coin, 0, 0.01) <= 1
    half = round(endless * NORMAL.cdf(-1))
    two = Errors(half, endless, half, endless)
    assert 1.97 < bound.mu(two, 0.01) <= 2
    assert 1.1 < bound.rho(two, 0.01) <= 2
    nothing = Errors(500, 1_000, 500, 1_000)
    assert bound.epsilon(nothing, 0, 0.01) == bound.mu(nothing, 0.01) == 0


@pytest.mark.parametrize("scale", [0.5, 0.7, 1.0, 1.4, 2.0, 5.0])
def test_a_discrete_gaussian_is_gaussian_dp_up_to_its_grid(scale: float) -> None:
    """Exactly, at every threshold: the slack that the audits allow is needed and is enough."""
    reach = range(-60, 62)
    weights = [math.exp(-k * k / (2 * scale * scale)) for k in reach]
    above = dict(zip(reach, [1 - s / sum(weights) for s in accumulate(weights)], strict=True))
    for shift in (1, 2, 3):
        seen = [
            -NORMAL.inv_cdf(a) - NORMAL.inv_cdf(1 - above[k - shift])
            for k, a in above.items()
            if 1e-6 < a < 1 - 1e-6 and 1e-6 < above.get(k - shift, 0) < 1 - 1e-6
        ]
        assert not seen or max(seen) <= shift / scale * (1 + GRID / scale**2) + 1e-9
