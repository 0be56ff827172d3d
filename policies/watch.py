"""A standing question: its condition, what an evaluation of it costs, and when it tells.

By `cell_key`, `exact` and `unprotected` the condition is held against the number that a question
would release: the same data, the same number, so nothing is learnt that asking would not tell.

By `dp` an evaluation is one step of AboveThreshold (C. Dwork, A. Roth, The Algorithmic Foundations
of Differential Privacy, 2014, algorithm 1) with the noises of M. Lyu, D. Su, N. Li, Understanding
the Sparse Vector Technique for Differential Privacy (2017), algorithm 1 with c = 1: one noisy
threshold, new noise for each number that is compared, one alert, and then everything anew. A run,
from the threshold's draw to its alert, is (e1 + e2)-DP however many comparisons it makes; silence
within it costs nothing more. No value is told, since telling the value that was compared is the
best known way to break it (ibid., algorithms 3 to 6).

The proof needs of the noise that moving the threshold by the sensitivity D costs e1, and moving a
number by 2 D costs e2: discrete Laplace noise of scale D / e1 and 2 D / e2 on whole grid steps does
that exactly as continuous noise does. A number is a function of the table as it is when it is
compared, and one unit moves it by at most D in every version of the table.

A standing question without a condition is a trend, see `policies.trend`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, assert_never

from landbridge.errors import error
from policies.accounting import MICRO
from policies.contract import Contract, Method, Noise
from policies.disclosure import Mechanism, ReleasePlan, plan_release
from policies.estimable import randomised_columns
from policies.question import Count, Histogram, Measure, Question, Relation, Sum, Units
from policies.trend import USUAL_NUMBERS, Tree, require_permanent, tree_of

MOST_ALERTS: Final = 100
USUAL_ALERTS: Final = 3
MOST_HOURS: Final = 8_784
USUAL_HOURS: Final = 720
LONGEST_INTERVAL: Final = 31 * 86_400
MOST_CELLS: Final = 1_000
_LARGEST: Final = 2**60
_SPLIT: Final = 2 ** (2 / 3)
"""e2 / e1 with the smallest variance of the comparison (Lyu, Su, Li, section 4.2)."""
_MISSED: Final = 0.05


@dataclass(frozen=True, slots=True)
class Condition:
    """A released number, in any cell, compared with a fixed one; `=` is none of the relations."""

    relation: Relation
    number: float

    def __post_init__(self) -> None:
        """Raises INVALID_ARGUMENT for what is no threshold."""
        if self.relation in (Relation.EQUAL, Relation.NOT_EQUAL):
            raise error("INVALID_ARGUMENT", "A condition is <, <=, > or >= a number.")
        if not math.isfinite(self.number):
            raise error("INVALID_ARGUMENT", "A condition compares with a finite number.")

    @property
    def sign(self) -> int:
        """1 where large numbers tell, -1 where small ones do."""
        return 1 if self.relation in (Relation.GREATER, Relation.GREATER_OR_EQUAL) else -1

    def least(self, step: float) -> int:
        """The T with which it holds exactly for `sign * units >= T`, in grid steps.

        Raises INVALID_ARGUMENT beyond what any number can be.
        """
        exact = Fraction(repr(float(self.number))) / Fraction(repr(float(step)))
        match self.relation:
            case Relation.GREATER_OR_EQUAL:
                found = math.ceil(exact)
            case Relation.GREATER:
                found = math.floor(exact) + 1
            case Relation.LESS_OR_EQUAL:
                found = -math.floor(exact)
            case _:
                found = 1 - math.ceil(exact)
        if abs(found) > _LARGEST:
            raise error("INVALID_ARGUMENT", "The condition's number is larger than any count.")
        return found


@dataclass(frozen=True, slots=True)
class Sparse:
    """The noises of one run, and how many runs the budget is for.

    `sensitivity` is how far one unit moves one number, in grid steps. A run costs `epsilon` at this
    department.
    """

    runs: int
    epsilon: float
    sensitivity: int
    threshold: Mechanism
    compared: Mechanism


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """Everything about a standing question that does not depend on data.

    `release` is the release of its question, `least` the condition in grid steps of its measure;
    `sparse` is how it is compared by `dp`, None for the other methods. Without a condition it is a
    trend: every evaluation tells the number, by `dp` through `tree`.
    """

    release: ReleasePlan
    condition: Condition | None
    least: int
    sparse: Sparse | None
    tree: Tree | None = None

    @property
    def runs(self) -> int:
        """In how many equal parts its budget is spent; 0 where it has none."""
        if self.tree is not None:
            return self.tree.levels
        return 0 if self.sparse is None else self.sparse.runs

    @property
    def most(self) -> int:
        """How many alerts, or numbers of a trend, its budget is for; 0 where it has none."""
        return self.runs if self.tree is None else self.tree.numbers

    @property
    def cost_micro_rho(self) -> int:
        """For its whole life."""
        return self.release.cost_micro_rho

    def spent_micro_rho(self, runs: int) -> int:
        """What so many runs cost that have begun."""
        if not self.runs:
            return 0
        return -(-self.cost_micro_rho * min(runs, self.runs) // self.runs)

    @property
    def accuracy(self) -> float:
        """How far beyond the number an alert is sure, and before it silence, in the measure's unit.

        In 95 of 100 comparisons; of a trend the half-width of a number. 0 where nothing is added.
        """
        if self.tree is not None:
            return self.tree.half_width
        if self.sparse is None:
            return self.release.mechanisms[0].standard_deviation * 1.959964
        return _half_width(self.sparse.threshold.scale, self.sparse.compared.scale) * (
            self.sparse.compared.step
        )


def plan_watch(
    question: Question,
    contract: Contract,
    condition: Condition | None,
    micro_epsilon: int,
    alerts: int,
) -> WatchPlan:
    """The plan of a reviewed question of one department; without a condition that of a trend.

    `alerts` is how many alerts or numbers the budget is for, 0 for the usual.

    Raises INVALID_QUESTION and INVALID_ARGUMENT for what cannot stand, EPSILON_OUT_OF_RANGE.
    """
    if len(question.measures) != 1 or isinstance(question.measures[0], Histogram):
        raise error(
            "INVALID_QUESTION",
            "A watch is of one count or one sum.",
            hint="Write one count(*), count(x), count(DISTINCT unit) or sum(x), and a watch for "
            "each.",
        )
    if randomised_columns(question, contract):
        raise error(
            "INVALID_QUESTION",
            "A watch is not of columns that were randomised at their source: single comparisons "
            "would be about the randomisation.",
            hint="Ask a question of its own for an estimate and its error.",
        )
    alerts = alerts or (USUAL_NUMBERS if condition is None else USUAL_ALERTS)
    if condition is not None and not 1 <= alerts <= MOST_ALERTS:
        raise error("INVALID_ARGUMENT", f"A watch is for 1 to {MOST_ALERTS} alerts.")
    protected = contract.disclosure.method is Method.DP
    if condition is None and protected:
        require_permanent(contract)
    release = plan_release(question, contract, micro_epsilon, 1)
    if release.open:
        raise error(
            "INVALID_QUESTION",
            "A watch groups by declared values only; others are found by a selection that every "
            "evaluation would pay for.",
            hint="Group by a column with a declared domain.",
        )
    if release.cells > MOST_CELLS:
        raise error("TOO_MANY_CELLS", f"A watch looks at {MOST_CELLS} cells at the most.")
    (mechanism,) = release.mechanisms
    if condition is None:
        reach = _sensitivity(mechanism.measure, mechanism, contract) if protected else 0
        tree = tree_of(release, mechanism, reach, alerts) if protected else None
        return WatchPlan(release, None, 0, None, tree)
    sparse = _sparse(release, mechanism, contract, alerts) if protected else None
    return WatchPlan(release, condition, condition.least(mechanism.step), sparse)


def _sparse(release: ReleasePlan, mechanism: Mechanism, contract: Contract, alerts: int) -> Sparse:
    terms = contract.disclosure
    delta = _sensitivity(mechanism.measure, mechanism, contract)
    if terms.noise is Noise.LAPLACE:
        epsilon = release.epsilon / (alerts * terms.units_span)
    else:
        # Runs are composed as the ledger composes everything: e-DP is (e^2 / 2)-zCDP.
        rho = release.cost_micro_rho / MICRO / (alerts * terms.units_span)
        epsilon = math.sqrt(2 * rho)
    first = epsilon / (1 + _SPLIT)
    second = epsilon - first

    def laplace(scale: float) -> Mechanism:
        return Mechanism(mechanism.measure, Noise.LAPLACE, scale, float(delta), mechanism.step, 0)

    return Sparse(alerts, epsilon, delta, laplace(delta / first), laplace(2 * delta / second))


def _sensitivity(measure: Measure, mechanism: Mechanism, contract: Contract) -> int:
    """How far one unit moves the number of one cell, in grid steps."""
    rows = contract.disclosure.rows_per_unit
    match measure:
        case Count():
            return rows
        case Units():
            return 1
        case Sum():
            assert mechanism.span is not None  # every sum has one
            return rows * max(1, abs(mechanism.span.low_units), abs(mechanism.span.high_units))
        case Histogram():
            raise AssertionError("refused before")
        case _:
            assert_never(measure)


def _half_width(first: float, second: float) -> float:
    """The a with P(|X + Y| > a) = 5 % for Laplace X and Y of these different scales.

    By partial fractions of the characteristic function 1 / ((1 + f^2 t^2) (1 + s^2 t^2)).
    """

    def beyond(a: float) -> float:
        f, s = first * first, second * second
        return (s * math.exp(-a / second) - f * math.exp(-a / first)) / (s - f)

    low, high = 0.0, 100 * (first + second)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > _MISSED else (low, middle)
    return high
