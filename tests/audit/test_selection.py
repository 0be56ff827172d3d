"""Neighbouring tables where one unit brings a value, or a vote: nobody shows more than claimed.

Every audit accuses an honest mechanism with a probability of at most 10^-6; the noise is the
operating system's, without a seed. Each control is convicted but for one time in a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from policies.disclosure import Mechanism, ReleasePlan
from tests.audit.selection import SCENES, Scene, shows_alone, told_by_one_vote

RUNS = 40_000


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_value_of_one_unit_shows_no_more_often_than_delta(scene: Scene) -> None:
    """The neighbouring table cannot show it, so delta is all that there is."""
    plan = scene.plan()
    assert plan.selection is not None
    assert shows_alone(plan, RUNS) <= plan.selection.delta


def _lower(plan: ReleasePlan, by: int = 1) -> ReleasePlan:
    assert plan.selection is not None
    return replace(plan, selection=replace(plan.selection, threshold=plan.selection.threshold - by))


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_threshold_that_is_lower_by_one_is_caught(scene: Scene) -> None:
    """Positive control: the mistake of opendp#2922."""
    plan = _lower(scene.plan())
    assert plan.selection is not None
    assert shows_alone(plan, RUNS) > plan.selection.delta


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_one_vote_tells_no_more_than_epsilon(scene: Scene) -> None:
    """At the threshold itself, where a vote matters most."""
    plan = scene.plan()
    assert told_by_one_vote(plan, 8_000) <= plan.epsilon


def test_a_selection_without_noise_is_caught() -> None:
    """Positive control: plain counting of units against a threshold."""

    def nothing(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        del mechanism
        return list(cells)

    plan = SCENES[0].plan()
    assert told_by_one_vote(plan, 8_000, nothing) > plan.epsilon
