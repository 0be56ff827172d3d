"""Arithmetic on released numbers: what it says without noise, and how sure it is with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from landbridge.errors import InvalidQuestion
from policies.noise import draw
from tests.people import UNPROTECTED, crowd, write
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]

ROWS = crowd(400)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same people in a plain database, incomes clamped as the contract does."""
    path = write(ROWS, tmp_path_factory.mktemp("plain") / "people.csv")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE people AS SELECT * REPLACE "
            "(CASE WHEN income > 200000 THEN 200000 ELSE income END AS income) "
            f"FROM read_csv('{path}', header=true)"
        )
        yield connection


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT stddev(income) FROM people",
        "SELECT sex, variance(age), stddev_samp(height) FROM people GROUP BY sex ORDER BY sex",
        "SELECT corr(income, age), corr(height, age) FROM people",
        "SELECT corr(income, height) FROM people",
        "SELECT regr_slope(income, age), regr_intercept(income, age) FROM people",
        "SELECT district, regr_slope(height, income) FROM people GROUP BY district ORDER BY 1",
        "SELECT sum(income) / count(*), avg(income), 100.0 * count(income) / count(*) FROM people",
        "SELECT sum(income) - 2 * sum(age) AS d, -(count(*) + 1) AS e FROM people",
        "SELECT sum(CASE WHEN sex = 'F' THEN income ELSE 0 END) AS f, "
        "avg(CASE WHEN age > 40 THEN income END) AS g, "
        "count(CASE WHEN member THEN age WHEN diagnosis IS NULL THEN income END) AS h FROM people",
        "SELECT district, count(*) AS n FROM people GROUP BY district HAVING count(*) > 90 "
        "AND NOT avg(age) < 30 ORDER BY n DESC, district",
        "SELECT district FROM people GROUP BY district HAVING count(*) >= 100 "
        "OR sum(age) < count(*) ORDER BY district",
        "SELECT date_trunc('month', moved) AS m, count(*) FROM people "
        "WHERE moved IS NOT NULL GROUP BY m HAVING count(*) > 0 ORDER BY m",
        "SELECT date_trunc('week', moved), count(*) FROM people WHERE moved IS NOT NULL "
        "GROUP BY 1 HAVING count(*) > 0 ORDER BY 1",
        "SELECT date_trunc('quarter', moved) AS q, sex, count(*) FROM people "
        "WHERE moved IS NOT NULL GROUP BY q, sex HAVING count(*) > 0 ORDER BY q, sex",
        "SELECT count(*) * 1.5 AS x, sum(height) * 2 AS y, sum(2.5 - height) AS z FROM people",
        "SELECT avg(income * income) / 1000000 FROM people",
    ],
)
def test_without_noise_it_is_what_a_database_says(
    simulate: Simulate, plain: duckdb.DuckDBPyConnection, sql: str
) -> None:
    """Ratios, spreads, correlations, CASE, HAVING and dates, against DuckDB over the same rows."""
    federation = simulate({"north": ROWS}, contract=UNPROTECTED)
    expected = plain.execute(sql).fetchall()
    found = federation.query(sql).rows()
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            if isinstance(other, float):
                # Squares of large incomes are summed on a grid of 32.
                assert one == pytest.approx(other, rel=1e-4)
            elif other is not None and not isinstance(other, int | str):
                assert str(one) == str(other)[:10]
            else:
                assert one == other


def test_buckets_are_those_of_the_standard(
    simulate: Simulate, plain: duckdb.DuckDBPyConnection
) -> None:
    """0 under the range, then even buckets, then the rest; every bucket is answered."""
    federation = simulate({"north": ROWS})
    answer = federation.query(
        "SELECT width_bucket(age, 20, 80, 6) AS b, count(*) AS n FROM people GROUP BY b ORDER BY b"
    )
    expected = dict(
        plain.execute(
            "SELECT CASE WHEN age < 20 THEN 0 WHEN age >= 80 THEN 7 ELSE (age - 20) // 10 + 1 END "
            "AS b, count(*) FROM people GROUP BY b"
        ).fetchall()
    )
    assert answer.rows() == [(bucket, expected.get(bucket, 0)) for bucket in range(8)]


def test_departments_add_up_before_a_ratio_is_taken(simulate: Simulate) -> None:
    """A mean of means would be wrong; sums and counts are added first."""
    parts = {"north": crowd(30, 1), "east": crowd(300, 2)}
    federation = simulate(parts)
    (row,) = federation.query(
        "SELECT stddev(age) AS s, sum(age) / count(*) AS m FROM people"
    ).rows()
    ages = [person[3] for part in parts.values() for person in part]
    mean = sum(ages) / len(ages)
    spread = (sum((age - mean) ** 2 for age in ages) / (len(ages) - 1)) ** 0.5
    assert row[0] == pytest.approx(spread)
    assert row[1] == pytest.approx(mean)


def test_the_error_of_a_ratio_is_honest(simulate: Simulate) -> None:
    """Of 300 noisy ratios and spreads at 95 %, at least 270 hold the truth: by chance fewer do in
    one run of 10,000, and the first-order error would have to be wrong for more.
    """
    terms = {
        "landbridgeBudget": {
            "recipient": {"epsilon": 400, "delta": 1e-6},
            "overall": {"epsilon": 500, "delta": 1e-6},
            "period": "year",
        }
    }
    federation = simulate({"north": crowd(3_000)}, draw=draw, contract=terms)
    exact = simulate({"north": crowd(3_000)}, contract=UNPROTECTED)
    inside = total = 0
    for age in range(20, 45):
        sql = (
            "SELECT sex, avg(age) AS a, stddev(age) AS s, 100 * count(member) / count(*) AS p, "
            "regr_slope(age, height) AS r, sum(age) - 40 * count(*) AS d, count(income) * 2 AS c "
            f"FROM people WHERE age > {age} GROUP BY sex"
        )
        noisy = federation.query(sql, epsilon=4)
        truth: dict[Any, Any] = {row[0]: row[1:] for row in exact.query(sql).rows()}
        for row, widths in zip(noisy.rows(), noisy.half_widths(), strict=True):
            for place in range(1, 7):
                width = widths[place]
                value: Any = row[place]
                if width is not None:
                    total += 1
                    inside += abs(value - truth[row[0]][place - 1]) <= width
    assert total >= 250
    assert inside >= 0.85 * total


def test_a_ratio_that_noise_swallows_is_null_and_says_so(simulate: Simulate) -> None:
    """Dividing by what may be zero would show noise as a number; 3 people are under its width."""
    federation = simulate({"north": crowd(3)})
    answer = federation.query("SELECT avg(age) AS a, sum(age) / count(*) AS b FROM people")
    assert answer.rows() == [(None, None)]
    assert [note.kind for note in answer.notes].count("untold") == 1


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT count(*) FROM people HAVING age > 3", "neither aggregated nor grouped"),
        ("SELECT count(*) FROM people HAVING max(age) > 3", "allows no minimum"),
        ("SELECT sum(age / 2) FROM people", "no arithmetic"),
        ("SELECT age, count(*) FROM people GROUP BY width_bucket(age, 0, 100, 10)", "neither"),
        ("SELECT count(*) FROM people GROUP BY width_bucket(age, 100, 0, 10)", "upper end"),
        ("SELECT count(*) FROM people GROUP BY width_bucket(age, 0, 100, 5000)", "buckets"),
        ("SELECT count(*) FROM people GROUP BY width_bucket(district, 0, 1, 5)", "takes a number"),
        ("SELECT count(*) FROM people GROUP BY date_trunc('century', moved)", "no unit"),
        ("SELECT count(*) FROM people GROUP BY date_trunc('month', age)", "takes a date"),
        ("SELECT sum(CASE WHEN name = 'Zoltan Q' THEN 1 ELSE 0 END) FROM people", "no column"),
        ("SELECT sum(CASE age WHEN 93 THEN 1 END) FROM people", "THIS is not accepted"),
        ("SELECT sum(CASE WHEN age > 3 THEN district END) FROM people", "is string"),
        ("SELECT CASE WHEN count(*) > 3 THEN 1 END FROM people", "no aggregate"),
        ("SELECT count(*) FROM people GROUP BY moved", "no declared domain"),
    ],
)
def test_what_is_outside_says_what_it_is(simulate: Simulate, sql: str, says: str) -> None:
    """Each is refused from the text, with a sentence that helps."""
    from landbridge.errors import Refused

    federation = simulate({"north": crowd(3)})
    with pytest.raises((InvalidQuestion, Refused), match=says):
        federation.query(sql)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("0", "5e-324"),
        ("0", "0.0000000000001"),
        ("-1", "-0.9999999999999"),
        ("41000", "41000.00001"),
    ],
)
def test_no_bucket_is_so_narrow_that_its_width_vanishes(
    simulate: Simulate, low: str, high: str
) -> None:
    """Division by what rounds to nothing would fail for some rows and not for others."""
    federation = simulate({"north": ROWS})
    bucket = f"width_bucket(income, {low}, {high}, 1000)"
    with pytest.raises(InvalidQuestion):
        federation.query(f"SELECT {bucket} AS b, count(*) FROM people GROUP BY b")
    assert federation.nodes["north"].runs == 0


@pytest.mark.parametrize(
    "scalar",
    [
        "count(*) * 4000000000000000000",
        "count(*) / 1e-200 / 1e-200",
        "count(*) / (1e-100 * 1e-100 * 1e-100 * 1e-100)",
        " * ".join(["(count(*) * 1000000000000000000)"] * 18),
    ],
)
def test_arithmetic_that_leaves_the_numbers_is_null(simulate: Simulate, scalar: str) -> None:
    """Not an error after everything was charged."""
    federation = simulate({"north": ROWS}, contract=UNPROTECTED)
    (row,) = federation.query(f"SELECT {scalar} AS x FROM people").rows()
    assert row[0] is None or isinstance(row[0], float)


def test_arithmetic_is_bounded_before_anybody_is_asked(simulate: Simulate) -> None:
    """Outputs times cells take time in the gateway; a long list is refused from the text."""
    federation = simulate({"north": ROWS})
    many = ", ".join(f"corr(age, height) AS c{number}" for number in range(60))
    with pytest.raises(InvalidQuestion) as refused:
        federation.query(f"SELECT {many} FROM people GROUP BY age, district")
    assert refused.value.reason == "TOO_MANY_CELLS"
    assert federation.nodes["north"].runs == 0


def test_correlation_takes_no_condition_of_its_own(simulate: Simulate) -> None:
    """Which rows both sides have would take both sides' conditions; WHERE says it plainly."""
    federation = simulate({"north": ROWS})
    for function in ("corr", "regr_slope", "regr_intercept"):
        with pytest.raises(InvalidQuestion, match="without CASE"):
            federation.query(
                f"SELECT {function}(income, CASE WHEN age > 50 THEN age END) FROM people"
            )


def test_a_column_comes_before_an_alias_of_its_name(simulate: Simulate) -> None:
    """As in SQL: GROUP BY means the column where there is one."""
    federation = simulate({"north": ROWS}, contract=UNPROTECTED)
    answer = federation.query(
        "SELECT sex AS s, count(*) AS district FROM people GROUP BY s, district ORDER BY 1"
    )
    assert len(answer.rows()) == 2 * 4


def test_numbers_beside_a_restricted_column_stand_as_digests_in_the_log() -> None:
    """A bucket's ends and a constant can say as much as a comparison."""
    from dataclasses import replace

    from gateway.sql import read
    from landbridge.levels import Level
    from policies.canonical import masked
    from tests.people import contract

    known = contract()
    restricted = replace(
        known,
        columns=tuple(
            replace(column, level=Level.RESTRICTED) if column.name == "income" else column
            for column in known.columns
        ),
    )
    reading = read(
        "SELECT width_bucket(income, 812345, 812346, 1) AS b, sum(income - 812345), sum(age - 7) "
        "FROM people WHERE income = 812345 GROUP BY b",
        lambda *_: restricted,
        Level.RESTRICTED,
    )
    words = masked(reading.question, restricted, lambda text: text[:0] + "d" * 64)
    assert "81234" not in words
    assert "age - 7" in words
