"""From the counts of one cell to a quantile, and the interval that comes with it."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.combine import combine
from gateway.quantile import Tree
from gateway.scalar import Quantile, estimate
from gateway.table import half_width
from landbridge.v1 import node_pb2
from nodes.convert import release_to
from nodes.release import release
from policies.bounds import Interval
from policies.contract import Noise
from policies.disclosure import plan_release
from policies.noise import draw
from policies.quantiles import Layout, layout, levels
from policies.question import ColumnOf, Histogram, Question
from tests.people import contract

HEIGHT = Histogram(ColumnOf("height"))
SHARES = (0.0, 0.05, 0.25, 0.5, 0.9, 0.99, 1.0)


def tree(values: list[int], made: Layout, deviation: float = 0.0) -> Tree:
    """The true counts of whole values, said to carry noise of that deviation."""
    numbers = [0] * made.numbers
    for value in values:
        for place in made.places((value - made.low_units) // made.width):
            numbers[place] += 1
    return Tree(made, numbers, Noise.GAUSSIAN, deviation)


@given(
    st.lists(st.integers(-40, 3_000), min_size=1, max_size=60),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from([5, 60, 700, 4_000]),
)
def test_without_noise_it_is_the_quantile_within_half_a_bin(
    values: list[int], share: float, discrete: bool, most: int
) -> None:
    """Against numpy and DuckDB; 0 is claimed only where every bin is one value."""
    made = layout(Interval(-40, 3_000, 1.0, whole=True), most)
    found = tree(values, made).quantile(share, discrete=discrete)
    assert found is not None
    if discrete:
        (true,) = duckdb.execute(
            "SELECT quantile_disc(v, $q) FROM (SELECT unnest($v::BIGINT[]) AS v)",
            {"v": values, "q": share},
        ).fetchall()[0]  # fmt: skip
    else:
        true = float(np.quantile(values, share))
    assert abs(found.value - true) <= found.half_width + 1e-6
    assert (found.half_width == 0) == (made.width == 1)


@given(st.lists(st.integers(0, 500), min_size=8, max_size=80), st.floats(0, 1))
def test_with_little_noise_it_lies_within_a_bin(values: list[int], share: float) -> None:
    """The noisy path reads the same quantile off the same counts."""
    made = layout(Interval(0, 500, 1.0, whole=True), 100)
    found = tree(values, made, 1e-6).quantile(share, discrete=False)
    if found is None:  # only where neighbouring rows lie in the first and the last bin
        ordered, place = sorted(values), share * (len(values) - 1)
        near = (max(int(place) - 2, 0), min(int(place) + 3, len(values) - 1))
        assert ordered[near[0]] < made.width
        assert ordered[near[1]] >= (made.bins - 1) * made.width
        return
    low = np.quantile(values, share, method="lower")
    high = np.quantile(values, share, method="higher")
    assert low - made.width <= found.value <= high + made.width
    assert abs(found.value - np.quantile(values, share)) <= found.half_width + 1e-6
    # The last bin can hold fewer values than the others.
    narrowest = made.edge(made.bins) - made.edge(made.bins - 1)
    assert found.half_width >= min(narrowest, made.width - 0.5) / 2 - 1e-6


@pytest.mark.parametrize("bins", [1, 2, 7, 8, 9, 64, 65, 577, 4_096])
def test_an_edge_has_every_row_on_one_of_its_sides(bins: int) -> None:
    """Sums of few nodes are the sums of all bins, whatever the shape of the tree."""
    from gateway.quantile import _nodes

    sizes = levels(bins)
    counts = np.arange(1, bins + 1)
    sums = [
        np.concatenate([[0], np.cumsum(np.add.reduceat(counts, range(0, bins, span)))])
        for span in (8**depth for depth in reversed(range(len(sizes))))
    ]
    for edge in range(bins + 1):
        parts = list(zip(sums, _nodes(sizes, edge), strict=True))
        assert sum(s[cut] - s[first] for s, (first, cut, _, _) in parts) == counts[:edge].sum()
        assert sum(s[end] - s[after] for s, (_, _, after, end) in parts) == counts[edge:].sum()
        assert sum(cut - first + end - after for _, (first, cut, after, end) in parts) <= max(
            8 * len(sizes), bins
        )


def test_what_is_lost_in_the_noise_has_no_value() -> None:
    """No rows, few rows, or an interval that says nothing: all the same NULL."""
    made = layout(Interval(0, 120, 1.0, whole=True), 1_000)
    assert tree([], made).quantile(0.5, discrete=False) is None
    assert tree([], made, 5.0).quantile(0.5, discrete=False) is None
    assert tree([30] * 20, made, 20.0).quantile(0.5, discrete=False) is None
    assert tree([30] * 20_000, made, 20.0).quantile(0.5, discrete=False) is not None


def test_a_bin_that_is_everything_is_known_without_a_test() -> None:
    """One bin: the value can only be there, once there are rows at all."""
    made = layout(Interval(7, 7, 1.0, whole=True), 10)
    assert tree([7] * 50, made).quantile(0.5, discrete=True) is not None
    found = tree([7] * 50, made, 3.0).quantile(0.5, discrete=True)
    assert found is not None
    assert found.value == 7
    assert tree([7], made, 3.0).quantile(0.5, discrete=True) is None


@pytest.mark.parametrize("noise", list(Noise))
@pytest.mark.parametrize("departments", [1, 2])
def test_the_stated_interval_holds_nineteen_times_in_twenty(noise: Noise, departments: int) -> None:
    """300 releases through the release step and combination, for each of five shares.

    Were it 95 % exactly, fewer than 93 % would happen in about 1 of 20 runs for each share. In fact
    99 % and more were seen to hold, the tests of the levels taking less than they may; at 99 % the
    false-alarm rate is below 10^-9. An interval that holds nine times in ten passes for a share in
    1 of 20 runs.
    """
    terms = contract(landbridgeNoise=noise.value)
    plan = plan_release(Question("people", (HEIGHT,)), terms, 4_000_000, departments)
    (mechanism,) = plan.mechanisms
    made = mechanism.layout
    assert made is not None
    values = np.clip(np.random.default_rng().gamma(8, 0.2, 1_500), 0.4, 2.5).round(2)
    bins = (np.rint(values / 0.01).astype(int) - made.low_units) // made.width
    rows = [(int(b), int(n)) for b, n in zip(*np.unique(bins, return_counts=True), strict=True)]
    everyone = np.tile(values, departments)
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    runs, missed, told, widths = 300, [0] * 5, [0] * 5, [0.0] * 5
    for _ in range(runs):
        replies = {
            f"d{n}": node_pb2.AnswerResponse(
                release=release_to(release(plan, [], draw, [rows]), "v"),
                charged_micro_rho=plan.cost_micro_rho,
            )
            for n in range(departments)
        }
        (part,) = combine(plan, replies)
        for number, share in enumerate(shares):
            found = estimate(Quantile(HEIGHT, share), {HEIGHT: part}, {HEIGHT: half_width(part)}, 0)
            width = found.half_width({})
            if found.value is None or width is None:
                continue
            told[number] += 1
            widths[number] += width
            true = float(np.quantile(everyone, share))
            missed[number] += abs(found.value - true) > width + 1e-9
    assert all(many <= 0.07 * runs for many in missed), missed
    assert min(told) > 0.95 * runs
    # Not vacuous: the interval is a small part of [0.4, 2.5].
    assert all(width / many < 0.35 for width, many in zip(widths, told, strict=True)), widths
