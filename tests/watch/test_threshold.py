"""AboveThreshold, run after run: what may be told, and that no draw is used twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.threshold import Crossed, Run, compare
from policies.disclosure import Mechanism
from policies.question import Count, Question, Relation, Whole
from policies.watch import Condition, WatchPlan, plan_watch
from tests.people import contract
from tests.simulator import exact

BY_DISTRICT = Question("people", (Count(),), (Whole("district"),))


def plan(alerts: int, relation: Relation = Relation.GREATER_OR_EQUAL) -> WatchPlan:
    """People by district, four cells, told at a hundred."""
    return plan_watch(BY_DISTRICT, contract(), Condition(relation, 100), 4_000_000, alerts)


def rows(*counts: int) -> list[tuple[int, int]]:
    """The engine's cells."""
    return list(enumerate(counts))


class Drawing:
    """Noise by a list, which remembers what it was asked for."""

    def __init__(self, watch: WatchPlan) -> None:
        assert watch.sparse is not None
        self._sparse = watch.sparse
        self.thresholds = 0
        self.compared = 0

    def __call__(self, cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        """No noise."""
        if mechanism is self._sparse.threshold:
            self.thresholds += len(cells)
        else:
            assert mechanism is self._sparse.compared
            self.compared += len(cells)
        return list(cells)


def test_silence_keeps_the_run_open_and_begins_none() -> None:
    """However often it is evaluated: one threshold, fresh noise for every number."""
    watch = plan(alerts=3)
    draw, run = Drawing(watch), Run()
    for _ in range(50):
        crossed, run = compare(watch, rows(1, 2, 3, 4), run, (), draw)
        assert crossed.cells == ()
    assert (run.begun, draw.thresholds, draw.compared) == (1, 1, 200)


def test_an_alert_ends_the_run_and_names_no_number() -> None:
    """The cells after it are compared with a new threshold, which a new run pays for."""
    watch = plan(alerts=3)
    draw = Drawing(watch)
    crossed, run = compare(watch, rows(500, 0, 500, 0), Run(), (), draw)
    assert crossed.cells == ((0, None), (2, None))
    assert run.begun == 3
    assert draw.thresholds == 3


def test_when_all_runs_are_used_nothing_more_is_compared() -> None:
    """Four cells hold it, two may be told; and the watch is over."""
    watch = plan(alerts=2)
    assert watch.sparse is not None
    crossed, run = compare(watch, rows(500, 500, 500, 500), Run(), (), Drawing(watch))
    assert [place for place, _ in crossed.cells] == [0, 1]
    assert run.over(watch.runs)
    again, after = compare(watch, rows(500, 500, 500, 500), run, (), Drawing(watch))
    assert again.cells == ()
    assert after == run


def test_small_numbers_tell_where_the_condition_is_below() -> None:
    """The sign is turned before the noise, so that the same proof holds."""
    watch = plan(alerts=3, relation=Relation.LESS)
    crossed, _ = compare(watch, rows(500, 99, 100, 500), Run(), (), exact)
    assert [place for place, _ in crossed.cells] == [1]


@settings(max_examples=60)
@given(
    st.integers(1, 5),
    st.lists(st.lists(st.integers(0, 200), min_size=4, max_size=4), max_size=12),
    st.sets(st.integers(0, 3)),
)
def test_no_stream_of_tables_buys_more_runs_than_were_paid(
    alerts: int, tables: list[list[int]], resting: set[int]
) -> None:
    """Alerts never exceed the runs, runs never what was reserved, and only the end closes one."""
    watch = plan(alerts)
    assert watch.sparse is not None
    draw, run, told = Drawing(watch), Run(), 0
    for counts in tables:
        crossed, after = compare(watch, rows(*counts), run, resting, draw)
        assert not {place for place, _ in crossed.cells} & resting
        told += len(crossed.cells)
        assert run.begun <= after.begun <= alerts
        run = after
        assert told == run.begun - (run.bar is not None)
    assert draw.thresholds == run.begun
    assert watch.spent_micro_rho(run.begun) <= watch.cost_micro_rho


def test_only_the_comparison_makes_what_leaves() -> None:
    """A number that was never compared has no way out."""
    with pytest.raises(TypeError):
        Crossed(((0, 12.0),), object())
