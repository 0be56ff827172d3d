"""Reports of measurements that wait on a device until both departments hold their shares.

What lies there is split and sealed already, so whoever finds the file finds no value in it. A
report that comes again counts once: one leaves the file when its outcome is known, and a device
that loses its power before sends it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from landbridge.queue_file import QueueFile
from landbridge.v1 import census_pb2

VERSION: Final = 1
AGAIN: Final = frozenset({"REPORTS_FULL"})
"""Outcomes that the same report may not have another time."""
_SCHEMA: Final = (
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, contract TEXT NOT NULL, "
    "field TEXT NOT NULL, id BLOB NOT NULL UNIQUE, report BLOB NOT NULL) STRICT",
    "CREATE INDEX of_measurement ON waiting (contract, field, place)",
    "CREATE TABLE described (contract TEXT NOT NULL, field TEXT NOT NULL, message BLOB NOT NULL, "
    "PRIMARY KEY (contract, field)) STRICT",
)


class CensusOutbox:
    """The queue in that file; one process has it at a time. Raises INVALID_ARGUMENT."""

    def __init__(self, path: Path) -> None:
        self._file = QueueFile(path, _SCHEMA, VERSION)

    def described(self, contract: str, column: str) -> census_pb2.CensusDescribeResponse | None:
        """The signed terms by which values were split last; None before the first."""
        with self._file.reading() as run:
            row = run(
                "SELECT message FROM described WHERE contract = ? AND field = ?",
                (contract, column),
            ).fetchone()
        return None if row is None else census_pb2.CensusDescribeResponse.FromString(bytes(row[0]))

    def describe(
        self, contract: str, column: str, message: census_pb2.CensusDescribeResponse
    ) -> None:
        """Keeps them."""
        with self._file.transaction() as run:
            run(
                "INSERT INTO described VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET message = excluded.message",
                (contract, column, message.SerializeToString()),
            )

    def put(self, contract: str, column: str, reports: Iterable[census_pb2.CensusReport]) -> None:
        """Takes them in, all or none, on disk when it returns."""
        with self._file.transaction() as run:
            for each in reports:
                run(
                    "INSERT INTO waiting (contract, field, id, report) VALUES (?, ?, ?, ?)",
                    (contract, column, each.id, each.SerializeToString()),
                )

    def waiting(self, contract: str, column: str, most: int) -> list[census_pb2.CensusReport]:
        """The oldest of them."""
        with self._file.reading() as run:
            rows = run(
                "SELECT report FROM waiting WHERE contract = ? AND field = ? "
                "ORDER BY place LIMIT ?",
                (contract, column, most),
            ).fetchall()
        return [census_pb2.CensusReport.FromString(bytes(row[0])) for row in rows]

    def settled(self, reports: Sequence[census_pb2.CensusReport], reasons: Sequence[str]) -> int:
        """Takes out those whose outcome is final; gives how many those are."""
        final = [
            each.id for each, reason in zip(reports, reasons, strict=True) if reason not in AGAIN
        ]
        with self._file.transaction() as run:
            for each in final:
                run("DELETE FROM waiting WHERE id = ?", (each,))
        return len(final)

    def count(self, contract: str, column: str) -> int:
        """How many wait."""
        with self._file.reading() as run:
            row = run(
                "SELECT count(*) FROM waiting WHERE contract = ? AND field = ?", (contract, column)
            ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
