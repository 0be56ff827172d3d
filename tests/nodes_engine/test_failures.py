"""What a failure says: the constant sentence, and nothing of the engine's own words."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest

from landbridge.errors import CATALOGUE, Fault
from nodes.engines import database
from nodes.engines.duckdb import DuckDBEngine
from tests.nodes_engine.conftest import LIMITS, SECRET, answers

LEAKY = [
    "SELECT count(*) FROM people WHERE name::INT = 1 AND person_id = 4711",
    "SELECT error(name) FROM people WHERE person_id = 4711",
    "SELECT strptime(name, '%Y') FROM people WHERE person_id = 4711",
    "SELECT name::JSON FROM people WHERE person_id = 4711",
    "SELECT regexp_matches('a', concat('(', name)) FROM people WHERE person_id = 4711",
    "SELECT (SELECT name FROM people WHERE person_id < 9000) FROM people",
    "SELECT name::UUID FROM people WHERE person_id = 4711",
    "SELECT * FROM query_table((SELECT max(name) FROM people))",
    "SELECT [name] FROM people WHERE person_id = 4711",
    "SELECT name::BLOB FROM people WHERE person_id = 4711",
]


@pytest.mark.parametrize("sql", LEAKY)
def test_no_failure_quotes_data(
    engine: DuckDBEngine,
    sql: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failed cast quotes the value; neither the exception nor any output may hold it (F21)."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Fault) as caught:
        engine.run(sql, [], timeout=20, maximum_rows=100)
    failure = caught.value
    assert failure.message == CATALOGUE["RUN_FAILED"].sentence
    assert failure.__cause__ is None
    assert failure.__context__ is None
    answers(engine)
    out, err = capfd.readouterr()
    said = "".join(traceback.format_exception(failure)) + repr(vars(failure)) + out + err
    assert SECRET not in said + caplog.text


def test_plain_duckdb_does_quote_data(people: Path) -> None:
    """Positive control: the planted value is in the engine's own message."""
    connection = database.open_sealed({"people": str(people)}, memory_bytes=64 << 20, threads=1)
    with pytest.raises(database.Error, match=SECRET):
        connection.execute(LEAKY[0]).fetchall()
    connection.close()


def test_every_failure_is_the_same(engine: DuckDBEngine) -> None:
    """Whoever sees two failures must not tell their reasons apart."""
    said = set()
    for sql in [*LEAKY[:3], "SELECT nothing FROM people", "SELEC", "SELECT name FROM people"]:
        with pytest.raises(Fault) as caught:
            engine.run(sql, [], timeout=20, maximum_rows=100)
        said.add((str(caught.value), repr(caught.value)))
    assert len(said) == 1


def test_more_rows_than_allowed_is_a_failure(engine: DuckDBEngine) -> None:
    """A result larger than the compiler foresaw is a defect, and must not be cut silently."""
    sql = "SELECT person_id FROM people ORDER BY person_id LIMIT ?"
    assert len(engine.run(sql, [10], timeout=20, maximum_rows=10)) == 10
    with pytest.raises(Fault):
        engine.run(sql, [11], timeout=20, maximum_rows=10)


@pytest.mark.parametrize("parameters", [[], [1, 2], ["x"], [10**60], ["\ud800"]])
def test_parameters_that_do_not_fit_fail(engine: DuckDBEngine, parameters: list[int | str]) -> None:
    """Too few, too many, of another type, too large, not encodable: one failure for all."""
    with pytest.raises(Fault):
        engine.run(
            "SELECT count(*) FROM people WHERE age = ?", parameters, timeout=20, maximum_rows=1
        )
    answers(engine)


def test_a_failed_worker_answers_nobody_else(people: Path) -> None:
    """Whatever a failure left behind in a process, the next question must not meet it."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    before = engine.pids
    with pytest.raises(Fault):
        engine.run("SELECT error('x')", [], timeout=20, maximum_rows=1)
    answers(engine)
    assert set(before).isdisjoint(engine.pids)
    engine.close()
