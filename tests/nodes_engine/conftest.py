"""A small department: one table with a planted person, and an engine over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.engines.database import open_for_loading
from nodes.engines.duckdb import DuckDBEngine, Limits

SECRET = "Zoltan Q"
LIMITS = Limits(memory_bytes=256 << 20, threads=1, cpu_seconds=20)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose table `data` has 20,000 rows, one of them with the secret name."""
    folder = tmp_path_factory.mktemp("people")
    file = folder / "people.duckdb"
    connection = open_for_loading(str(file), spill=str(folder))
    connection.execute(
        "CREATE TABLE data AS SELECT i AS person_id, "
        "CASE WHEN i = 4711 THEN ? ELSE 'n' || i END AS name, i % 100 AS age "
        "FROM range(20000) AS t(i)",
        [SECRET],
    )
    connection.close()
    return file


@pytest.fixture(scope="module")
def engine(people: Path) -> Iterator[DuckDBEngine]:
    """One engine for a module's tests: each of them also shows that the last did no harm."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    yield engine
    engine.close()


def answers(engine: DuckDBEngine) -> None:
    """Raises unless the engine answers a plain question rightly."""
    rows = engine.run("SELECT count(*) FROM people", [], timeout=20, maximum_rows=1)
    assert rows == [(20000,)]
