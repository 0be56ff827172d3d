"""The example's departments: their real data is written, loaded and asked."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path

import pytest

from landbridge.levels import Level
from nodes.engines.duckdb import DuckDBEngine
from nodes.load import load
from nodes.store import Store
from policies.contract import Bounds, Column, Contract, Disclosure, Method, Type
from tests.nodes_engine.conftest import LIMITS

EXAMPLE = Path(__file__).parents[2] / "examples" / "nyc_flights"


def written(department: str, folder: Path) -> Mapping[str, Path]:
    """What the department's `load` writes into the folder."""
    path = EXAMPLE / department / "data" / "load.py"
    files: Mapping[str, Path] = runpy.run_path(str(path))["load"](folder)
    return files


FLIGHTS = Contract(
    "flights",
    "1.0.0",
    "",
    "",
    (
        Column("month", Type.INTEGER, Level.OPEN, domain=tuple(range(1, 13))),
        Column("origin", Type.TEXT, Level.OPEN, domain=("EWR", "JFK", "LGA")),
        Column("carrier", Type.TEXT, Level.OPEN),
        Column("day", Type.INTEGER, Level.OPEN, bounds=Bounds(1, 31)),
        Column("hour", Type.INTEGER, Level.OPEN, bounds=Bounds(0, 23)),
        Column("dest", Type.TEXT, Level.OPEN),
        Column("dep_delay", Type.INTEGER, Level.OPEN, nullable=True),
        Column("arr_delay", Type.INTEGER, Level.OPEN, nullable=True),
        Column("air_time", Type.INTEGER, Level.OPEN, nullable=True),
        Column("distance", Type.INTEGER, Level.OPEN),
        Column("cancelled", Type.BOOLEAN, Level.OPEN, domain=(False, True)),
        Column("time_hour", Type.TIMESTAMP, Level.RESTRICTED),
        Column("tailnum", Type.TEXT, Level.SEALED, nullable=True),
    ),
    "tailnum",
    frozenset(),
    Disclosure(Method.DP, rows_per_unit=600),
    "d",
)


@pytest.mark.parametrize(
    ("department", "flights", "cancelled"),
    [("ewr", 120_835, 3_239), ("jfk", 111_279, 1_863), ("lga", 104_662, 3_153)],
)
def test_an_airport_serves_its_own_flights(
    tmp_path: Path, department: str, flights: int, cancelled: int
) -> None:
    """The totals are those of the published data set, so nothing is lost on the way."""
    store = Store(tmp_path / "store")
    report = load(FLIGHTS, written(department, tmp_path)["flights"], store)
    assert report.rows == flights
    assert report.ignored == ()
    assert report.loaded is not None
    assert report.loaded.largest_unit <= 600
    engine = DuckDBEngine(store.tables(), LIMITS)
    rows = engine.run(
        "SELECT origin, count(*) FROM flights WHERE cancelled GROUP BY origin",
        [],
        timeout=20,
        maximum_rows=10,
    )
    engine.close()
    assert rows[0][0] == department.upper()
    # Cancelled flights without an aircraft are set aside with all rows that have none.
    assert rows[0][1] == cancelled - report.loaded.set_aside


@pytest.mark.parametrize(
    ("department", "contract", "lines"), [("faa", "planes", 3_322), ("noaa", "weather", 26_115)]
)
def test_a_register_is_written_as_it_is(
    tmp_path: Path, department: str, contract: str, lines: int
) -> None:
    """The two other departments serve their files unchanged."""
    files = written(department, tmp_path)
    assert set(files) == {contract}
    with files[contract].open(encoding="utf-8") as file:
        assert sum(1 for _ in file) - 1 == lines
