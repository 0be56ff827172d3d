"""Dummies are noise: the distribution is the stated one, and everybody makes the same."""

from __future__ import annotations

import math
import secrets
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.protocols.dummies import BITS, _table, counts, reach


def probability(x: int, scale: float, t: int) -> float:
    """Of t + x dummies, by the definition."""
    q = math.exp(-1 / scale)
    inside = (1 - q) / (1 + q) * q ** abs(x)
    return inside + (q ** (t + 1) / (1 + q) if abs(x) == t else 0.0)


def test_everybody_with_the_secret_makes_the_same_and_nobody_else() -> None:
    """Also for a prefix of the cells: the stream is read in order."""
    secret = secrets.token_bytes(32)
    assert counts(secret, 100, 3.0, 40) == counts(secret, 100, 3.0, 40)
    assert counts(secret, 100, 3.0, 40)[:10] == counts(secret, 10, 3.0, 40)
    assert counts(secret, 100, 3.0, 40) != counts(secrets.token_bytes(32), 100, 3.0, 40)


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(0.1, 50), delta=st.floats(1e-12, 0.4))
def test_the_reach_is_the_smallest_that_keeps_delta(scale: float, delta: float) -> None:
    """P(|X| > t) by its closed form, and by summing what is inside."""
    t = reach(scale, delta)
    q = math.exp(-1 / scale)

    def beyond(at: int) -> float:
        return 2 * q ** (at + 1) / (1 + q)

    assert beyond(t) <= delta * (1 + 1e-9)
    assert t == 0 or beyond(t - 1) > delta * (1 - 1e-9)
    inside = math.fsum((1 - q) / (1 + q) * q ** abs(x) for x in range(-t, t + 1))
    assert 1 - inside == pytest.approx(beyond(t), abs=1e-12)


@pytest.mark.parametrize(("scale", "t"), [(0.3, 4), (1.0, 12), (5.0, 60)])
def test_the_table_is_the_distribution(scale: float, t: int) -> None:
    """Each outcome's share of the 2^128 numbers, to what a double can tell."""
    ends = [0, *_table(scale, t), 1 << BITS]
    assert len(ends) == 2 * t + 2
    for x in range(-t, t + 1):
        share = float(Fraction(ends[x + t + 1] - ends[x + t], 1 << BITS))
        assert share == pytest.approx(probability(x, scale, t), rel=1e-9, abs=1e-30)


def test_draws_follow_the_table() -> None:
    """Chi-square over 40,000 draws and 21 outcomes; false alarm about 1e-6."""
    scale, t, draws = 2.0, 10, 40_000
    found = [0] * (2 * t + 1)
    for number in counts(secrets.token_bytes(32), draws, scale, t):
        found[number] += 1
    expected = [draws * probability(x, scale, t) for x in range(-t, t + 1)]
    chi_square = sum((f - e) ** 2 / e for f, e in zip(found, expected, strict=True))
    degrees = 2 * t
    normal = ((chi_square / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(
        2 / (9 * degrees)
    )
    assert normal < 4.75


def test_neighbouring_counts_are_as_close_as_epsilon_says() -> None:
    """For each total that G can see: P / P' <= e^(1/scale), but for what delta gives up."""
    scale, t = 4.0, reach(4.0, 1e-6)
    masses = [probability(x, scale, t) for x in range(-t, t + 1)]
    for true in (0, 1):
        shown = {true + n: mass for n, mass in enumerate(masses)}
        other = {1 - true + n: mass for n, mass in enumerate(masses)}
        excess = math.fsum(
            max(0.0, mass - math.exp(1 / scale) * other.get(total, 0.0))
            for total, mass in shown.items()
        )
        assert excess <= 1e-6


@pytest.mark.parametrize(("scale", "delta"), [(0.0, 0.1), (-1.0, 0.1), (1.0, 0.0), (1.0, 1.0)])
def test_impossible_noise_is_refused(scale: float, delta: float) -> None:
    """A scale of nothing, or a delta that promises everything."""
    with pytest.raises(ValueError, match="positive"):
        reach(scale, delta)


def test_more_dummies_than_a_question_carries_are_refused() -> None:
    """An epsilon close to 0 would drown the people."""
    with pytest.raises(ValueError, match="dummies"):
        reach(1e6, 1e-9)
