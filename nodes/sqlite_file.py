"""One SQLite file of the node's own: alone on it, durable, and with a clock that never goes back.

WAL mode with synchronous=FULL: a committed transaction survives a power cut. A second process on
the same file would count beside this one, so it finds the file locked. What many threads write at
once shares its syncs (`together`): whoever comes to the file first writes for all who wait by then.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from landbridge.errors import error
from nodes.ledger import LedgerUnusable, undurable

LARGEST: Final = 2**63 - 1
"""The largest number that SQLite knows; one from elsewhere can be larger."""

Run = Callable[..., sqlite3.Cursor]
Row = sqlite3.Row

_CLOCK = (
    "CREATE TABLE clock (latest TEXT NOT NULL) STRICT",
    "INSERT INTO clock VALUES ('')",
)


@dataclass(eq=False, slots=True)
class _Work:
    """What one thread has to write, and what came of it."""

    write: Callable[[Run], None]
    over: bool = False
    failure: BaseException | None = None


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
        self._latest = ""
        self._coming = threading.Lock()
        self._works: list[_Work] = []
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

    def together(self, write: Callable[[Run], None]) -> None:
        """All that `write` does or nothing, on disk when this returns; raises what it raises.

        In one transaction with what others have to write, each of which stands or falls by itself;
        LEDGER_UNAVAILABLE for all of them when the transaction fails.
        """
        mine = _Work(write)
        with self._coming:
            self._works.append(mine)
        with self._lock:
            if not mine.over:  # nobody has done it while this thread waited for the file
                with self._coming:
                    works, self._works = self._works, []
                self._write(works)
        if mine.failure is not None:
            raise mine.failure

    def _write(self, works: Sequence[_Work]) -> None:
        """Every one of them is over when this returns; the lock is held."""
        written = False
        try:
            if not self._lost:
                self._write_all(works)
                written = True
        except BaseException as failure:  # noqa: BLE001 - whoever waits must be told
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            self._lost = undurable(failure)
        for work in works:
            if not written:
                work.failure = error("LEDGER_UNAVAILABLE")
            work.over = True

    def _write_all(self, works: Sequence[_Work]) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        for work in works:
            run("SAVEPOINT one")
            try:
                work.write(run)
            except sqlite3.Error:
                raise
            except BaseException as failure:  # noqa: BLE001 - it is that thread's own
                work.failure = failure
                run("ROLLBACK TO one")
            run("RELEASE one")
        run("COMMIT")

    def now(self, run: Run) -> str:
        """The time of a transaction, ISO 8601, UTC: a clock set back re-opens no earlier day."""
        if not self._latest:
            self._latest = run("SELECT latest FROM clock").fetchone()[0]
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")
        self._latest = max(self._latest, now)
        run("UPDATE clock SET latest = max(latest, ?)", (now,))
        return self._latest

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()
