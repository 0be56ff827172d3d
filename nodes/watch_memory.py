"""The standing questions of this department: durable, each with its budget, its run and its alerts.

An alert is stored before it is logged and logged before it leaves, and stays until the gateway says
that it has it on disk. Whoever dies in between goes on where they were; whether the entry of a
stored alert was written is read from the log itself.

The noisy threshold of an open run lies here, in the department's own state folder, and goes to
nobody: a run that began anew at every start would be paid for at every start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.receipt import Receipt
from landbridge.identity.caller import Caller
from nodes.known_caller import from_json, to_json
from nodes.sqlite_file import Run as Sql
from nodes.sqlite_file import SqliteFile
from nodes.threshold import Run
from nodes.trend import Sums

_TREND = "CREATE TABLE trend (id TEXT PRIMARY KEY, sums TEXT NOT NULL) STRICT"
_SCHEMA = (
    """CREATE TABLE standing (
      id TEXT PRIMARY KEY, caller TEXT NOT NULL, purpose TEXT NOT NULL, asked BLOB NOT NULL,
      contracts TEXT NOT NULL, until TEXT NOT NULL, reserved INTEGER NOT NULL,
      runs_most INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('reserving', 'standing', 'ended', 'settled')),
      reason TEXT NOT NULL DEFAULT '', evaluations INTEGER NOT NULL DEFAULT 0,
      announced INTEGER NOT NULL DEFAULT 0, evaluated_at TEXT NOT NULL DEFAULT '',
      data_version TEXT NOT NULL DEFAULT '', runs INTEGER NOT NULL DEFAULT 0, bar INTEGER,
      alerts INTEGER NOT NULL DEFAULT 0, rests TEXT NOT NULL DEFAULT '{}',
      response BLOB, salt BLOB, entry BLOB, proof TEXT
    ) STRICT""",
    """CREATE TABLE alert (
      id TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, salt BLOB NOT NULL,
      log_size INTEGER NOT NULL, entry BLOB, proof TEXT, PRIMARY KEY (id, number)
    ) STRICT""",
    _TREND,
)
_COLUMNS = (
    "id, caller, purpose, asked, contracts, until, reserved, runs_most, state, reason, "
    "evaluations, announced, evaluated_at, data_version, runs, bar, alerts, rests, response, salt, "
    "entry, proof"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A standing question as it was made. `asked` is the request without who asked.

    `contracts` are the digests of the contracts that it was made by; times are ISO 8601, UTC.
    """

    id: str
    caller: Caller
    purpose: str
    asked: bytes
    contracts: tuple[str, ...]
    until: str
    reserved: int
    runs_most: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing question as it stands."""

    made: Made
    state: str
    reason: str
    evaluations: int
    announced: int
    evaluated_at: str
    data_version: str
    run: Run
    alerts: int
    rests: Mapping[int, str]
    response: bytes
    salt: bytes
    receipt: tuple[bytes, str] | None

    @property
    def spent(self) -> int:
        """Of what was reserved, in millionths of rho: the runs that have begun."""
        made = self.made
        if not made.runs_most:
            return 0
        return -(-made.reserved * self.run.begun // made.runs_most)


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert: its content as it was stored, and its entry, once it is logged."""

    number: int
    content: bytes
    salt: bytes
    receipt: tuple[bytes, str] | None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation changed; `content` of an alert, or nothing; `sums` of a trend alone."""

    at: str
    data_version: str
    run: Run
    rests: Mapping[int, str]
    content: bytes
    salt: bytes
    ended: str
    sums: Sums | None = None


class WatchMemory:
    """One department's standing questions, in one SQLite file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        path.touch(mode=0o600)  # who asked, and how far an open run is
        self._file = SqliteFile(
            path,
            _SCHEMA,
            clock,
            version=2,
            what="a memory of watches",
            upgrade=(_TREND,),
        )

    def now(self) -> str:
        """The time, ISO 8601; a clock set back goes on where it was."""
        with self._file.transaction() as run:
            return self._file.now(run)

    def find(self, identifier: str) -> Standing | None:
        """The one of that id."""
        with self._file.transaction() as run:
            row = run(
                f"SELECT {_COLUMNS} FROM standing WHERE id = ?",  # noqa: S608 - a constant
                (identifier,),
            ).fetchone()
        return None if row is None else _standing(row)

    def count(self, organisation: str) -> int:
        """How many of that organisation stand."""
        with self._file.transaction() as run:
            rows = run("SELECT caller FROM standing WHERE state = 'standing'").fetchall()
        return sum(from_json(json.loads(row[0])).organisation == organisation for row in rows)

    def begin(self, made: Made) -> None:
        """Remembers that its budget is about to be reserved."""
        with self._file.transaction() as run:
            run(
                "INSERT INTO standing (id, caller, purpose, asked, contracts, until, reserved, "
                "runs_most, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'reserving')",
                (
                    made.id,
                    json.dumps(to_json(made.caller)),
                    made.purpose,
                    made.asked,
                    json.dumps(made.contracts),
                    made.until,
                    made.reserved,
                    made.runs_most,
                ),
            )

    def stand(self, identifier: str, response: bytes, salt: bytes) -> None:
        """Its budget is reserved: it may be evaluated."""
        with self._file.transaction() as run:
            run(
                "UPDATE standing SET state = 'standing', response = ?, salt = ? WHERE id = ?",
                (response, salt, identifier),
            )

    def made_known(self, identifier: str, receipt: Receipt) -> None:
        """That it stands is logged."""
        with self._file.transaction() as run:
            run(
                "UPDATE standing SET entry = ?, proof = ? WHERE id = ?",
                (receipt.entry, receipt.proof, identifier),
            )

    def forget(self, identifier: str) -> None:
        """One that never stood."""
        with self._file.transaction() as run:
            run("DELETE FROM standing WHERE id = ? AND state = 'reserving'", (identifier,))

    def announced(self, identifier: str, until: int) -> None:
        """Evaluations up to that one stand in the log."""
        with self._file.transaction() as run:
            run("UPDATE standing SET announced = ? WHERE id = ?", (until, identifier))

    def evaluated(self, identifier: str, found: Evaluated, log_size: int) -> None:
        """One evaluation more, with all that came of it, or none of it."""
        with self._file.transaction() as run:
            run(
                "UPDATE standing SET evaluations = evaluations + 1, evaluated_at = ?, "
                "data_version = ?, runs = ?, bar = ?, rests = ? WHERE id = ?",
                (
                    found.at, found.data_version, found.run.begun, found.run.bar,
                    json.dumps(dict(found.rests)), identifier,
                ),
            )  # fmt: skip
            if found.sums is not None:
                run(
                    "INSERT INTO trend VALUES (?, ?) "
                    "ON CONFLICT DO UPDATE SET sums = excluded.sums",
                    (identifier, found.sums.to_text()),
                )
            if found.content:
                run(
                    "INSERT INTO alert (id, number, content, salt, log_size) "
                    "SELECT id, alerts + 1, ?, ?, ? FROM standing WHERE id = ?",
                    (found.content, found.salt, log_size, identifier),
                )
                run("UPDATE standing SET alerts = alerts + 1 WHERE id = ?", (identifier,))
            if found.ended:
                _end(run, identifier, found.ended)

    def sums(self, identifier: str) -> Sums:
        """Where a trend is."""
        with self._file.transaction() as run:
            row = run("SELECT sums FROM trend WHERE id = ?", (identifier,)).fetchone()
        return Sums() if row is None else Sums.from_text(row[0])

    def alerts(self, identifier: str, after: int) -> tuple[Kept, ...]:
        """Those that were not acknowledged; what was is let go of."""
        with self._file.transaction() as run:
            run("DELETE FROM alert WHERE id = ? AND number <= ?", (identifier, after))
            rows = run(
                "SELECT number, content, salt, entry, proof FROM alert WHERE id = ? "
                "ORDER BY number",
                (identifier,),
            ).fetchall()
        return tuple(
            Kept(number, content, salt, None if proof is None else (entry, proof))
            for number, content, salt, entry, proof in rows
        )

    def logged(self, identifier: str, number: int, receipt: Receipt) -> None:
        """An alert's entry is on disk: it may leave, again and again the same."""
        with self._file.transaction() as run:
            run(
                "UPDATE alert SET entry = ?, proof = ? WHERE id = ? AND number = ?",
                (receipt.entry, receipt.proof, identifier, number),
            )

    def end(self, identifier: str, reason: str) -> None:
        """It is evaluated no more."""
        with self._file.transaction() as run:
            _end(run, identifier, reason)

    def settled(self, identifier: str) -> None:
        """What it did not spend was given back."""
        with self._file.transaction() as run:
            run("UPDATE standing SET state = 'settled' WHERE id = ?", (identifier,))

    def unsettled(self) -> tuple[Standing, ...]:
        """Those whose budget is to be settled: ended ones, and those that never came to stand."""
        with self._file.transaction() as run:
            rows = run(
                f"SELECT {_COLUMNS} FROM standing "  # noqa: S608 - a constant
                "WHERE state IN ('reserving', 'ended')"
            ).fetchall()
        return tuple(map(_standing, rows))

    def overdue(self) -> tuple[Standing, ...]:
        """Those that stand and whose time is up, whether anybody evaluates them or not."""
        with self._file.transaction() as run:
            now = self._file.now(run)
            rows = run(
                f"SELECT {_COLUMNS} FROM standing "  # noqa: S608 - a constant
                "WHERE state = 'standing' AND until <= ?",
                (now,),
            ).fetchall()
        return tuple(map(_standing, rows))

    def recover(self, log: Path) -> int:
        """Marks the alerts whose entry was written before the process died; gives their number.

        `log` is the published folder of the log that was just opened.
        """
        with self._file.transaction() as run:
            rows = run("SELECT id, number, log_size FROM alert WHERE proof IS NULL").fetchall()
        waiting = {(identifier, number): size for identifier, number, size in rows}
        if not waiting:
            return 0
        lookup = Lookup.of(log)
        found = 0
        for index, content in lookup.entries(min(waiting.values())):
            try:
                entry = Entry.from_bytes(content)
            except EvidenceError:
                continue  # of a later version; none of ours
            number = entry.note.removeprefix("alert ").partition(" ")[0]
            if entry.kind != "alert" or not entry.answer_digest or not number.isdigit():
                continue
            if waiting.pop((entry.watch, int(number)), None) is not None:
                self.logged(entry.watch, int(number), lookup.receipt(index, content))
                found += 1
        return found

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def _end(run: Sql, identifier: str, reason: str) -> None:
    run(
        "UPDATE standing SET state = 'ended', reason = ?, bar = NULL "
        "WHERE id = ? AND state = 'standing'",
        (reason, identifier),
    )
    run("DELETE FROM trend WHERE id = ?", (identifier,))  # nobody needs its exact sums any more


def _standing(row: Sequence[Any]) -> Standing:
    (
        identifier, caller, purpose, asked, contracts, until, reserved, runs_most, state, reason,
        evaluations, announced, evaluated_at, data_version, runs, bar, alerts, rests, response,
        salt, entry, proof,
    ) = row  # fmt: skip
    made = Made(
        identifier,
        from_json(json.loads(caller)),
        purpose,
        asked,
        tuple(json.loads(contracts)),
        until,
        reserved,
        runs_most,
    )
    return Standing(
        made,
        state,
        reason,
        evaluations,
        announced,
        evaluated_at,
        data_version,
        Run(runs, bar),
        alerts,
        {int(place): at for place, at in json.loads(rests).items()},
        response or b"",
        salt or b"",
        None if proof is None else (entry, proof),
    )
