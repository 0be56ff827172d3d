"""Which ids and subjects were taken before: where in the records each is, without reading them.

DuckDB's own keys lie in memory whole, some 160 bytes for each record and for ever: a collection of
one and a half million filled a process of 256 MB, and took nothing more. So what is known stands
beside the records in a SQLite file, a B-tree on disk of which a few megabytes are in memory: the
first 8 bytes of a digest of the id or subject, and the number of the record that has it. Another
one may begin with the same 8 bytes; whoever finds a number here looks at the record itself.

The records are the truth and this is made of them. A group's records are committed first, and what
is missing here after a crash, or all of it, is read from them at the next start.
"""

# The one statement that is put together is of our own placeholders.

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

CACHE: Final = 16 << 20
"""Bytes of the file that are kept in memory."""
_AT_ONCE: Final = 10_000
_SCHEMA: Final = (
    "CREATE TABLE known (digest INTEGER, seq INTEGER, PRIMARY KEY (digest, seq)) "
    "STRICT, WITHOUT ROWID",
    "CREATE TABLE upto (seq INTEGER NOT NULL) STRICT",
    "INSERT INTO upto VALUES (0)",
)
Pair = tuple[str, int]
"""What is known, and the number of the record that has it."""


class Known:
    """The file, for one process and one thread; made anew where it cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            self._open(path)
        except sqlite3.DatabaseError:
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink()
            self._open(path)

    def _open(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        # What a power cut takes away of the end comes back from the records.
        run("PRAGMA synchronous=NORMAL")
        run(f"PRAGMA cache_size=-{CACHE >> 10}")
        run("PRAGMA wal_autocheckpoint=4000")
        if not run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            run("BEGIN")
            for statement in _SCHEMA:
                run(statement)
            run("COMMIT")
        if run("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            self._connection.close()
            raise sqlite3.DatabaseError

    def clear(self) -> None:
        """Knows nothing any more."""
        self._connection.execute("DELETE FROM known")
        self._connection.execute("UPDATE upto SET seq = 0")

    @property
    def upto(self) -> int:
        """The last record that stands here."""
        return int(self._connection.execute("SELECT seq FROM upto").fetchone()[0])

    def add(self, pairs: Iterable[Pair], upto: int) -> None:
        """What the records up to that one have."""
        run = self._connection.execute
        run("BEGIN")
        try:
            self._connection.executemany(
                "INSERT OR IGNORE INTO known VALUES (?, ?)",
                ((_digest(text), seq) for text, seq in pairs),
            )
            run("UPDATE upto SET seq = ?", (upto,))
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def find(self, texts: Sequence[str]) -> Iterator[int]:
        """The numbers of records that may have one of these."""
        for first in range(0, len(texts), _AT_ONCE):
            wanted = [_digest(text) for text in texts[first : first + _AT_ONCE]]
            places = ", ".join("?" * len(wanted))
            found = self._connection.execute(
                f"SELECT seq FROM known WHERE digest IN ({places})",
                wanted,
            )
            for (seq,) in found:
                yield seq

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()


def _digest(text: str) -> int:
    """64 bits, as SQLite's integers are."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
