"""Trends: a number told again and again for one budget, and what one unit moves of all of it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.v1 import watch_pb2
from nodes.trend import Sums, advance
from nodes.watch_memory import WatchMemory
from policies.accounting import MICRO
from policies.contract import Noise
from policies.disclosure import Mechanism
from policies.noise import draw
from policies.question import ColumnOf, Count, Question, Sum, Whole
from policies.trend import levels_told
from policies.watch import WatchPlan, plan_watch
from tests.people import DISTRICTS, contract
from tests.simulator import exact
from tests.watch.department import Department, requested

FOR_EVER: dict[str, Any] = {"landbridgeCollection": {"one": {"per": ["person_id"]}}}
COUNT = Question("people", (Count(),), (Whole("district"),))
Make = Callable[..., Department]


def planned(
    numbers: int, question: Question = COUNT, epsilon: float = 2.0, **terms: object
) -> WatchPlan:
    """The plan of a trend of so many numbers."""
    served = contract(**{**FOR_EVER, **terms})
    return plan_watch(question, served, None, round(epsilon * MICRO), numbers)


def cells(totals: Sequence[int]) -> list[tuple[int, int]]:
    """What the engine gives: the cells that are not empty."""
    return [(place, total) for place, total in enumerate(totals) if total]


def told(
    plan: WatchPlan, stream: Sequence[Sequence[int]], noise: Callable[..., list[int]]
) -> list[list[float]]:
    """All numbers; `stream` is how many come between two evaluations, cell by cell."""
    sums, totals, found = Sums(), [0] * len(stream[0]), []
    for more in stream:
        totals = [sum(pair) for pair in zip(totals, more, strict=True)]
        numbers, sums = advance(plan, cells(totals), Sums.from_text(sums.to_text()), noise)
        found.append([number for _, number in numbers.cells])
    return found


streams = st.integers(1, 40).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(-3, 30), min_size=4, max_size=4), min_size=length, max_size=length
    )
)


@settings(max_examples=30, deadline=None)
@given(streams)
def test_a_number_is_the_total_and_its_noise(stream: list[list[int]]) -> None:
    """Without noise it is what is there, whatever came and went, and after every restart."""
    totals = [0] * 4
    for more, found in zip(stream, told(planned(len(stream)), stream, exact), strict=True):
        totals = [sum(pair) for pair in zip(totals, more, strict=True)]
        assert found == totals


@settings(max_examples=40, deadline=None)
@given(streams, st.data(), st.sampled_from([Noise.GAUSSIAN, Noise.LAPLACE]))
def test_one_unit_moves_no_more_than_is_paid_for(
    stream: list[list[int]], data: st.DataObject, noise: Noise
) -> None:
    """Two streams that differ in one unit: all that gets noise, side by side.

    The distance of the two sequences of partial sums is at most the sensitivity that the noise was
    made for, and after t evaluations at most the part that is said to be spent.
    """
    plan = planned(len(stream), landbridgeNoise=noise.value)
    assert plan.tree is not None
    at, cell = data.draw(st.integers(0, len(stream) - 1)), data.draw(st.integers(0, 3))
    other = [list(more) for more in stream]
    other[at][cell] += 1
    drawn: list[list[list[int]]] = [[], []]
    for which, each in enumerate((stream, other)):

        def recording(
            values: Sequence[int], mechanism: Mechanism, kept: list[list[int]] = drawn[which]
        ) -> list[int]:
            assert plan.tree is not None
            assert mechanism is plan.tree.partial
            kept.append(list(values))
            return list(values)

        told(plan, each, recording)
    distance = 0
    for step, (one, two) in enumerate(zip(*drawn, strict=True), start=1):
        distance += sum(abs(a - b) for a, b in zip(one, two, strict=True))
        assert distance <= levels_told(step)
        assert plan.spent_micro_rho(distance) <= plan.spent_micro_rho(levels_told(step))
    moved = float(distance) if noise is Noise.LAPLACE else math.sqrt(distance)
    assert moved <= plan.tree.partial.sensitivity


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4_096), st.sampled_from([Noise.GAUSSIAN, Noise.LAPLACE]), st.integers(1, 8),
    st.sampled_from([Count(), Sum(ColumnOf("income"))]),
)  # fmt: skip
def test_the_whole_costs_what_was_set_aside(
    numbers: int, noise: Noise, span: int, measure: Count | Sum
) -> None:
    """By the ledger's own rule, over all departments in which a unit can be."""
    plan = planned(
        numbers, Question("people", (measure,)), landbridgeNoise=noise.value,
        landbridgeUnitsSpan=span,
    )  # fmt: skip
    assert plan.tree is not None
    partial = plan.tree.partial
    loss = partial.sensitivity / partial.scale
    rho = loss**2 / 2  # epsilon-DP is (epsilon^2 / 2)-zCDP
    assert rho * span <= plan.cost_micro_rho / MICRO * (1 + 1e-9)
    assert plan.spent_micro_rho(levels_told(numbers)) == plan.cost_micro_rho


def test_a_number_is_as_near_as_is_said() -> None:
    """200 trends of 31 numbers, the last of which has the most noise: 95 % of them lie near.

    Fewer than 172 would be chance once in 10^6 runs. OpenDP draws from the operating system.
    """
    plan = planned(31)
    stream = [[5, 0, 0, 0]] * 31
    last = [told(plan, stream, draw)[-1][0] for _ in range(200)]
    near = sum(abs(number - 155) <= plan.accuracy for number in last)
    assert near >= 172, near
    assert max(abs(number - 155) for number in last) > plan.accuracy / 4  # it has noise at all


@pytest.mark.parametrize(
    "terms",
    [
        {"landbridgeCollection": None},
        {"landbridgeCollection": {}},
        {"landbridgeCollection": {"one": {"per": ["person_id"]}, "correct": {}}},
        {"landbridgeCollection": {"one": {"per": ["person_id", "district"]}}},
    ],
)
def test_a_table_whose_rows_may_change_has_no_trend(terms: dict[str, Any]) -> None:
    """A version could be any other table, and a unit in every one of its increments."""
    with pytest.raises(LandbridgeError) as refused:
        planned(8, **terms)
    assert refused.value.reason == "INVALID_QUESTION"
    assert "one row that never changes" in str(refused.value)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A department whose people hand themselves in."""
    made: list[Department] = []

    def one(**terms: Any) -> Department:
        made.append(Department(tmp_path, method=dict(FOR_EVER), **terms))
        return made[-1]

    yield one
    for each in made:
        each.close()


def trend(numbers: int, every: int = 60) -> watch_pb2.StandRequest:
    """How many people there are, so many times."""
    request = requested(alerts=numbers, every=every)
    request.ClearField("condition")
    request.question.group_by.add().column = "district"
    return request


def test_a_crash_changes_no_number_and_draws_nothing_again(make: Make) -> None:
    """A partial sum that got its noise twice would be told twice: the state is on disk first."""
    office = make(draw=draw)
    watch = office.stand(trend(7))
    acknowledged, numbers = 0, []
    for evaluation in range(1, 8):
        before = office.memory.sums(watch)
        if evaluation % 2:
            office.crash()
            assert office.memory.sums(watch) == before
        (alert,) = office.evaluate(watch, acknowledged).alerts
        again = office.watches.evaluate(watch, acknowledged, time_left=lambda: 20.0, trace_id="")
        assert [each.SerializeToString() for each in again.alerts] == [alert.SerializeToString()]
        after = office.memory.sums(watch)
        if evaluation == 3:  # the pair of the first two is as it was drawn
            assert after.noisy[1] == before.noisy[1]
        numbers.append([cell.number for cell in alert.cells])
        acknowledged = alert.number
    assert len(numbers[0]) == len(DISTRICTS)
    assert len({tuple(each) for each in numbers}) > 1
    ended = office.evaluate(watch, acknowledged)
    assert ended.ended == "spent"
    assert office.memory.sums(watch) == Sums()  # exact sums that nobody needs
    assert len(office.notes("alert")) == 7


def test_a_trend_that_is_stopped_costs_the_lengths_that_were_told(make: Make) -> None:
    """After two of seven: single ones and pairs, two of three lengths."""
    office = make(draw=draw)
    watch = office.stand(trend(7))
    reserved = office.spent
    first = office.evaluate(watch)
    second = office.evaluate(watch, first.alerts[-1].number)
    assert (first.spent_micro_rho, second.spent_micro_rho) == (
        -(-reserved // 3),
        -(-reserved * 2 // 3),
    )
    assert office.watches.end(watch, "") == -(-reserved * 2 // 3)
    assert office.spent == -(-reserved * 2 // 3)


def test_a_memory_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    """Watches that stand are not lost by an upgrade."""
    path = tmp_path / "watches.sqlite"
    WatchMemory(path, lambda: 1e9).close()
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE trend")
        file.execute("PRAGMA user_version=1")
    file.close()
    memory = WatchMemory(path, lambda: 1e9)
    assert memory.sums("0" * 32) == Sums()
    memory.close()
