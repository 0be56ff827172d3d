"""The sparse vector technique in neighbouring worlds: nobody learns more than a run costs.

The attacker knows both streams of tables. In one a unit is in all tables but the last, in the other
in the last alone: the streams on which the broken variants of the technique lose most (M. Lyu, D.
Su, N. Li, Understanding the Sparse Vector Technique, 2017, section 3). It says "the second" where
everything is silent but the last. An honest mechanism is accused with a probability of at most
10^-6; each control is convicted but for one time in a thousand. The noise is the operating
system's, without a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from nodes.threshold import Run, compare
from policies.disclosure import Mechanism
from policies.noise import Draw, draw
from policies.question import Count, Question, Relation, Whole
from policies.watch import Condition, WatchPlan, plan_watch
from tests.audit import bound
from tests.audit.bound import Errors
from tests.audit.distinguisher import ALARM
from tests.people import contract

RUNS = 2_000
PEOPLE = Question("people", (Count(),), (Whole("district"),))
"""Four cells: the stream that one evaluation compares."""

Spoil = Callable[[WatchPlan], Draw]
FIRST, SECOND = (100, 100, 100, 99), (99, 99, 99, 100)
"""In the first the unit is in every table but the last."""


def plan() -> WatchPlan:
    """One run for the whole budget; told at a hundred, where a single unit matters most."""
    budget = {"epsilon": 30, "delta": 1e-6}
    owned = contract(
        landbridgeBudget={"recipient": budget, "overall": budget, "period": "year"},
        landbridgeEpsilon={"default": 1.0, "maximum": 30.0},
    )
    return plan_watch(PEOPLE, owned, Condition(Relation.GREATER_OR_EQUAL, 100), 20_000_000, 1)


def told(watch: WatchPlan, counts: Sequence[int], noise: Draw) -> tuple[int, ...]:
    """The cells that one run tells."""
    crossed, _ = compare(watch, list(enumerate(counts)), Run(), (), noise)
    return tuple(place for place, _ in crossed.cells)


def loss(watch: WatchPlan, noise: Draw, runs: int = RUNS) -> float:
    """A lower bound on what a run loses; wrong once in 10^6."""
    wrong = sum(told(watch, FIRST, noise) == (3,) for _ in range(runs))
    missed = sum(told(watch, SECOND, noise) != (3,) for _ in range(runs))
    return bound.epsilon(Errors(wrong, runs, missed, runs), 0.0, ALARM)


def test_a_run_loses_no_more_than_it_costs() -> None:
    """Pure epsilon, over all comparisons of the run."""
    watch = plan()
    assert watch.sparse is not None
    assert 1 < watch.sparse.epsilon < 3
    assert loss(watch, draw) <= watch.sparse.epsilon


def _numbers_without_noise(watch: WatchPlan) -> Draw:
    """Noise on the threshold alone (Stoddard, Chen, Machanavajjhala 2014; algorithm 5 there)."""
    assert watch.sparse is not None

    def noisy(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        return list(cells) if mechanism is watch.sparse.compared else draw(cells, mechanism)  # type: ignore[union-attr]

    return noisy


def _too_little(_: WatchPlan) -> Draw:
    """A quarter of the noise that the sensitivity needs (as in Lee, Clifton 2014; algorithm 4)."""

    def noisy(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        return draw(cells, replace(mechanism, scale=mechanism.scale / 4))

    return noisy


@pytest.mark.parametrize("spoil", [_numbers_without_noise, _too_little])
def test_a_variant_with_too_little_noise_is_caught(spoil: Spoil) -> None:
    """Positive controls, from the list of variants that were published and are not private."""
    watch = plan()
    assert watch.sparse is not None
    assert loss(watch, spoil(watch)) > watch.sparse.epsilon


def test_a_threshold_that_tells_more_than_once_is_caught() -> None:
    """Positive control: no new run after an alert (Chen and others 2015; algorithm 6).

    Every cell is compared, all with one threshold, and each that is above is told: the pattern of
    many cells gives away what a single alert does not.
    """
    watch = plan()
    assert watch.sparse is not None
    many = 300
    first, second = [100] * many + [99] * many, [99] * many + [100] * many

    def pattern(counts: Sequence[int]) -> int:
        assert watch.sparse is not None
        (bar,) = draw([watch.least], watch.sparse.threshold)
        noisy = draw(list(counts), watch.sparse.compared)
        above = [number >= bar for number in noisy]
        return sum(above[many:]) - sum(above[:many])

    runs = 600
    wrong = sum(pattern(first) > 0 for _ in range(runs))
    missed = sum(pattern(second) <= 0 for _ in range(runs))
    assert bound.epsilon(Errors(wrong, runs, missed, runs), 0.0, ALARM) > watch.sparse.epsilon
