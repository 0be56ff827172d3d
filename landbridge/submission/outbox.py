"""Records that wait on a device until somebody takes them: one SQLite file, durable, in order.

They lie there as they were given (mode 0600), where the owner randomises as the reports that were
drawn of them, and are sealed when they are sent, to the key that the department has then. One that
is final leaves the file in the same transaction in which its result is counted; a device that loses
its power in between hands it in again, and it is taken once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from landbridge.queue_file import QueueFile
from landbridge.submission.check import Plain
from landbridge.submission.fate import TAKEN, Fate
from landbridge.submission.receipt import RefusedRecord
from landbridge.submission.sealed import Record
from landbridge.submission.sending import Item

VERSION: Final = 2
PAGE: Final = 500
_DRAWN: Final = (
    "CREATE TABLE drawn (id TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID"
)
"""Reports of randomised collections, kept for good: a second draw would tell more."""
_SCHEMA: Final = (
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, contract TEXT NOT NULL, "
    "id TEXT NOT NULL UNIQUE, captured INTEGER NOT NULL, corrects TEXT NOT NULL, "
    "content TEXT NOT NULL) STRICT",
    "CREATE INDEX of_contract ON waiting (contract, place)",
    "CREATE TABLE described (contract TEXT PRIMARY KEY, message BLOB NOT NULL) STRICT",
    "CREATE TABLE refused (place INTEGER PRIMARY KEY, contract TEXT NOT NULL, id TEXT NOT NULL, "
    "reason TEXT NOT NULL) STRICT",
    _DRAWN,
)


class Outbox:
    """The queue in that file; one process has it at a time. Raises INVALID_ARGUMENT."""

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, VERSION, upgrade=(_DRAWN,))

    def described(self, contract: str) -> bytes | None:
        """The description under which records were checked last; None before the first."""
        with self._file.reading() as run:
            row = run("SELECT message FROM described WHERE contract = ?", (contract,)).fetchone()
        return None if row is None else bytes(row[0])

    def describe(self, contract: str, message: bytes) -> None:
        """Keeps a description."""
        with self._file.transaction() as run:
            run(
                "INSERT INTO described VALUES (?, ?) ON CONFLICT DO UPDATE "
                "SET message = excluded.message",
                (contract, message),
            )

    def drawn(self, ident: str) -> list[Plain] | None:
        """The report that was drawn of the record with that id, whatever became of it since."""
        with self._file.reading() as run:
            row = run("SELECT content FROM drawn WHERE id = ?", (ident,)).fetchone()
        if row is None:
            return None
        found: list[Plain] = json.loads(row[0])
        return found

    def put(
        self, contract: str, items: Iterable[Item], *, drawing: bool = False
    ) -> list[RefusedRecord]:
        """Takes them in, all or none, on disk when it returns; gives those that do not fit.

        One whose id waits already is the same one. `drawing`: what they hold are reports, which
        are remembered.
        """
        unfit = []
        with self._file.transaction() as run:
            for _, item in items:
                if isinstance(item, RefusedRecord):
                    unfit.append(item)
                    continue
                if drawing:
                    run(
                        "INSERT INTO drawn VALUES (?, ?) ON CONFLICT DO NOTHING",
                        (item.id, json.dumps(list(item.values))),
                    )
                run(
                    "INSERT INTO waiting (contract, id, captured, corrects, content) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        contract,
                        item.id,
                        item.captured,
                        json.dumps(item.corrects),
                        json.dumps(list(item.values)),
                    ),
                )
        return unfit

    def items(self, contract: str) -> Iterator[Item]:
        """What waits, in order, a page at a time; `settled` may take some away meanwhile."""
        after = 0
        while True:
            with self._file.reading() as run:
                rows = run(
                    "SELECT place, id, captured, corrects, content FROM waiting "
                    "WHERE contract = ? AND place > ? ORDER BY place LIMIT ?",
                    (contract, after, PAGE),
                ).fetchall()
            for place, ident, captured, corrects, content in rows:
                yield place, Record(ident, captured, json.loads(corrects), json.loads(content))
                after = place
            if not rows:
                return

    def settled(self, final: Sequence[tuple[int, Record, Fate]], contract: str) -> None:
        """Takes out what has its result; what was refused is kept by its id and reason."""
        with self._file.transaction() as run:
            for place, record, fate in final:
                run("DELETE FROM waiting WHERE place = ?", (place,))
                if fate not in TAKEN:
                    run(
                        "INSERT INTO refused VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                        (place, contract, record.id, str(fate)),
                    )

    def waiting(self, contract: str) -> int:
        """How many wait."""
        with self._file.reading() as run:
            row = run("SELECT count(*) FROM waiting WHERE contract = ?", (contract,)).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
