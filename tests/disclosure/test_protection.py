"""Sensitive sums by the definitions of the rules, and what is shown of cells that are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import InvalidQuestion
from policies.contract import Disclosure, Dominance, Method
from policies.protection import Part, dominated
from tests.disclosure.terms import cell_key, exact, federation
from tests.people import TARGET, crowd

amounts = st.lists(st.integers(0, 1_000), min_size=1, max_size=12)


def part(totals: list[int]) -> Part:
    """A sum whose units have these totals."""
    largest = sorted(totals, reverse=True) + [0] * 5
    return Part(len(totals), sum(totals), 0, 0, sum(totals), len(totals), tuple(largest[:5]))


@given(amounts, st.integers(1, 5), st.integers(1, 99))
def test_dominance_is_the_share_of_the_n_largest(totals: list[int], n: int, k: int) -> None:
    """(n, k) by its definition."""
    terms = Disclosure(Method.EXACT, dominance=Dominance(n, k))
    share = sum(sorted(totals, reverse=True)[:n]) * 100 > k * sum(totals)
    assert dominated(part(totals), terms) == share


@given(amounts, st.integers(1, 99))
def test_p_percent_is_how_well_the_second_knows_the_first(totals: list[int], p: int) -> None:
    """The second largest takes itself away; what is left is within p percent of the largest."""
    terms = Disclosure(Method.EXACT, p_percent=p)
    first, second, *rest = [*sorted(totals, reverse=True), 0]
    assert dominated(part(totals), terms) == (100 * sum(rest) < p * first)
    del second


@pytest.mark.parametrize("terms", [cell_key, exact])
@pytest.mark.parametrize(
    "rule", [{"landbridgeDominance": {"n": 1, "k": 60}}, {"landbridgePPercent": 40}]
)
def test_a_sum_that_one_person_dominates_is_withheld(
    tmp_path: Path, terms: object, rule: dict[str, object]
) -> None:
    """The count of the same cell is shown: it says nothing about how they share it."""
    assert callable(terms)
    poor = [(*row[:5], 100, *row[6:]) for row in crowd(60)]
    rich = (*TARGET[:2], "D1", *TARGET[3:])
    # Sixty people are too few for the table that the other tests are by.
    by = {"landbridgeExactBy": ["district"]} if terms is exact else {}
    north = federation(tmp_path, [*poor, rich], terms(**rule, **by))
    asked = "SELECT district, count(*), sum(income), avg(income) FROM people GROUP BY district"
    found = {row[0]: row[1:] for row in north.query(asked).rows()}
    assert found["D1"][0] is not None
    assert found["D1"][1:] == (None, None)


def test_exact_numbers_are_rounded_to_the_base(tmp_path: Path) -> None:
    """Counts and sums; the half-width is half the base and holds with certainty."""
    north = federation(tmp_path, crowd(303), exact(landbridgeRounding=10))
    answer = north.query("SELECT count(*) AS n, sum(age) AS s FROM people")
    ((count, total),) = answer.rows()
    assert count == 300
    assert total == pytest.approx(sum(row[3] for row in crowd(303)), abs=5)
    assert answer.accuracy == {"n": [5.0], "s": [5.0]}


def test_without_rounding_what_is_shown_is_true(tmp_path: Path) -> None:
    """Exact means exact."""
    north = federation(tmp_path, crowd(300), exact())
    rows = north.query("SELECT sex, count(*), sum(age) FROM people GROUP BY sex").rows()
    for sex, count, total in rows:
        ages = [row[3] for row in crowd(300) if row[4] == sex]
        assert (count, total) == (len(ages), sum(ages))


def test_a_count_of_values_does_not_tell_who_has_none(tmp_path: Path) -> None:
    """count(*) - count(x) would be a number below the minimum."""
    rows = [(*row[:8], True, *row[9:]) for row in crowd(100)]
    rows[0] = (*rows[0][:8], None, *rows[0][9:])
    north = federation(tmp_path, rows, exact())
    assert north.query("SELECT count(*), count(member) FROM people").rows() == [(100, None)]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT width_bucket(age, 0, 90, 9) AS b, count(*) FROM people GROUP BY b", "declared"),
        ("SELECT date_trunc('month', moved) AS m, count(*) FROM people GROUP BY m", "declared"),
        ("SELECT count(CASE WHEN age = 93 THEN age END) FROM people", "plain columns"),
        ("SELECT sum(CASE WHEN age = 93 THEN income ELSE 0 END) FROM people", "plain columns"),
        ("SELECT stddev(age) FROM people", "plain columns"),
    ],
)
@pytest.mark.parametrize("terms", [exact(), cell_key()], ids=["exact", "cell_key"])
def test_filters_and_cut_points_in_disguise_are_refused(
    tmp_path: Path, terms: bytes, sql: str, says: str
) -> None:
    """Conditions inside aggregates and buckets of a caller's choosing pass no filter rule."""
    north = federation(tmp_path, crowd(100), terms)
    with pytest.raises(InvalidQuestion, match=says):
        north.query(sql)
