"""People by the million, made up; what their node does with a question, and what DuckDB does alone.

The data is a Parquet file that goes through the product's own loading. The floor is the same file
in a plain DuckDB table, in the order in which it came.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.row import RowFailed, Say
from bench.samples import seconds
from landbridge.levels import Level
from nodes.compile import compile_question
from nodes.engines.database import Connection, open_for_loading, text
from nodes.engines.duckdb import DuckDBEngine, Limits
from nodes.load import load
from nodes.release import Released, release
from nodes.store import Loaded, Store
from policies.canonical import canonical
from policies.contract import Allowance, Bounds, Column, Contract, Disclosure, Method, Type
from policies.disclosure import plan_release
from policies.noise import draw
from policies.question import ColumnOf, Count, Question, Sum, Whole

ROWS: Final = 10_000_000
"""Unless LANDBRIDGE_BENCH_ROWS says otherwise."""
FEWEST: Final = 1_000
ENOUGH: Final = 5_000_000
"""Rows from which on a ratio is compared with what was promised."""
THREADS: Final = 2
KEPT: Final = 5
"""Of the rows of one person, where they have several."""

DISTRICTS: Final = tuple(f"district {number:02}" for number in range(20))
RAW: Final = "SELECT district, count(*), avg(income) FROM raw GROUP BY district"
QUESTION: Final = Question("people", (Count(), Sum(ColumnOf("income"))), (Whole("district"),))
"""The same; an average is a sum and a count."""

_LIMITS: Final = Limits(memory_bytes=2 << 30, threads=THREADS, cpu_seconds=120)
_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """`rows` rows in `source`, `each` of them per person."""

    folder: Path
    source: Path
    rows: int
    each: int

    def contract(self, clip: Bounds | None = None) -> Contract:
        """Their contract; `clip` of the incomes is the bounds unless it is given."""
        return contract_of(self.each, clip)

    def unprotected(self) -> Contract:
        """The same table as if it described nobody: loading numbers and ranks nothing."""
        return replace(self.contract(), unit=None, disclosure=Disclosure(Method.UNPROTECTED))

    def loaded(self, contract: Contract, store: str) -> Loaded:
        """The crowd as a node keeps it, in a store of that name."""
        found = load(contract, self.source, Store(self.folder / store)).loaded
        if found is None:
            raise RowFailed("The crowd was not loaded.")
        return found

    @contextmanager
    def raw(self) -> Iterator[Connection]:
        """DuckDB with the rows in a table `raw`, on disk and with as many threads as ours."""
        path = self.folder / "raw.duckdb"
        spill = self.folder / "raw.spill"
        spill.mkdir()
        connection = open_for_loading(str(path), spill=str(spill))
        try:
            connection.execute(f"SET threads = {THREADS}")
            source = text(str(self.source))
            connection.execute(f"CREATE TABLE raw AS FROM read_parquet({source})")
            connection.execute("CHECKPOINT")
            yield connection
        finally:
            connection.close()


def contract_of(each: int, clip: Bounds | None = None) -> Contract:
    """The contract of a crowd with `each` rows a person."""
    bounds = Bounds(0, 200_000)
    person = Column("person", Type.INTEGER, Level.SEALED, unique=each == 1)
    return Contract(
        id="people",
        version="1",
        title="People",
        description="",
        columns=(
            person,
            Column("district", Type.TEXT, Level.OPEN, domain=DISTRICTS),
            Column("age", Type.INTEGER, Level.OPEN, bounds=Bounds(0, 120)),
            Column("income", Type.INTEGER, Level.OPEN, bounds=bounds, clip=clip or bounds),
        ),
        unit="person",
        purposes=frozenset({"dpv:ResearchAndDevelopment"}),
        disclosure=Disclosure(
            Method.DP,
            rows_per_unit=1 if each == 1 else KEPT,
            recipient=Allowance(10.0, 1e-6),
            overall=Allowance(20.0, 1e-6),
        ),
        digest="0" * 64,
    )


def chosen_rows(text: str) -> int:
    """The number of rows that somebody asked for; RowFailed for what is none."""
    if not text.isdecimal() or int(text) < FEWEST:
        raise RowFailed(f"LANDBRIDGE_BENCH_ROWS must be a number, {FEWEST} or more.")
    return int(text)


@contextmanager
def crowd(each: int, say: Say, rows: int | None = None) -> Iterator[Crowd]:
    """A crowd with `each` rows a person; everything of it is gone after the block."""
    if rows is None:
        rows = chosen_rows(os.environ.get("LANDBRIDGE_BENCH_ROWS", str(ROWS)))
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        folder = Path(place)
        say(f"making up {rows:,} rows, {each} a person")
        source = folder / "people.parquet"
        spill = folder / "spill"
        spill.mkdir()
        connection = open_for_loading(":memory:", spill=str(spill))
        try:
            # Mixed by a hash, so that no row says anything of the next, and always the same.
            connection.execute(
                "CREATE TABLE made AS SELECT CAST(i % ? AS BIGINT) AS person, "
                "'district ' || lpad(CAST(hash(i, 1) % 20 AS VARCHAR), 2, '0') AS district, "
                "CAST(hash(i, 2) % 121 AS BIGINT) AS age, "
                "CAST(hash(i, 3) % 200001 AS BIGINT) AS income FROM range(?) AS t(i)",
                [rows // each, rows],
            )
            connection.execute(f"COPY made TO {text(str(source))} (FORMAT parquet)")
        finally:
            connection.close()
        yield Crowd(folder, source, rows, each)


@contextmanager
def engine(loaded: Loaded) -> Iterator[DuckDBEngine]:
    """A node's engine over that table: one warm worker."""
    running = DuckDBEngine({"people": loaded.path}, _LIMITS)
    try:
        yield running
    finally:
        running.close()


def ask(running: DuckDBEngine, contract: Contract) -> Released:
    """Steps (8) and (9) of a question's life: compiled, run in the worker, bounded and released."""
    question = canonical(QUESTION, contract)
    plan = plan_release(question, contract, 0, 1)
    statement = compile_question(plan, contract)
    cells = running.run(
        statement.sql, statement.parameters, timeout=_SECONDS, maximum_rows=plan.cells
    )
    return release(plan, cells, draw)


def milliseconds(running: DuckDBEngine, contract: Contract) -> float:
    """How long one such question took."""
    return 1e3 * seconds(lambda: ask(running, contract))


def raw_milliseconds(connection: Connection) -> float:
    """How long DuckDB alone takes for the same numbers without bounds and noise."""
    return 1e3 * seconds(lambda: connection.execute(RAW).fetchall())
