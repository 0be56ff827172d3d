"""The tree of counts: which bins there are, and how little one unit moves them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from nodes.release import release
from policies.bounds import Interval
from policies.contract import Method, Noise
from policies.disclosure import plan_release
from policies.quantiles import (
    FANOUT,
    MAXIMUM_BINS,
    MAXIMUM_NUMBERS,
    Layout,
    layout,
    layout_of,
    levels,
)
from policies.question import Bucketed, ColumnOf, Count, Histogram, Question, Whole
from tests.people import UNPROTECTED, contract
from tests.simulator import exact

INCOME = Histogram(ColumnOf("income"))
AGE = Histogram(ColumnOf("age"))

spans = st.builds(
    lambda low, values, step: Interval(low * step, (low + values) * step, step, step == 1.0),
    st.integers(-(10**6), 10**6),
    st.integers(0, 10**6),
    st.sampled_from([1.0, 0.5, 0.25]),
)


@given(spans, st.integers(1, MAXIMUM_NUMBERS))
def test_the_bins_divide_the_interval_and_are_never_finer_than_its_grid(
    span: Interval, most: int
) -> None:
    """Every value has one bin, and no answer pretends to more than the data can say."""
    found = layout(span, most)
    values = span.high_units - span.low_units + 1
    assert (found.bins - 1) * found.width < values <= found.bins * found.width
    assert found.bins <= min(values, MAXIMUM_BINS)
    assert found.numbers <= most
    assert found.levels[-1] == found.bins
    assert found.levels[0] <= FANOUT
    assert found.edge(0) == span.low
    assert found.edge(found.bins) == span.high


@given(
    st.integers(1, 5_000).flatmap(lambda bins: st.tuples(st.just(bins), st.integers(0, bins - 1)))
)
def test_a_row_counts_once_in_each_level(drawn: tuple[int, int]) -> None:
    """The sensitivity rests on it: a row moves as many numbers as there are levels."""
    bins, index = drawn
    made = Layout(Interval(0, bins - 1, 1.0, whole=True), 0, 1, bins, levels(bins))
    start = 0
    for place, nodes, span in zip(made.places(index), made.levels, made.spans, strict=True):
        assert 0 <= place - start < nodes
        assert (place - start) * span <= index < (place - start + 1) * span
        start += nodes


@given(
    st.sampled_from(list(Noise)),
    st.integers(1, 12),
    st.data(),
)
def test_no_unit_moves_the_tree_by_more_than_the_sensitivity(
    noise: Noise, rows: int, data: st.DataObject
) -> None:
    """Over neighbouring tables: others as they are, all rows of one unit there or not."""
    terms = contract(landbridgeRowsPerUnit=rows, landbridgeNoise=noise.value)
    plan = plan_release(Question("people", (INCOME,), (Whole("sex"),)), terms, 0, 1)
    (mechanism,) = plan.mechanisms
    assert mechanism.layout is not None
    cells = st.tuples(st.integers(0, 1), st.integers(0, mechanism.layout.bins - 1))
    others = data.draw(st.lists(st.tuples(cells, st.integers(1, 99)), max_size=5))
    unit = data.draw(st.lists(cells, min_size=1, max_size=rows))
    before = [(*cell, count) for cell, count in others]
    after = [*before, *((*cell, 1) for cell in unit)]
    trees = [release(plan, [], exact, [part]).measures[0].units for part in (before, after)]
    moved = [abs(a - b) for a, b in zip(*trees, strict=True)]
    norm = sum(moved) if noise is Noise.LAPLACE else math.sqrt(sum(m * m for m in moved))
    assert norm <= mechanism.sensitivity * (1 + 1e-12)
    # The bound is met, so it is no looser than it must be.
    worst = release(plan, [], exact, [[(0, 0, rows)]]).measures[0].units
    most = sum(worst) if noise is Noise.LAPLACE else math.sqrt(sum(m * m for m in worst))
    assert most == pytest.approx(mechanism.sensitivity)


def test_all_histograms_of_a_question_share_one_limit() -> None:
    """Noise costs time, so how many numbers there are is bounded before anybody asks."""
    by_age = Bucketed("age", 0.0, 100.0, 10)
    question = Question("people", (Count(), AGE, INCOME), (Whole("district"), by_age))
    for method in (contract(), contract(**UNPROTECTED)):
        plan = plan_release(question, method, 0, 1)
        assert plan.cells == 48
        numbers = sum(plan.cells * m.numbers for m in plan.mechanisms if m.layout is not None)
        assert numbers <= MAXIMUM_NUMBERS
        assert method.disclosure.method is Method.DP or not any(m.scale for m in plan.mechanisms)


def test_too_few_bins_for_each_cell_are_refused() -> None:
    """A quantile of three bins would be no answer; the text alone decides."""
    question = Question("people", (INCOME,))
    assert layout_of(INCOME, question, contract(), 1).bins > 4_000
    with pytest.raises(LandbridgeError) as refused:
        layout_of(INCOME, question, contract(), 5_000)
    assert refused.value.reason == "TOO_MANY_CELLS"
    # A grid that has no more bins itself is as fine as it can be.
    flag = Histogram(ColumnOf("age"))
    assert layout(Interval(0, 1, 1.0, whole=True), 4).bins == 2
    assert layout_of(flag, Question("people", (flag,)), contract(), 100).width == 1


def test_an_interval_of_one_value_has_one_bin() -> None:
    """The smallest tree there is."""
    one = layout(Interval(7, 7, 1.0, whole=True), 100)
    assert (one.bins, one.levels, one.middle(0), one.places(0)) == (1, (1,), 7.0, [0])
