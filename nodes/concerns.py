"""Cases that handler watches named: durable, in the department's own state folder, nowhere else.

A case is open until somebody attends to it. One that was attended is not opened again before its
subject was once well in between. It is stored, then logged, then told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from nodes.sqlite_file import LARGEST, SqliteFile

_SCHEMA = (
    """CREATE TABLE concern (
      number INTEGER PRIMARY KEY AUTOINCREMENT, handler TEXT NOT NULL, role TEXT NOT NULL,
      subject NOT NULL, code TEXT NOT NULL, reasons TEXT NOT NULL, opened_at TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('open', 'attended', 'over')),
      logged INTEGER NOT NULL DEFAULT 0, log_size INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX present ON concern (handler, subject) WHERE state <> 'over'",
    """CREATE TABLE looked (
      handler TEXT PRIMARY KEY, evaluations INTEGER NOT NULL, announced INTEGER NOT NULL,
      at TEXT NOT NULL
    ) STRICT""",
)
Subject = int | str


@dataclass(frozen=True, slots=True)
class Said:
    """What the handler said of a subject that is a case."""

    code: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concern:
    """One case. `opened_at` is ISO 8601, UTC."""

    number: int
    handler: str
    role: str
    subject: Subject
    code: str
    reasons: tuple[str, ...]
    opened_at: str

    @property
    def opened_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(datetime.fromisoformat(self.opened_at).timestamp() * 1000)


class Concerns:
    """One department's cases, in one SQLite file that only its user may read."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        path.touch(mode=0o600)  # it names people, and SQLite's files beside it get the same mode
        self._file = SqliteFile(path, _SCHEMA, clock, version=1, what="a memory of cases")

    def found(
        self,
        handler: str,
        role: str,
        said: Mapping[Subject, Said],
        seen: Collection[Subject],
        log_size: int,
        unknown: Collection[Subject] = (),
    ) -> None:
        """What one evaluation found of the subjects that it has seen.

        Of the `unknown` nothing could be computed: what is open of them stays open.
        The log had that many entries before those of its cases could come.
        """
        with self._file.transaction() as run:
            now = self._file.now(run)
            present = run(
                "SELECT number, subject FROM concern WHERE handler = ? AND state <> 'over'",
                (handler,),
            ).fetchall()
            for number, subject in present:
                if subject not in said and subject not in unknown:  # well again, or gone
                    run("UPDATE concern SET state = 'over' WHERE number = ?", (number,))
            known = {subject for _, subject in present}
            for subject in seen:
                if subject in said and subject not in known:
                    what = said[subject]
                    run(
                        "INSERT INTO concern (handler, role, subject, code, reasons, opened_at, "
                        "state, log_size) VALUES (?, ?, ?, ?, ?, ?, 'open', ?)",
                        (handler, role, subject, what.code, " ".join(what.reasons), now, log_size),
                    )
            run("UPDATE looked SET at = ? WHERE handler = ?", (now, handler))

    def next(self, handler: str, batch: int) -> tuple[int, bool]:
        """The number of the evaluation that begins, and whether it begins a batch of the log."""
        with self._file.transaction() as run:
            run(
                "INSERT INTO looked VALUES (?, 0, 0, '') ON CONFLICT DO NOTHING",
                (handler,),
            )
            run("UPDATE looked SET evaluations = evaluations + 1 WHERE handler = ?", (handler,))
            number, announced = run(
                "SELECT evaluations, announced FROM looked WHERE handler = ?", (handler,)
            ).fetchone()
            due = number > announced
            if due:
                run(
                    "UPDATE looked SET announced = ? WHERE handler = ?",
                    (number + batch - 1, handler),
                )
        return number, due

    def unlogged(self) -> tuple[Concern, ...]:
        """Cases that nobody was told of, since their entry may not be on disk."""
        return self._where("logged = 0 AND state = 'open'", ())

    def logged(self, number: int) -> None:
        """Its entry is on disk: it may be told."""
        with self._file.transaction() as run:
            run("UPDATE concern SET logged = 1 WHERE number = ?", (number,))

    def open(self, after: int = 0) -> tuple[Concern, ...]:
        """Those that wait for somebody, with a number after that one."""
        return self._where("logged = 1 AND state = 'open' AND number > ?", (min(after, LARGEST),))

    def attend(self, number: int) -> None:
        """Somebody has looked after it."""
        with self._file.transaction() as run:
            run(
                "UPDATE concern SET state = 'attended' WHERE number = ? AND state = 'open'",
                (number,),
            )

    def recover(self, log: Path) -> int:
        """Marks the cases whose entry was written before the process died; gives their number.

        `log` is the published folder of the log that was just opened.
        """
        with self._file.transaction() as run:
            rows = run("SELECT handler, number, log_size FROM concern WHERE logged = 0").fetchall()
        waiting = {(handler, number): size for handler, number, size in rows}
        if not waiting:
            return 0
        found = 0
        for _, content in Lookup.of(log).entries(min(waiting.values())):
            try:
                entry = Entry.from_bytes(content)
            except EvidenceError:
                continue  # of a later version; none of ours
            number = entry.note.removeprefix("case ").partition(" for ")[0]
            if entry.kind != "alert" or not number.isdigit():
                continue
            if waiting.pop((entry.watch, int(number)), None) is not None:
                self.logged(int(number))
                found += 1
        return found

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _where(self, condition: str, values: Sequence[object]) -> tuple[Concern, ...]:
        with self._file.transaction() as run:
            rows = run(
                "SELECT number, handler, role, subject, code, reasons, opened_at "  # noqa: S608
                "FROM concern "
                f"WHERE {condition} ORDER BY number LIMIT 1000",
                tuple(values),
            ).fetchall()
        return tuple(
            Concern(number, handler, role, subject, code, tuple(reasons.split()), at)
            for number, handler, role, subject, code, reasons, at in rows
        )
