"""The cost of noise that several make together, against the exact distribution of their sum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.distributed import SMALLEST_SHARE, rho, share_scale


def discrete_gaussian(scale: float, reach: int) -> list[float]:
    """Its probabilities from -reach to reach."""
    weights = [math.exp(-(z**2) / (2 * scale**2)) for z in range(-reach, reach + 1)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def convolved(one: list[float], other: list[float]) -> list[float]:
    """The distribution of a sum."""
    found = [0.0] * (len(one) + len(other) - 1)
    for at, p in enumerate(one):
        for beside, q in enumerate(other):
            found[at + beside] += p * q
    return found


def summed(scale: float, shares: int, reach: int) -> list[float]:
    """The exact distribution of a sum of shares."""
    found = discrete_gaussian(scale, reach)
    for _ in range(shares - 1):
        found = convolved(found, discrete_gaussian(scale, reach))
    return found


def renyi(noise: list[float], shift: int, order: float) -> float:
    """The divergence of the noise from itself, shifted: what one unit's presence shows."""
    here, there = noise[shift:], noise[: len(noise) - shift]
    total = math.fsum(
        math.exp(order * math.log(p) + (1 - order) * math.log(q))
        for p, q in zip(here, there, strict=True)
        if p > 1e-280 < q
    )
    return math.log(total) / (order - 1)


@pytest.mark.parametrize("scale", [0.5, 0.6, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("shares", [1, 2, 3, 6])
@pytest.mark.parametrize("sensitivity", [1, 2])
def test_no_order_of_the_true_divergence_exceeds_the_charge(
    scale: float, shares: int, sensitivity: int
) -> None:
    """zCDP: the divergence of order a is at most a times the cost, for every a > 1."""
    noise = summed(scale, shares, reach=math.ceil(12 * scale))
    charged = rho(scale, shares, sensitivity, sensitivity, 1)
    for order in (1.01, 1.5, 2.0, 4.0, 8.0):
        assert renyi(noise, sensitivity, order) <= order * charged * (1 + 1e-6) + 1e-12


def test_the_idealised_cost_alone_would_be_too_little() -> None:
    """Positive control: for small shares a sum of discrete Gaussians leaks more than a Gaussian."""
    noise = summed(0.5, 2, reach=8)
    idealised = 1 / (2 * 2 * 0.5**2)
    assert any(renyi(noise, 1, order) > order * idealised for order in (1.01, 1.1, 1.5, 2.0))


def test_one_share_is_the_plain_discrete_gaussian() -> None:
    """Then nothing is added for the sum."""
    assert rho(3.0, 1, 2.0, 2.0, 50) == pytest.approx(4 / (2 * 9))


@given(
    allowed=st.floats(1e-6, 10),
    shares=st.integers(1, 60),
    sensitivity=st.floats(1, 1e6),
    dimension=st.integers(1, 10_000),
)
def test_the_scale_costs_what_is_allowed_and_hardly_less(
    allowed: float, shares: int, sensitivity: float, dimension: int
) -> None:
    """Never more; and a little less noise would be too little, but for the smallest share."""
    scale = share_scale(allowed, shares, sensitivity, sensitivity, dimension)
    assert rho(scale, shares, sensitivity, sensitivity, dimension) <= allowed
    less = scale * (1 - 1e-6)
    if less >= SMALLEST_SHARE:
        assert rho(less, shares, sensitivity, sensitivity, dimension) > allowed


@given(shares=st.integers(2, 50), sensitivity=st.floats(50, 1e6))
def test_together_they_add_hardly_more_noise_than_one_alone(
    shares: int, sensitivity: float
) -> None:
    """This is what pooling is for: the error does not grow with the number of departments."""
    alone = share_scale(0.01, 1, sensitivity, sensitivity, 1_000)
    together = share_scale(0.01, shares, sensitivity, sensitivity, 1_000) * math.sqrt(shares)
    assert together <= alone * 1.001


def test_what_nothing_is_proven_for_is_refused() -> None:
    """A share under one half is outside the proposition."""
    with pytest.raises(ValueError, match="one half"):
        rho(0.4, 2, 1, 1, 1)
    with pytest.raises(ValueError, match="endless"):
        share_scale(0.0, 2, 1, 1, 1)
