"""A file of an earlier version is taken over whole or not at all, wherever the process ends."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from gateway.cases import database
from gateway.cases.database import Database
from gateway.cases.store import Store
from nodes.ledger import VERSION, Ledger
from nodes.sqlite_file import SqliteFile
from tests.cases.test_store import FIRST, FORMS, OPENED

REVISIONS = ("", "0001", "0002")
"""Of the gateway's database, from nothing on."""


class Crashes:
    """Copies of a folder, taken before every statement: what a process that ends there leaves."""

    def __init__(self, folder: Path, places: Path) -> None:
        self._folder, self._places = folder, places
        self.found: list[Path] = []

    def take(self, statement: str) -> None:
        """As the folder is now, before `statement`."""
        del statement
        place = self._places / f"{len(self.found):03}"
        shutil.copytree(self._folder, place)
        self.found.append(place)


@contextmanager
def each_statement(crashes: Crashes) -> Iterator[None]:
    """Every statement of SQLAlchemy's, in the block."""

    def before(_: Any, __: Any, statement: str, *___: Any) -> None:
        crashes.take(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def migrated(folder: Path, revision: str) -> None:
    """The gateway's database as it was under that revision, with a case from 0001 on."""
    engine = sa.create_engine(f"sqlite:///{folder / 'cases.sqlite'}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option(
            "script_location", str(Path(database.__file__).parent / "migrations")
        )
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def opened(folder: Path) -> Store:
    """The store of that folder, as this version opens it."""
    return Store(Database(f"sqlite:///{folder / 'cases.sqlite'}"), "test/gateway")


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_gateway_that_ends_in_a_migration_starts_again(tmp_path: Path, revision: str) -> None:
    """F30, I10: half of a migration would stop every later start, until somebody mended it."""
    folder = tmp_path / "live"
    folder.mkdir()
    if revision:
        migrated(folder, revision)
    crashes = Crashes(folder, tmp_path / "crashed")
    with each_statement(crashes):
        opened(folder).close()
    assert len(crashes.found) > 3
    for place in crashes.found:
        store = opened(place)
        assert store.create(OPENED, "text", FORMS, FIRST, 7)
        assert store.find(OPENED.id) is not None
        store.close()


@contextmanager
def traced(patch: pytest.MonkeyPatch, crashes: Crashes) -> Iterator[None]:
    """Every statement of `sqlite3`, in the block."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(crashes.take)
        return connection

    with patch.context() as patched:
        patched.setattr(sqlite3, "connect", connected)
        yield


def ledger_of_version_1(path: Path) -> None:
    """A ledger as the program before pooled rounds left it, with something spent."""
    Ledger(path, lambda: 0.0).close()
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP TABLE round; DROP TABLE granted; DROP TABLE lifted; PRAGMA user_version=1;"
        "INSERT INTO spent VALUES ('loans', '', '1970', 17);"
    )
    connection.close()


def counted_of_version_1(path: Path) -> None:
    """A file of the kind that quotas lie in, of the version before."""
    SqliteFile(path, ["CREATE TABLE count (n INTEGER) STRICT"], lambda: 0.0, version=1,
               what="a count").close()  # fmt: skip


def count(path: Path) -> int:
    """The file's version once it was opened by the next one."""
    SqliteFile(
        path, [], lambda: 0.0, version=2, what="a count",
        upgrade=["CREATE TABLE more (n INTEGER) STRICT", "ALTER TABLE count ADD COLUMN m INTEGER"],
    ).close()  # fmt: skip
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(count)")]
        assert columns == ["n", "m"]
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def spent(path: Path) -> int:
    """The ledger's version once it was opened; what was spent is still there."""
    Ledger(path, lambda: 0.0).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT micro_rho FROM spent").fetchall() == [(17,)]
        assert connection.execute("SELECT count(*) FROM round, granted, lifted").fetchone() == (0,)
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize(
    ("before", "after", "version"),
    [(ledger_of_version_1, spent, VERSION), (counted_of_version_1, count, 2)],
    ids=["ledger", "counts"],
)
def test_a_node_that_ends_in_taking_a_file_over_starts_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Path], None],
    after: Callable[[Path], int],
    version: int,
) -> None:
    """F30, I2, I10: the old file or the new one, with everything that was spent."""
    folder = tmp_path / "live"
    folder.mkdir()
    before(folder / "file.sqlite")
    crashes = Crashes(folder, tmp_path / "crashed")
    with traced(monkeypatch, crashes):
        after(folder / "file.sqlite")
    assert len(crashes.found) > 3
    for place in crashes.found:
        assert after(place / "file.sqlite") == version
