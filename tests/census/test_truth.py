"""What is collected is what was contributed, once, and nothing of anybody."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pytest

from landbridge.errors import LandbridgeError, Refused
from landbridge.protocols.prio3.aggregation import Prio3
from landbridge.protocols.prio3.circuit import Count
from nodes.census_share import summed
from policies import odcs
from policies.measurement import measured, plan_measurement
from policies.noise import draw
from tests.census.conftest import Make
from tests.census.world import HEATING, OWNER, SECOND, document, measurements


def test_every_kind_is_added_up_exactly_where_there_is_no_noise(make: Make) -> None:
    """Against the plain numbers; the world's noise is nought."""
    world = make()
    persons = [1, 9, 4, 4, 2, 3, 5, 6, 7, 8, 9]
    assert world.contribute("persons", *persons).accepted == 11
    assert world.collect("persons").rows() == [(11, sum(persons), sum(persons) / 11)]
    heating = ["gas"] * 5 + ["oil"] * 6
    world.contribute("heating", *heating)
    assert world.collect("heating").rows() == [("gas", 5), ("oil", 6), ("wood", 0)]
    world.contribute("lift", *[True] * 7, *[False] * 3)
    assert world.collect("lift").rows() == [(10, 7, 0.7)]


def test_a_batch_is_collected_once_and_never_overlaps_with_the_next(make: Make) -> None:
    """The second total is of what came after the first."""
    world = make()
    world.contribute("persons", *[2] * 10)
    first = world.collect("persons")
    with pytest.raises(Refused) as too_small:
        world.collect("persons")
    assert too_small.value.reason == "BATCH_TOO_SMALL"
    world.contribute("persons", *[5] * 9)
    with pytest.raises(Refused):
        world.collect("persons")
    world.contribute("persons", 5)
    assert first.rows()[0][:2] == (10, 20)
    assert world.collect("persons").rows()[0][:2] == (10, 50)


def test_the_same_question_again_is_the_same_answer_free_of_charge(make: Make) -> None:
    """Also with real noise, and long after: a retry whose first reply was lost."""
    world = make(draw=draw)
    world.contribute("persons", *[2] * 10)
    question = secrets.token_hex(16)
    first = world.collect("persons", question_id=question)
    world.contribute("persons", *[9] * 10)
    again = world.collect("persons", question_id=question)
    assert again.rows() == first.rows()
    assert (first.cost.epsilon, again.cost.epsilon) == (1.0, 0.0)
    assert "remembered" in {note.kind for note in again.notes}
    assert world.collect("persons").rows() != first.rows()


def test_both_departments_charge_and_an_empty_budget_keeps_the_reports(make: Make) -> None:
    """A budget of one such question pays for one; the reports stay for who can pay."""
    budget = {
        "recipient": {"epsilon": 2, "delta": 1e-6},
        "overall": {"epsilon": 12, "delta": 1e-6},
        "period": "year",
    }
    epsilon = {"default": 1.0, "maximum": 2.0}
    world = make(document=document(landbridgeBudget=budget, landbridgeEpsilon=epsilon))
    world.contribute("persons", *[3] * 10)
    answer = world.collect("persons", epsilon=2)
    assert {each.department for each in answer.cost.budgets} == {OWNER, SECOND}
    world.contribute("persons", *[4] * 10)
    with pytest.raises(Refused) as refused:
        world.collect("persons", epsilon=2)
    assert refused.value.reason == "BUDGET_EXHAUSTED"
    for name in (OWNER, SECOND):
        charged = [entry for entry in world.entries(name) if entry.charged_micro_rho]
        assert len(charged) == 1
    held = world.nodes[OWNER].census.close_batch(
        bytes(world.split("persons")._task.digest), "0" * 32, "institute", 0, 10, 100
    )
    assert held.reports == 10


def test_either_departments_noise_alone_is_what_is_charged_for() -> None:
    """Of 4,000 shares of an empty total: deviation of each side's noise against the plan's.

    False-alarm rate below 1e-6: the sample deviation of 4,000 draws has a relative error of 1.1 %,
    and 6 % is more than five of these.
    """
    contract = odcs.read(document(), "test")
    measurement = measured(contract, "persons")
    assert measurement is not None
    plan = plan_measurement(contract, measurement, 1_000_000)
    prio3 = Prio3(Count(), b"")
    nothing = prio3.add_up([])
    noises = [
        prio3.unshard([summed(plan, prio3, [], draw).share, nothing])[0] for _ in range(4_000)
    ]
    deviation = float(np.std(noises))
    print("deviation", deviation, "of", plan.mechanism.scale)  # noqa: T201
    assert abs(deviation / plan.mechanism.scale - 1) < 0.06
    assert plan.mechanism.sensitivity == 8  # a household says 1 or 9


def test_the_half_width_is_of_both_noises(make: Make) -> None:
    """What is said beside a number: two independent noises of the plan's scale."""
    world = make()
    world.contribute("persons", *[3] * 10)
    answer = world.collect("persons")
    contract = odcs.read(document(), "test")
    measurement = measured(contract, "persons")
    assert measurement is not None
    scale = plan_measurement(contract, measurement, 0).mechanism.scale
    width = answer.accuracy["sum"][0]
    assert width is not None
    assert abs(width - 1.96 * scale * 2**0.5) <= 1


def test_who_may_contribute_may_not_collect_by_that(make: Make) -> None:
    """Unknown, forbidden and unmeasured look alike; a column above the clearance is not there."""
    world = make()
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("note", {}),
        ("unheard", {}),
        ("persons", {"organisation": "stranger"}),
        ("lift", {"clearance": "open"}),
    )
    for name, changes in asked:
        with pytest.raises(Refused) as refused:
            world.collect(name, **changes)
        assert refused.value.reason == "NOT_AVAILABLE"
    world.contribute("lift", *[True] * 10)


def test_one_caller_hands_in_as_often_as_the_owner_lets_them(make: Make) -> None:
    """A person has one voice; the same report again is no second one."""
    world = make(document=document(measurements(each=1)))
    assert world.contribute("heating", "gas").reasons == ("",)
    assert world.contribute("heating", "oil").reasons == ("REPORTS_EXHAUSTED",)
    assert world.contribute("heating", "oil", subject="bob").reasons == ("",)
    with pytest.raises(Refused) as refused:
        world.contribute("heating", "oil").require_all()
    assert refused.value.reason == "REPORTS_EXHAUSTED"


@pytest.mark.parametrize("value", [0, 10, "3", True, 2.0, None])
def test_a_value_out_of_range_never_leaves(make: Make, value: object) -> None:
    """It is told on the contributor's own machine, before anything is sent."""
    world = make()
    with pytest.raises(LandbridgeError) as refused:
        world.contribute("persons", 3, value)  # type: ignore[arg-type]
    assert refused.value.reason == "INVALID_ARGUMENT"
    assert "from 1 to 9" in refused.value.hint
    assert str(value) not in refused.value.message
    assert HEATING[0] in world.split("heating")._task.range
