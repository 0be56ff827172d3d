"""Notices to groups, as their owner keeps them. Durable, append only, numbered without a gap.

One SQLite file in the state folder. The log's entry is written inside the transaction, before it
commits: what nobody has logged nobody can read. A process that dies in between leaves an entry of a
notice that was not published.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodes.sqlite_file import Run, SqliteFile

VERSION: Final = 1
_SCHEMA: Final = (
    """CREATE TABLE notice (
      id TEXT PRIMARY KEY, group_ TEXT NOT NULL, number INTEGER NOT NULL, signed BLOB NOT NULL,
      entry BLOB NOT NULL, proof TEXT NOT NULL, salt BLOB NOT NULL, UNIQUE (group_, number)
    ) STRICT""",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A notice with the receipt of its entry; `signed` is the serialized message."""

    id: str
    group: str
    number: int
    signed: bytes
    entry: bytes
    proof: str
    salt: bytes


class Change:
    """One transaction; `now` is its time, which never goes back, as ISO 8601."""

    def __init__(self, run: Run, now: str) -> None:
        self._run = run
        self.now = now
        self.told = False

    def find(self, identifier: str) -> Kept | None:
        """The notice of that id."""
        row = self._run("SELECT * FROM notice WHERE id = ?", (identifier,)).fetchone()
        return None if row is None else Kept(*row)

    def latest(self, group: str) -> int:
        """The number of the last one; 0 where there is none."""
        found = self._run(
            "SELECT coalesce(max(number), 0) FROM notice WHERE group_ = ?", (group,)
        ).fetchone()
        return int(found[0])

    def add(self, kept: Kept) -> None:
        """A new one."""
        self._run(
            "INSERT INTO notice VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                kept.id, kept.group, kept.number, kept.signed, kept.entry, kept.proof, kept.salt,
            ),
        )  # fmt: skip
        self.told = True


class Notices:
    """One department's; safe for many threads of one process."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._file = SqliteFile(path, _SCHEMA, clock, version=VERSION, what="the file of notices")
        path.chmod(0o600)  # it holds what members alone are told
        self._news = threading.Condition()
        self._generation = 0

    @contextmanager
    def change(self) -> Iterator[Change]:
        """All or nothing, on disk when it returns; LEDGER_UNAVAILABLE when that cannot be."""
        with self._file.transaction() as run:
            change = Change(run, self._file.now(run))
            yield change
        if change.told:
            self.wake()

    def after(self, group: str, number: int, most: int) -> list[bytes]:
        """The serialized notices behind that number, the oldest first."""
        with self._file.transaction() as run:
            rows = run(
                "SELECT signed FROM notice WHERE group_ = ? AND number > ? ORDER BY number LIMIT ?",
                (group, number, most),
            ).fetchall()
        return [bytes(row[0]) for row in rows]

    @property
    def generation(self) -> int:
        """Counts what was published, for `wait`."""
        return self._generation

    def wait(self, seen: int, seconds: float) -> None:
        """Returns when something was published since that generation, or after so long."""
        with self._news:
            self._news.wait_for(lambda: self._generation != seen, max(0.0, seconds))

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        with self._news:
            self._generation += 1
            self._news.notify_all()

    def close(self) -> None:
        """Lets go of the file, and of whoever waits."""
        self.wake()
        self._file.close()
