"""The strongest attacker: knows both tables to the last row, and asks only which of them it was.

From the released numbers of many runs it forms a statistic, says "D'" above a threshold, and counts
its errors. Statistic and threshold are chosen on one half of the runs, the errors are counted on
the other, so that choosing among many costs no confidence.

For noise as promised the likelihood ratio is the best test there is (Neyman, Pearson 1933). Beside
it are tried each number alone, its distance from what it would be without noise, and its last
bits: they find noise that is not as promised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from policies.contract import Noise
from tests.audit import bound
from tests.audit.bound import Errors

ALARM = 1e-6
"""Probability with which one audit accuses an honest mechanism."""

GRID = 1 / 16
"""Fits the exact distribution for scales from 0.5 on; `test_bound` computes it."""

Numbers = npt.NDArray[np.float64]
Statistic = Callable[[Numbers], Numbers]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one unit may lose by everything that was released: pure epsilon for Laplace noise,
    else mu of Gaussian DP, where rho = mu^2 / 2; and the (epsilon, delta) that callers are told.
    """

    noise: Noise
    loss: float
    epsilon: float
    delta: float


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the attacker knows: every number in both worlds before noise, and each noise's scale.

    All in grid steps, one entry per released number.
    """

    before: tuple[Numbers, Numbers]
    scales: Numbers
    noise: Noise

    @property
    def loss(self) -> float:
        """What the numbers give away with noise of these scales, exactly: mu or epsilon."""
        moved = np.abs(self.before[1] - self.before[0]) / self.scales
        return float(moved.sum() if self.noise is Noise.LAPLACE else np.sqrt((moved**2).sum()))

    @property
    def slack(self) -> float:
        """Factor by which a discrete Gaussian can look like more than mu, being on a grid."""
        if self.noise is Noise.LAPLACE:
            return 1.0
        return 1 + GRID / float(self.scales.min()) ** 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Lower bounds on the loss, beside what was claimed."""

    claim: Claim
    loss: float
    epsilon: float
    statistic: str
    runs: int
    slack: float

    @property
    def broken(self) -> bool:
        """Whether more is lost than claimed, but for a false alarm."""
        return self.loss > self.claim.loss * self.slack or self.epsilon > self.claim.epsilon

    def __str__(self) -> str:
        name = "epsilon" if self.claim.noise is Noise.LAPLACE else "mu"
        return f"{name} >= {self.loss:.3f} of {self.claim.loss:.3f}"


def audit(
    samples: tuple[Numbers, Numbers], known: Knowledge, claim: Claim, alarm: float = ALARM
) -> Finding:
    """What the best of the statistics proves; `samples` are runs x numbers, one array per world."""
    halves = [np.array_split(sample, 2) for sample in samples]
    name, statistic, threshold = max(
        _candidates(known, halves[0][0], halves[1][0]), key=lambda found: found[0]
    )[1]
    values = [statistic(half[1]) for half in halves]
    errors = Errors(
        int((values[0] >= threshold).sum()),
        len(values[0]),
        int((values[1] < threshold).sum()),
        len(values[1]),
    )
    return Finding(claim, _loss(errors, claim.noise, alarm),
                   bound.epsilon(errors, claim.delta, alarm), name,
                   len(samples[0]) + len(samples[1]), known.slack)  # fmt: skip


def _loss(errors: Errors, noise: Noise, alarm: float) -> float:
    return bound.epsilon(errors, 0.0, alarm) if noise is Noise.LAPLACE else bound.mu(errors, alarm)


def _candidates(
    known: Knowledge, zero: Numbers, one: Numbers
) -> Iterator[tuple[float, tuple[str, Statistic, float]]]:
    """Every statistic with its best threshold on the training runs, and how good that is."""
    for name, statistic in _statistics(known):
        a, b = np.sort(statistic(zero)), np.sort(statistic(one))
        cuts = np.unique(np.quantile(np.concatenate([a, b]), np.linspace(0, 1, 41), method="lower"))
        for cut in cuts:
            wrong = (len(a) - np.searchsorted(a, cut)) / len(a), np.searchsorted(b, cut) / len(b)
            yield _promise(*wrong, len(a), known.noise), (name, statistic, float(cut))


def _promise(a: float, b: float, runs: int, noise: Noise) -> float:
    """About what these error rates would prove; quick, and it decides nothing but the choice."""
    a, b = (
        min(1 - 1e-9, rate + 4 * math.sqrt(rate * (1 - rate) / runs) + 8 / runs) for rate in (a, b)
    )
    if noise is Noise.LAPLACE:
        return math.log(max((1 - b) / a, (1 - a) / b))
    return -bound.NORMAL.inv_cdf(a) - bound.NORMAL.inv_cdf(b)


def _statistics(known: Knowledge) -> Iterator[tuple[str, Statistic]]:
    zero, one = known.before
    yield "likelihood ratio", lambda x: _ratio(x, known)
    yield "distance from D", lambda x: np.abs((x - zero) / known.scales).sum(axis=1)
    yield "nearness to D'", lambda x: -np.abs((x - one) / known.scales).sum(axis=1)
    for place in _moved(known, 4):
        yield f"number {place}", _times(place, 1.0)
        yield f"number {place} reversed", _times(place, -1.0)
        for bits in (2, 10):
            yield f"number {place} mod {bits}", _residue(place, bits, 1.0)
            yield f"number {place} mod {bits} reversed", _residue(place, bits, -1.0)


def _ratio(x: Numbers, known: Knowledge) -> Numbers:
    zero, one = known.before
    if known.noise is Noise.LAPLACE:
        found = (np.abs(x - zero) - np.abs(x - one)) / known.scales
    else:
        found = (x - zero) * (one - zero) / known.scales**2
    return np.asarray(found.sum(axis=1), dtype=np.float64)


def _moved(known: Knowledge, most: int) -> Sequence[int]:
    moved = np.abs(known.before[1] - known.before[0]) / known.scales
    return [int(place) for place in np.argsort(-moved)[:most]]


def _times(place: int, sign: float) -> Statistic:
    return lambda x: sign * x[:, place]


def _residue(place: int, base: int, sign: float) -> Statistic:
    return lambda x: sign * np.mod(x[:, place], base)
