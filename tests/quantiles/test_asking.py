"""Medians, quantiles, minima and maxima from the caller's text to the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from landbridge.answers import Answer
from landbridge.errors import Fault, InvalidQuestion, LandbridgeError, Refused
from policies.noise import draw
from tests.people import DISTRICTS, TARGET, UNPROTECTED, crowd, document
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
MANY = crowd(4_000)


def ages(rows: list[Any], where: Callable[[Any], bool] = lambda _: True) -> list[int]:
    """The ages of those people."""
    return [row[3] for row in rows if where(row)]


def told(answer: Answer) -> tuple[list[float], list[float]]:
    """The numbers of the first row, all of which have a value, and their half-widths."""
    numbers = [value for value in answer.rows()[0] if isinstance(value, int | float)]
    widths = [width for width in answer.half_widths()[0] if width is not None]
    assert len(numbers) == len(widths) == len(answer.rows()[0])
    return numbers, widths


def allowing(share: float, column: str = "age", **terms: Any) -> bytes:
    """The contract with minima and maxima of one column allowed."""
    whole = json.loads(document(**terms))
    (found,) = (p for p in whole["schema"][0]["properties"] if p["name"] == column)
    found.setdefault("customProperties", []).append(
        {"property": "landbridgeExtremes", "value": share}
    )
    return json.dumps(whole).encode()


def test_quantiles_are_those_of_the_table(simulate: Simulate) -> None:
    """Each within a bin of numpy's and inside its own half-width, NULLs left out."""
    federation = simulate({"north": MANY})
    answer = federation.query(
        "SELECT median(income), quantile_cont(income, 0.1), quantile_disc(income, 0.9), "
        "quantile(income + 2 * age, 0.5), median(height) FROM people WHERE sex = 'F'"
    )
    women = [row for row in MANY if row[4] == "F"]
    incomes = [row[5] for row in women if row[5] is not None]
    mixed = [row[5] + 2 * row[3] for row in women if row[5] is not None]
    heights = [row[7] for row in women if row[7] is not None]
    expected = [
        np.quantile(incomes, 0.5), np.quantile(incomes, 0.1), np.quantile(incomes, 0.9),
        np.quantile(mixed, 0.5), np.quantile(heights, 0.5),
    ]  # fmt: skip
    numbers, widths = told(answer)
    for found, true, width in zip(numbers, expected, widths, strict=True):
        assert abs(found - true) <= width
        assert abs(found - true) <= 0.02 * true


def test_several_quantiles_of_one_expression_are_one_release(simulate: Simulate) -> None:
    """Asking for nine deciles costs what the median costs; the node runs one statement."""
    federation = simulate({"north": MANY}, draw=draw)
    shares = ", ".join(f"quantile_cont(age, 0.{n})" for n in range(1, 10))
    answer = federation.query(f"SELECT {shares} FROM people", epsilon=1)
    assert federation.nodes["north"].runs == 1
    assert told(answer)[0] == sorted(told(answer)[0])
    again = federation.query("SELECT median(age) AS m FROM people", epsilon=1)
    assert again.rows()[0][0] == answer.rows()[0][4]
    assert again.cost.epsilon == 0
    assert federation.nodes["north"].runs == 1


def test_departments_add_up_to_the_quantile_of_all(simulate: Simulate) -> None:
    """The median of everybody, which no average of medians is."""
    young = [row for row in crowd(4_000, 1) if row[3] < 40]
    old = [row for row in crowd(4_000, 2) if row[3] >= 60]
    federation = simulate({"north": young, "east": old, "west": crowd(1_000, 3)})
    answer = federation.query("SELECT median(age), count(*) FROM people")
    everybody = ages([*young, *old, *crowd(1_000, 3)])
    assert answer.rows()[0][0] == pytest.approx(np.median(everybody), abs=1)
    assert set(answer.departments) == {"north", "east", "west"}


def test_groups_without_rows_are_null_and_say_nothing(simulate: Simulate) -> None:
    """Attacks 33 and 34: same shape with and without rows; NULL is a matter of noise."""
    here = [row for row in MANY if row[2] != "D7"]
    federation = simulate({"north": here}, draw=draw)
    answer = federation.query(
        "SELECT district, median(age) AS m, count(*) AS n FROM people "
        "GROUP BY district ORDER BY district",
        epsilon=4,
    )
    assert [row[0] for row in answer.rows()] == sorted(DISTRICTS)
    assert [row[1] is None for row in answer.rows()] == [False, False, False, True]
    assert any(note.kind == "untold" for note in answer.notes)


def test_quantiles_stand_in_having_order_and_arithmetic(simulate: Simulate) -> None:
    """They are released numbers like all others."""
    rows = [row for row in MANY if row[2] != "D1" or row[3] > 50]
    federation = simulate({"north": rows})
    answer = federation.query(
        "SELECT district, median(age) AS m FROM people GROUP BY district "
        "HAVING median(age) > 40 AND quantile_cont(age, 0.25) > 20 ORDER BY m DESC LIMIT 2"
    )
    assert answer.rows()[0][0] == "D1"
    spread = federation.query(
        "SELECT quantile_cont(age, 0.75) - quantile_cont(age, 0.25) AS iqr, "
        "quantile_cont(age, 0.75) AS high, quantile_cont(age, 0.25) AS low, "
        "median(age) - median(age) AS nothing, median(age) / avg(age) AS ratio FROM people"
    )
    (iqr, high, low, nothing, ratio), widths = told(spread)
    assert iqr == pytest.approx(high - low)
    # Two numbers of one histogram share noise, so their widths add up.
    assert widths[0] == pytest.approx(widths[1] + widths[2])
    assert (nothing, widths[3]) == (0, 0)
    assert 0.5 < ratio < 2


def test_minimum_and_maximum_are_quantiles_where_the_owner_allows_them(simulate: Simulate) -> None:
    """The one person of 93 years is in none of them; a note says what they are."""
    rows = [*MANY, TARGET]
    federation = simulate({"north": rows}, documents=allowing(0.02))
    answer = federation.query("SELECT min(age), max(age) FROM people")
    (low, high), _ = told(answer)
    assert low == pytest.approx(np.quantile(ages(rows), 0.02), abs=2)
    assert high == pytest.approx(np.quantile(ages(rows), 0.98), abs=2)
    assert high < 93
    (note,) = (note for note in answer.notes if "min and max" in note.text)
    assert "2 % and 98 % quantiles" in note.text


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT max(income) FROM people", "no minimum or maximum of column income"),
        ("SELECT min(age) FROM people", r"quantile_cont\(age, 0.01\)"),
        ("SELECT max(age + 1) FROM people", "takes a column"),
        ("SELECT max(age, 3) FROM people", "COUNT is not accepted"),
        ("SELECT max(DISTINCT age) FROM people", "takes a column"),
        ("SELECT max(name) FROM people", "no column"),
        ("SELECT max(district) FROM people", "is string"),
        ("SELECT median(person_id) FROM people", "identifies the protected unit"),
        ("SELECT median(district) FROM people", "is string"),
        ("SELECT median(DISTINCT age) FROM people", "no arithmetic"),
        ("SELECT median(age) FILTER (WHERE sex = 'F') FROM people", "not accepted"),
        ("SELECT quantile_cont(age, 1.5) FROM people", "from 0 to 1"),
        ("SELECT quantile_cont(age, -0.1) FROM people", "from 0 to 1"),
        ("SELECT quantile_cont(age, height) FROM people", "number is needed"),
        ("SELECT quantile_cont(age) FROM people", "a column and a share"),
        ("SELECT quantile(age, 0.5, income) FROM people", "takes 2 arguments"),
        ("SELECT quantile_cont(age, [0.1, 0.5]) FROM people", "not accepted"),
        ("SELECT quantile_cont(age, 0.5 ORDER BY age) FROM people", "number is needed"),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY age) FROM people", "quantile_cont"),
        ("SELECT mode(name) FROM people", "no function"),
        ("SELECT arg_max(name, income) FROM people", "no function"),
        ("SELECT min_by(name, age) FROM people", "no function"),
        ("SELECT median(age) OVER () FROM people", "not accepted"),
    ],
)
def test_other_order_statistics_are_refused_from_the_text(
    simulate: Simulate, sql: str, says: str
) -> None:
    """Attack 29: what is not released with noise is refused before any data is touched."""
    federation = simulate({"north": crowd(3)})
    with pytest.raises((InvalidQuestion, Refused), match=says):
        federation.query(sql)
    assert federation.nodes["north"].runs == 0


def test_the_ends_of_the_scale_are_quantiles_too(simulate: Simulate) -> None:
    """With shares 0 and 1: they have noise and an honest width, so they give nobody away."""
    federation = simulate({"north": MANY}, draw=draw)
    answer = federation.query(
        "SELECT quantile_cont(age, 0) AS low, quantile_cont(age, 1) AS high FROM people", epsilon=4
    )
    # False alarm: a width holds in 95 %; that three times it does not is one in a million.
    numbers, widths = told(answer)
    for found, true, width in zip(numbers, (18, 80), widths, strict=True):
        assert width > 0
        assert abs(found - true) <= 3 * width


CELL_KEY = {
    "landbridgeMethod": "cell_key",
    "landbridgeRowsPerUnit": None,
    "landbridgeNoise": None,
    "landbridgeBudget": None,
    "landbridgeEpsilon": None,
    "landbridgeMinimumUnits": 3,
    "landbridgeCellKey": {"D": 5, "V": 3, "js": 2},
}
EXACT = {
    **CELL_KEY,
    "landbridgeMethod": "exact",
    "landbridgeCellKey": None,
    "landbridgeExactFor": ["university"],
    "landbridgeExactBy": ["sex"],
}


@pytest.mark.parametrize("terms", [CELL_KEY, EXACT], ids=["cell_key", "exact"])
def test_methods_for_tables_answer_no_quantiles(simulate: Simulate, terms: dict[str, Any]) -> None:
    """The bins of an exact histogram would be small cells of the caller's choosing."""
    federation = simulate({"north": crowd(50)}, contract=terms)
    with pytest.raises(InvalidQuestion, match="method dp"):
        federation.query("SELECT median(age) FROM people")
    assert federation.nodes["north"].runs == 0


def test_a_table_that_protects_nobody_has_exact_quantiles(simulate: Simulate) -> None:
    """Whole numbers on their own grid are exact, others to half a bin."""
    federation = simulate({"north": MANY}, contract=UNPROTECTED)
    answer = federation.query(
        "SELECT median(age), quantile_disc(age, 0.9), quantile_cont(height, 0.25) FROM people"
    )
    (median, disc, height), widths = told(answer)
    heights = [row[7] for row in MANY if row[7] is not None]
    assert median == np.median(ages(MANY))
    assert disc == np.quantile(ages(MANY), 0.9, method="inverted_cdf")
    assert height == pytest.approx(np.quantile(heights, 0.25), abs=0.006)
    assert widths == [0, 0, pytest.approx(0.005)]


@pytest.mark.parametrize("spoil", ["one less", "one more", "of a plain count", "far too many"])
def test_a_histogram_of_the_wrong_size_is_rejected(simulate: Simulate, spoil: str) -> None:
    """Attack 81: the node is named, and nothing of its answer is used."""
    federation = simulate(
        {"north": crowd(50), "east": crowd(50)}, contract={"landbridgePooling": {"minimum": 3}}
    )

    def change(reply: Any) -> None:
        units = reply.release.measures[0].units
        if spoil == "one less":
            del units[-1]
        elif spoil == "one more":
            units.append(0)
        elif spoil == "of a plain count":
            del units[1:]
        else:
            units[0] = 10**12

    federation.nodes["east"].change = change
    with pytest.raises(Fault) as rejected:
        federation.query("SELECT median(age) FROM people")
    assert rejected.value.reason == "ANSWER_REJECTED"
    assert rejected.value.missing == ("east",)


def test_explain_knows_the_bins_but_no_accuracy(simulate: Simulate) -> None:
    """What a quantile's error will be depends on how close together people are: on data."""
    federation = simulate({"north": crowd(50)})
    plan = federation.explain("SELECT median(age) AS m, count(*) AS n FROM people")
    assert plan.accuracy["m"] is None
    assert plan.accuracy["n"] is not None
    assert federation.nodes["north"].runs == 0


def test_too_much_work_after_release_is_refused_before_it(simulate: Simulate) -> None:
    """Reading a quantile off its bins takes the gateway's time, so it is bounded from the text."""
    federation = simulate({"north": crowd(3)})
    many = ", ".join(f"quantile_cont(income, 0.{n:02})" for n in range(1, 64))
    with pytest.raises(LandbridgeError) as refused:
        federation.query(f"SELECT {many} FROM people")
    assert refused.value.reason == "TOO_MANY_CELLS"
    by_many = "SELECT district, sex, diagnosis, age, median(income) FROM people GROUP BY ALL"
    with pytest.raises(LandbridgeError):
        federation.query(by_many.replace("ALL", "district, sex, diagnosis, age"))
    assert federation.nodes["north"].runs == 0
