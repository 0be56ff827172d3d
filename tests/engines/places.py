"""Engines of departments for tests: where rows are put, loaded by a contract, and asked.

Whatever the engine, a test says `place.load(contract, rows)` and gets an `Engine`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import psycopg
from psycopg import sql

from landbridge.evidence.keyfile import write_key
from nodes.engines.duckdb import Limits
from nodes.engines.engine import Engine
from nodes.engines.kind import Kind
from nodes.engines.postgresql.engine import PostgreSQLEngine
from nodes.engines.postgresql.loading import PostgreSQLLoader
from nodes.load import load
from nodes.load_existing import load_existing
from nodes.load_report import Report
from nodes.store import Store
from policies.contract import Contract, Type
from tests.postgresql import Server
from tests.simulator import DirectEngine
from tests.spark import Cluster

if TYPE_CHECKING:  # its client takes seconds to import
    from nodes.engines.spark.engine import SparkEngine

Row = Sequence[Any]
DOCUMENTED = Path(__file__).parents[2] / "docs" / "engines.md"
DUCKDB_TYPES = {
    Type.INTEGER: "BIGINT",
    Type.NUMBER: "DOUBLE",
    Type.TEXT: "VARCHAR",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP",
}
LIMITS = Limits(memory_bytes=512 << 20, cpu_seconds=60)


class Place(Protocol):
    """Where one department has its rows."""

    def load(self, contract: Contract, rows: Sequence[Row]) -> Report:
        """Puts the rows there as a source, and loads them."""
        ...

    def engine(self) -> Engine:
        """Over all that was loaded."""
        ...


def parquet(contract: Contract, rows: Sequence[Row], path: Path) -> Path:
    """The rows as a file."""
    columns = ", ".join(f'"{c.name}" {DUCKDB_TYPES[c.type]}' for c in contract.columns)
    places = ", ".join("?" for _ in contract.columns)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE source ({columns})")
        if rows:
            connection.executemany(f"INSERT INTO source VALUES ({places})", rows)
        connection.execute(f"COPY source TO '{path}' (FORMAT parquet)")
    return path


class Files:
    """DuckDB's own files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store = Store(folder / "data")
        self._numbers = itertools.count()

    def load(self, contract: Contract, rows: Sequence[Row]) -> Report:
        """From Parquet."""
        path = self._folder / f"source{next(self._numbers)}.parquet"
        return load(contract, parquet(contract, rows, path), self.store)

    def engine(self) -> Engine:
        """In this process."""
        return DirectEngine(self.store.tables())


POSTGRESQL_TYPES = {**{t: k.lower() for t, k in DUCKDB_TYPES.items()}, Type.NUMBER: "float8"}


def documented(database: str) -> list[str]:
    """The statements that docs/engines.md gives whoever owns a database."""
    (block,) = re.findall(r"(?s)```sql\n(.*?)```", DOCUMENTED.read_text())
    text = re.sub(r"--.*", "", block).replace("landbridge_", "")
    text = text.replace("DATABASE city", f"DATABASE {database}")
    return [statement.strip() for statement in text.split(";") if statement.strip()]


class Database:
    """A database of a server, with the two roles that docs/engines.md gives a node."""

    def __init__(self, server: Server, name: str, folder: Path) -> None:
        self.server = server
        self.name = name
        self._folder = folder / name
        self._folder.mkdir()
        self.store = Store(self._folder)
        self.owner = server.conninfo(database=name)
        self.loader = server.conninfo("loader", name)
        self.reader = server.conninfo("reader", name)
        with psycopg.connect(server.conninfo(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        self.run("CREATE SCHEMA registry", "CREATE TABLE registry.people (name text)")
        for statement in documented(name):
            with suppress(psycopg.errors.DuplicateObject):  # the roles are the whole server's
                self.run(statement)
        self._numbers = itertools.count()

    def run(self, *statements: str) -> None:
        """As the database's owner."""
        with psycopg.connect(self.owner, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement.encode())

    def keep_secret(self, other: Store) -> None:
        """Keys its records as the other department does."""
        target = self._folder / "record.key"
        target.unlink(missing_ok=True)
        write_key(target, other.record_secret())

    def source(
        self, contract: Contract, rows: Sequence[Row], types: Mapping[str, str] | None = None
    ) -> str:
        """A table of the department's own with these rows."""
        name = f"rows_{next(self._numbers)}"
        known = types or {c.name: POSTGRESQL_TYPES[c.type] for c in contract.columns}
        columns = ", ".join(f'"{c.name}" {known[c.name]}' for c in contract.columns)
        with psycopg.connect(self.owner, autocommit=True) as owner:
            owner.execute(f"CREATE TABLE registry.{name} ({columns})".encode())
            with owner.cursor().copy(
                sql.SQL("COPY registry.{} FROM STDIN").format(sql.Identifier(name))
            ) as copy:
                for row in rows:
                    copy.write_row(row)
            owner.execute(f"GRANT SELECT ON registry.{name} TO loader".encode())
        return f"registry.{name}"

    def load(self, contract: Contract, rows: Sequence[Row]) -> Report:
        """From a table."""
        return self.load_from(contract, self.source(contract, rows))

    def load_from(self, contract: Contract, source: str) -> Report:
        """From a table or view that is there."""
        loader = PostgreSQLLoader(self.loader, "landbridge", "reader")
        try:
            return load_existing(contract, source, self.store, Kind.POSTGRESQL, loader)
        finally:
            loader.close()

    def engine(self, workers: int = 1) -> PostgreSQLEngine:
        """As the role that reads."""
        tables = self.store.tables()
        return PostgreSQLEngine(tables, self.reader, "landbridge", tuple(tables), workers)


_LAKES = itertools.count()


class Lake:
    """Partitions of Parquet files that a cluster reads."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self._folder = cluster.folder / f"{name}{next(_LAKES)}"
        self.written = self._folder / "landbridge"
        self.store = Store(self._folder / "data")
        self._numbers = itertools.count()

    def keep_secret(self, other: Store) -> None:
        """Keys its records as the other department does."""
        target = self._folder / "data" / "record.key"
        target.unlink(missing_ok=True)
        write_key(target, other.record_secret())

    def source(self, contract: Contract, rows: Sequence[Row]) -> Path:
        """A folder of files, as a lake has them."""
        folder = self._folder / f"source{next(self._numbers)}"
        folder.mkdir(parents=True)
        for part in range(2):
            parquet(contract, rows[part::2], folder / f"part-{part}.parquet")
        return folder

    def load(self, contract: Contract, rows: Sequence[Row]) -> Report:
        """From a folder."""
        return self.load_from(contract, self.source(contract, rows))

    def load_from(self, contract: Contract, source: Path) -> Report:
        """From files that are there."""
        from nodes.engines.spark.loading import SparkLoader

        cluster = self.cluster
        loader = SparkLoader(cluster.remote, cluster.token, str(self.written))
        try:
            return load_existing(contract, str(source), self.store, Kind.SPARK, loader)
        finally:
            loader.close()

    def engine(self, workers: int = 2) -> SparkEngine:
        """As the node opens it."""
        from nodes.engines.spark.engine import SparkEngine

        tables, cluster = self.store.tables(), self.cluster
        return SparkEngine(tables, cluster.remote, cluster.token, str(self.written), workers)
