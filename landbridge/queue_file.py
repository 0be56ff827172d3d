"""A file in which something waits on a device until somebody takes it: SQLite, durable.

One program has it at a time. Mode 0600. WAL mode with synchronous=FULL: what was committed survives
a power cut. What is deleted is overwritten.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from landbridge.errors import error

Run = Callable[..., sqlite3.Cursor]


class QueueFile:
    """One file of `schema`; safe for many threads of its one process.

    `upgrade` makes a file of the version before one of this. Raises INVALID_ARGUMENT.
    """

    def __init__(
        self, path: Path, schema: Sequence[str], version: int, upgrade: Sequence[str] = ()
    ) -> None:
        self._lock = threading.RLock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=0.5
            )
            self._prepare(schema, version, upgrade)
        except (sqlite3.Error, OSError):
            raise error(
                "INVALID_ARGUMENT",
                f"{path} cannot be used as a queue of records: is another program using it, is "
                "the disk full, may this user write there?",
            ) from None

    def _prepare(self, schema: Sequence[str], version: int, upgrade: Sequence[str]) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("PRAGMA secure_delete=ON")
        run("BEGIN IMMEDIATE")
        found = run("PRAGMA user_version").fetchone()[0]
        if found == version - 1 and found and upgrade:
            schema = upgrade
        elif found not in (0, version):
            raise sqlite3.DatabaseError
        if found != version:
            for statement in schema:
                run(statement)
            run(f"PRAGMA user_version={int(version)}")
        run("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Run]:
        """For one statement."""
        with self._lock:
            yield self._connection.execute

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """All or nothing, on disk when it returns."""
        with self._lock:
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                yield run
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    run("ROLLBACK")
                raise

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._connection.close()
