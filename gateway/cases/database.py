"""The gateway's database: SQLite in its state folder, PostgreSQL when it is configured.

What lasts at the gateway lies in it: cases and watches, each with tables and a store of its own.
Owner file of SQLAlchemy, with its neighbours in this package, and of Alembic.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from landbridge.errors import error

_MIGRATIONS = Path(__file__).parent / "migrations"


class StoreUnusable(Exception):
    """The store cannot be opened; one sentence for the operator."""


class Database:
    """Transactions for many threads. Makes and changes the tables when it is opened.

    `shared` says whether other processes may use it: a file is one gateway's own.
    """

    def __init__(self, url: str) -> None:
        self._writing = threading.Lock()
        try:
            self._engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
            self.shared = self._engine.dialect.name != "sqlite"
            if not self.shared:
                sa.event.listen(self._engine, "connect", _sqlite)
                sa.event.listen(self._engine, "begin", _begin)
            with self._engine.begin() as connection:
                if self.shared:
                    # Replicas that start together make the tables one after the other.
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
                if _version(connection) != newest():
                    _migrate(connection)
        except (sa.exc.SQLAlchemyError, ImportError) as failure:
            raise StoreUnusable(
                f"The store of cases cannot be opened ({type(failure).__name__}): is its database "
                "reachable, and may this user change its tables?"
            ) from None

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """All or nothing; raises CASES_UNAVAILABLE."""
        try:
            # SQLite has one writer at a time; waiting here is cheaper than waiting there.
            with self._writing, self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError:
            raise error("CASES_UNAVAILABLE") from None

    @staticmethod
    def insert_once(run: sa.Connection, table: sa.Table, **row: Any) -> bool:
        """Inserts it; False where one of its key stands there, also one that another gateway
        inserts at the same time, for whose end PostgreSQL waits.
        """
        try:
            with run.begin_nested():
                run.execute(table.insert().values(**row))
        except sa.exc.IntegrityError:
            return False
        return True

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """As things stand; raises CASES_UNAVAILABLE."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError:
            raise error("CASES_UNAVAILABLE") from None

    def close(self) -> None:
        """Lets go of every connection."""
        self._engine.dispose()


def newest() -> str:
    """The version of the tables that this program reads and writes."""
    return max(each.name.partition("_")[0] for each in (_MIGRATIONS / "versions").glob("0*.py"))


def _version(connection: sa.Connection) -> str | None:
    """The version of the tables that are there; None where there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and str(found) > newest():
        raise StoreUnusable(
            f"The store of cases is of version {found}, and this program knows none after "
            f"{newest()}: start the newer program that made it, or restore the store of before."
        )
    return found


def _migrate(connection: sa.Connection) -> None:
    """Makes and changes the tables. Alembic is loaded for that alone: most starts need none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


_MIGRATING = 0x6C62_6361  # "lbca": any number that nobody else locks


def _sqlite(connection: Any, _: Any) -> None:
    """As the ledgers are: a committed transaction survives a power cut.

    Python's driver begins none before a change of the tables, so that a process that ends within a
    migration would leave half of it. SQLAlchemy begins them here.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
