"""`peer_qrlew`: the same SQL, rewritten by Qrlew and run in DuckDB."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import duckdb
import sqlalchemy
from pyqrlew import Dataset, Dialect

ROWS = duckdb.connect(config={"threads": 2})
ROWS.execute("CREATE TABLE people AS FROM read_csv(?)", [SOURCE])
# It takes names, types and size of a table from a database that it knows; DuckDB is none.
KNOWN = sqlalchemy.create_engine("sqlite://")
with KNOWN.begin() as known:
    table = "CREATE TABLE people (person BIGINT, district TEXT, age BIGINT, income BIGINT)"
    known.execute(sqlalchemy.text(table))
    (size,) = ROWS.execute("SELECT count(*) FROM people").fetchone()
    insert = sqlalchemy.text("INSERT INTO people VALUES (:n, 'district 00', 1, 1)")
    known.execute(insert, [{"n": n} for n in range(size)])
DATA = (
    Dataset.from_database("crowd", KNOWN)
    .with_range(None, "people", "income", 0, 200_000)
    .with_possible_values(None, "people", "district", DISTRICTS)
    .with_constraint(None, "people", "person", "_UNIQUE_")
)
SQL = "SELECT district, COUNT(*), AVG(income) FROM people GROUP BY district"


def answer():
    private = DATA.relation(SQL).rewrite_with_differential_privacy(
        DATA,
        [("people", [], "person")],
        {"epsilon": 1.0, "delta": 1e-6},
        max_multiplicity=1.0,
        max_multiplicity_share=1.0,
    )
    rows = ROWS.execute(private.relation().to_query(Dialect.PostgreSql)).fetchall()
    return {district: (count, mean) for district, count, mean in rows}
"""

PEER: Final = Peer(
    "peer_qrlew",
    ("pyqrlew==0.9.27", "duckdb==1.4.2"),
    _PROGRAM,
    "rewriting included, its PostgreSQL run by DuckDB in memory with two threads, districts known",
    rounds=5,
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)
