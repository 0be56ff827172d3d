"""With noise off a pooled answer is what DuckDB says of all rows in one table."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.people import crowd, document, write
from tests.pooling.asking import PLENTY
from tests.simulator import FederationSimulator

KEYS = ("district", "sex", "diagnosis", "member", "date_trunc('month', moved)")
MEASURES = (
    "count(*)",
    "count(income)",
    "sum(age)",
    "sum(income)",
    "sum(age * 2 - 5)",
    "sum(CASE WHEN sex = 'F' THEN age END)",
)
FILTERS = (
    "age >= 30",
    "district IN ('D1', 'D3')",
    "diagnosis IS NOT NULL",
    "NOT (sex = 'F' AND age < 50)",
    "income BETWEEN 1000 AND 90000",
)
SCHEMAS: dict[str, tuple[int, dict[str, Any]]] = {
    "two, each person in one": (2, {}),
    "four, each person in one": (4, {}),
    "three, a person in all": (3, {"landbridgeUnitsSpan": 3}),
    "three, few honest": (3, {"landbridgePooling": {"honest": 1, "alone": False}}),
}
Made = dict[str, tuple[FederationSimulator, duckdb.DuckDBPyConnection]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A federation of each schema, and all its rows in the clear."""
    with ExitStack() as ends:
        found: Made = {}
        for name, (departments, terms) in SCHEMAS.items():
            place = tmp_path_factory.mktemp("pooled")
            found[name] = _federation(place, departments, terms)
            ends.callback(found[name][0].close)
        yield found


def _federation(
    place: Path, departments: int, terms: dict[str, Any]
) -> tuple[FederationSimulator, duckdb.DuckDBPyConnection]:
    files = {
        f"d{number}": write(crowd(60 + number, number), place / f"d{number}.csv")
        for number in range(departments)
    }
    clear = duckdb.connect()
    clear.execute(f"CREATE TABLE people AS FROM read_csv('{place}/d*.csv')")
    return FederationSimulator(place, files, document(**PLENTY, **terms)), clear


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("schema", SCHEMAS)
@given(
    keys=st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
    measures=st.lists(st.sampled_from(MEASURES), min_size=1, max_size=3, unique=True),
    filters=st.lists(st.sampled_from(FILTERS), max_size=2, unique=True),
)
def test_a_pooled_answer_is_the_answer_over_all_rows(
    made: Made, schema: str, keys: list[str], measures: list[str], filters: list[str]
) -> None:
    """Whatever is grouped, measured and filtered; empty cells are there and hold nothing."""
    federation, clear = made[schema]
    named = [f"{measure} AS m{at}" for at, measure in enumerate(measures)]
    sql = f"SELECT {', '.join([*keys, *named])} FROM people"
    if filters:
        sql += f" WHERE {' AND '.join(filters)}"
    if keys:
        sql += f" GROUP BY {', '.join(keys)}"
    rows = clear.execute(sql).fetchall()
    true = {tuple(map(_day, row[: len(keys)])): row[len(keys) :] for row in rows}
    answer = federation.query(sql, question_id=secrets.token_hex(16))
    assert federation.nodes["d0"].received[-1].DESCRIPTOR.name == "PoolRequest"
    found = {row[: len(keys)]: row[len(keys) :] for row in answer.rows()}
    assert true.keys() <= found.keys()
    for cell, values in found.items():
        expected = true.get(cell, [None] * len(measures))
        for measure, value, exact in zip(measures, values, expected, strict=True):
            assert value == (exact or 0), measure


def _day(value: Any) -> Any:
    """DuckDB cuts a date off to a timestamp."""
    return value.date() if isinstance(value, datetime) else value


def test_an_average_is_that_of_everybody(made: Made) -> None:
    """A sum and a count that were pooled together, the middle of the clip interval put back."""
    federation, clear = made["three, a person in all"]
    ((true,),) = clear.execute("SELECT avg(age) FROM people").fetchall()
    ((found,),) = federation.query("SELECT avg(age) AS a FROM people").rows()
    assert found == pytest.approx(true, abs=0.01)


def test_a_median_is_pooled_too(made: Made) -> None:
    """The trees of counts add up, and the quantile is read off the total."""
    federation, clear = made["four, each person in one"]
    ((true,),) = clear.execute("SELECT median(age) FROM people").fetchall()
    ((found,),) = federation.query("SELECT median(age) AS m FROM people", epsilon=4).rows()
    assert found == pytest.approx(true, abs=2)
    assert federation.nodes["d0"].received[-1].DESCRIPTOR.name == "PoolRequest"


def test_distinct_units_are_pooled_where_a_unit_is_in_one_department(made: Made) -> None:
    """And refused where it could be in several, which would count it twice."""
    federation, clear = made["two, each person in one"]
    ((true,),) = clear.execute("SELECT count(person_id) FROM people").fetchall()
    assert federation.query("SELECT count(DISTINCT person_id) FROM people").rows() == [(true,)]
    several, _ = made["three, a person in all"]
    with pytest.raises(Exception, match="do not add up"):
        several.query("SELECT count(DISTINCT person_id) FROM people")
