"""How a value is randomised before it leaves its device, and what that means for whoever counts.

Pure arithmetic that both ends share; whoever hands in draws with `landbridge.submission.
randomising`. A report is epsilon-DP for the value that it is made of, whoever reads it (local
differential privacy): any two values make any report with probabilities whose ratio is at most
e^epsilon.

**Categories**: randomised response. The true value is told with probability p, each of the others
with q = (1 - p) / (k - 1), and p / q = e^epsilon. Of N reports, c of them v, (c - q N) / (p - q) is
an unbiased estimate of how many have v. Sources: S. L. Warner, Randomized Response (1965);
P. Kairouz, K. Bonawitz, D. Ramage, Discrete Distribution Estimation under Local Privacy (2016).

**Numbers**: the value as a whole number of steps x of 0 to n, plus discrete Laplace noise, clamped
to 0 to n: the truncated geometric mechanism (A. Ghosh, T. Roughgarden, M. Sundararajan, Universally
Utility-Maximizing Privacy Mechanisms, 2009). With P(noise = j) proportional to alpha^|j|, a report
0 comes of x with probability alpha^x / (1 + alpha), and what clamping took away is on average
alpha^(x + 1) / ((1 + alpha) (1 - alpha)). So counting each report 0 as -alpha / (1 - alpha), each n
as n + alpha / (1 - alpha) and every other as itself is unbiased, whatever x was. The noise is made
a little wider than epsilon needs, so that `beyond` = alpha / (1 - alpha) is a whole number of
steps and sums stay whole: alpha = a / (a + 1) costs n ln(1 + 1 / a) <= epsilon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LEAST_EPSILON: Final = 0.01
MOST_EPSILON: Final = 20.0
MOST_CATEGORIES: Final = 1_000
MOST_STEPS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Response:
    """Randomised response over so many categories."""

    epsilon: float
    categories: int

    @property
    def keep(self) -> float:
        """The probability p of the true category."""
        return 1 / (1 + (self.categories - 1) * math.exp(-self.epsilon))

    @property
    def swap(self) -> float:
        """The probability q of each other one."""
        return (1 - self.keep) / (self.categories - 1)

    @property
    def gain(self) -> float:
        """P - q: what is left of a difference between two categories."""
        return self.keep - self.swap

    def squared(self, *, own: bool) -> float:
        """The mean square of what one report adds to the estimate of a category.

        `own`: of its own category, where what it adds is 1 on average; otherwise of another one,
        where it is 0.
        """
        p = self.keep if own else self.swap
        q = self.swap
        return (p * (1 - q) ** 2 + (1 - p) * q**2) / self.gain**2


@dataclass(frozen=True, slots=True)
class Clamped:
    """Discrete Laplace noise on a grid from `low` to `high`, clamped to it."""

    epsilon: float
    low: float
    high: float
    step: float

    @property
    def steps(self) -> int:
        """How many steps, n above."""
        return round((self.high - self.low) / self.step)

    @property
    def beyond(self) -> int:
        """a: by so many steps a report at an end is counted beyond it."""
        found = max(1, math.ceil(1 / math.expm1(self.epsilon / self.steps)))
        while self.steps * math.log1p(1 / found) > self.epsilon:
            found += 1  # rounding of the line before
        return found

    @property
    def scale(self) -> float:
        """Of the discrete Laplace noise, in steps."""
        return 1 / math.log1p(1 / self.beyond)

    @property
    def ends(self) -> tuple[float, float]:
        """What reports at the two ends count as; `low` and `high` widened by `beyond` steps."""
        more = self.beyond * self.step
        return self.low - more, self.high + more

    @property
    def variance(self) -> float:
        """The largest that what one report counts as can have, in steps squared.

        a (a + 1) (2 - P(report at an end)), by the same inverse applied to x^2; least often a
        value in the middle is reported at an end.
        """
        a, n = self.beyond, self.steps
        alpha = a / (a + 1)
        at_ends = (alpha ** (n // 2) + alpha ** (n - n // 2)) / (1 + alpha)
        return a * (a + 1) * (2 - at_ends)

    def index(self, value: float) -> int:
        """The nearest step."""
        return min(self.steps, max(0, round((value - self.low) / self.step)))

    def value(self, index: int) -> float:
        """The value at a step, the ends exactly."""
        if index >= self.steps:
            return self.high
        return self.low + index * self.step


Randomised = Response | Clamped


def clamped(epsilon: float, low: float, high: float, step: float) -> Clamped:
    """Raises ValueError, in words for an owner, for a grid that does not fit."""
    steps = (high - low) / step
    if not 1 <= round(steps) <= MOST_STEPS:
        raise ValueError(f"needs from 1 to {MOST_STEPS:,} steps between minimum and maximum")
    if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
        raise ValueError("needs a maximum that is a whole number of steps above its minimum")
    return Clamped(epsilon, low, high, step)
