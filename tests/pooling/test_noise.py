"""The noise of a total: what was promised, made by all, and enough without any one of them.

Seeds cannot be set: OpenDP draws from the operating system. False-alarm rates stand beside the
checks.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.protocols.masks import from_bytes
from nodes.share import share
from policies.contract import Contract, Pooling
from policies.distributed import rho
from policies.noise import draw
from policies.pooling import PoolingPlan, honest_among, outsiders, plan_pooling
from policies.question import Bucketed, Count, Histogram, Measure, Question, Sum, Units, Whole
from policies.question import ColumnOf as Column
from tests.people import contract

TALL = Question(
    "people",
    (Count(),),
    (Bucketed("age", 0.0, 120.0, 76), Whole("diagnosis"), Whole("district"), Whole("sex")),
)
"""2,496 cells."""
NAMED: dict[str, Any] = {"landbridgePooling": {"with": [f"d{number}" for number in range(60)]}}
"""Owners who say with whom they pool, and so let all but one be honest."""
MEASURES: tuple[Measure, ...] = (
    Count(),
    Units(),
    Sum(Column("age")),
    Sum(Column("height")),
    Histogram(Column("age")),
)


def noises(plan: PoolingPlan, runs: int) -> np.ndarray:
    """Totals of empty cells, in fractions of a step: nothing but everybody's noise."""
    found = []
    for _ in range(runs):
        parts = [from_bytes(share(plan, [], draw).to_keep()) for _ in range(plan.members)]
        found.append(np.sum(np.stack(parts), axis=0).view(np.int64))
    return np.concatenate(found).astype(float)


def test_the_total_has_the_variance_that_it_was_planned_with() -> None:
    """Chi-square of 10,000 totals of four; two-sided false alarm 1e-6."""
    plan = plan_pooling(TALL, contract(**NAMED), 1_000_000, 4)
    (noise,) = plan.shares
    found = noises(plan, 5)[:10_000]
    assert len(found) == 10_000
    target = plan.members * noise.scale**2
    chi_square = float(np.sum(found**2) / target)
    assert abs(chi_square - len(found)) < 4.9 * math.sqrt(2 * len(found)), f"{chi_square:.0f}"
    told = plan.release.mechanisms[0].standard_deviation * 2**noise.bits
    assert told**2 == pytest.approx(target)


@pytest.mark.parametrize("members", [2, 5, 20])
def test_the_error_does_not_grow_with_the_departments(members: int) -> None:
    """As planned: sqrt(N / h) of one department's, so 1.03 at 20, and never more than the bound."""
    alone = plan_pooling(TALL, contract(**NAMED), 1_000_000, members).release.mechanisms[0]
    one = _one_department()
    ratio = alone.standard_deviation / one
    assert ratio == pytest.approx(math.sqrt(members / (members - 1)), rel=1e-3)
    if members == 20:
        assert ratio <= 1.1


def test_the_measured_error_at_twenty_departments_is_that_of_one() -> None:
    """At most 1.1 times; 1.026 is planned, so the false alarm is 5 deviations: 2e-7."""
    plan = plan_pooling(TALL, contract(**NAMED), 1_000_000, 20)
    found = noises(plan, 1) / 2 ** plan.shares[0].bits
    measured = math.sqrt(float(np.mean(found**2)))
    assert measured <= 1.1 * _one_department()


def _one_department() -> float:
    from policies.disclosure import plan_release

    return plan_release(TALL, contract(), 1_000_000, 1).mechanisms[0].standard_deviation


@given(
    measures=st.lists(st.sampled_from(MEASURES), min_size=1, max_size=3, unique=True),
    members=st.integers(2, 60),
    micro_epsilon=st.integers(10_000, 4_000_000),
    rows=st.integers(1, 20),
    span=st.integers(1, 5),
    honest=st.integers(0, 70),
)
def test_the_honest_members_noise_pays_for_what_is_charged(
    measures: list[Measure], members: int, micro_epsilon: int, rows: int, span: int, honest: int
) -> None:
    """By the published bound, over all measures together, for a unit in `span` departments."""
    if span > 1:
        measures = [each for each in measures if each != Units()] or [Count()]
    changes: dict[str, Any] = {"landbridgeRowsPerUnit": rows, "landbridgeUnitsSpan": span}
    changes |= {"landbridgePooling": {"honest": honest}} if honest else NAMED
    terms = contract(**changes)
    plan = plan_pooling(
        Question("people", tuple(measures), (Whole("district"),)), terms, micro_epsilon, members
    )
    assert 1 <= plan.honest <= members - 1
    assert plan.honest == (min(honest, members - 1) if honest else members - 1)
    cost = sum(
        rho(noise.scale, plan.honest, noise.l2, noise.l1, noise.dimension) for noise in plan.shares
    )
    assert cost <= plan.release.cost_micro_rho / 1e6
    for noise, mechanism in zip(plan.shares, plan.release.mechanisms, strict=True):
        assert noise.scale >= 1.99
        assert noise.l2 >= span * 2**noise.bits * (1 if mechanism.measure == Units() else rows)
        noise.require_paid(plan.honest)
        with pytest.raises(ValueError, match="smaller"):
            replace(noise, scale=noise.scale * 0.99).require_paid(plan.honest)


def test_fewer_honest_members_make_more_noise() -> None:
    """H = 1 trusts nobody but oneself: every member adds the whole noise."""

    def deviation(terms: Contract) -> float:
        found = plan_pooling(Question("people", (Count(),)), terms, 1_000_000, 10)
        return found.release.mechanisms[0].standard_deviation

    cautious = contract(landbridgePooling={"honest": 1})
    assert cautious.disclosure.pooling == Pooling(honest=1)
    assert honest_among(cautious, 10) == 1
    assert deviation(cautious) == pytest.approx(3 * deviation(contract(**NAMED)), rel=1e-3)


@pytest.mark.parametrize("shams", [1, 20, 300])
def test_members_that_a_gateway_makes_up_make_nobody_s_noise_smaller(shams: int) -> None:
    """They add none, and know their masks: what is left is one department under its own share.

    Where the owners name no members, that share alone pays for what is charged. Where they do, a
    stranger is refused before (`policies.pooling.outsiders`).
    """
    terms = contract()
    plan = plan_pooling(TALL, terms, 1_000_000, 1 + shams)
    (own,) = plan.shares
    assert rho(own.scale, 1, own.l2, own.l1, own.dimension) <= plan.release.cost_micro_rho / 1e6
    assert own.scale / 2**own.bits >= 0.999 * _one_department()
    assert outsiders(contract(**NAMED), ["d1", "sham"]) == ("sham",)
