"""One SQLite file of the node's own: alone on it, durable, and with a clock that never goes back.

WAL mode with synchronous=FULL: a committed transaction survives a power cut. A second process on
the same file would count beside this one, so it finds the file locked.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from landbridge.errors import error
from nodes.ledger import LedgerUnusable, undurable

Run = Callable[..., sqlite3.Cursor]
Row = sqlite3.Row

_CLOCK = (
    "CREATE TABLE clock (latest TEXT NOT NULL) STRICT",
    "INSERT INTO clock VALUES ('')",
)


class SqliteFile:
    """A file of `schema`, a list of statements. Safe for many threads of one process."""

    def __init__(
        self,
        path: Path,
        schema: Sequence[str],
        clock: Callable[[], float],
        *,
        version: int,
        what: str,
        upgrade: Sequence[str] = (),
    ) -> None:
        """`upgrade` makes a file of the version before one of this."""
        self._clock = clock
        self._lock = threading.Lock()
        self._lost = False
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=0.5
            )
            self._prepare((*schema, *_CLOCK), version, upgrade)
        except sqlite3.Error:
            raise LedgerUnusable(
                f"{path} cannot be used as {what}: is another node using it, is the disk full, may "
                "this user write there, was it made by another version?"
            ) from None

    def _prepare(self, schema: Sequence[str], version: int, upgrade: Sequence[str]) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("BEGIN IMMEDIATE")
        found = run("PRAGMA user_version").fetchone()[0]
        if found == 0:
            for statement in schema:
                run(statement)
            run(f"PRAGMA user_version={int(version)}")
        elif found == version - 1 and upgrade:
            for statement in upgrade:
                run(statement)
            run(f"PRAGMA user_version={int(version)}")
        elif found != version:
            raise sqlite3.DatabaseError
        run("COMMIT")
        if run("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """All or nothing, on disk when it returns; LEDGER_UNAVAILABLE when that cannot be.

        And from then on, until the process starts again: a sync that failed may succeed the next
        time and still have lost what was written before.
        """
        with self._lock:
            if self._lost:
                raise error("LEDGER_UNAVAILABLE")
            run = self._connection.execute
            try:
                run("BEGIN IMMEDIATE")
                yield run
                run("COMMIT")
            except BaseException as failure:
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        run("ROLLBACK")
                if isinstance(failure, sqlite3.Error):
                    self._lost = undurable(failure)
                    raise error("LEDGER_UNAVAILABLE") from None
                raise

    def now(self, run: Run) -> str:
        """The time of a transaction, ISO 8601, UTC: a clock set back re-opens no earlier day."""
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")
        latest: str = run("SELECT latest FROM clock").fetchone()[0]
        if now <= latest:
            return latest
        run("UPDATE clock SET latest = ?", (now,))
        return now

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()
