"""The owner's queue of consultations: what is asked, whose turn it is, what happened. Durable.

One SQLite file in the state folder, kept with the ledger's care: WAL, synchronous=FULL, one
process. A change and its events are one transaction, and the log's entry is written inside it,
before it commits: what nobody has logged nobody can see. A process that dies in between leaves an
entry of something that did not happen, never the other way round.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from landbridge.errors import error
from landbridge.levels import Level
from nodes.sqlite_file import LARGEST
from policies.consultation import Lifts, Scope, Standing, State, Terms

VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE consultation (
  id TEXT PRIMARY KEY, organisation TEXT NOT NULL, subject TEXT NOT NULL,
  question_id TEXT NOT NULL, due REAL NOT NULL, matter BLOB NOT NULL, grant_ BLOB NOT NULL,
  record TEXT NOT NULL, UNIQUE (organisation, subject, question_id)
) STRICT;
CREATE INDEX due ON consultation (due) WHERE due > 0;
CREATE TABLE event (
  number INTEGER PRIMARY KEY AUTOINCREMENT, consultation TEXT NOT NULL, at REAL NOT NULL,
  kind TEXT NOT NULL, text TEXT NOT NULL, by_ TEXT NOT NULL
) STRICT;
CREATE INDEX of_consultation ON event (consultation, number);
CREATE TABLE clock (latest REAL NOT NULL) STRICT;
INSERT INTO clock VALUES (0.0);
"""


class QueueUnusable(Exception):
    """The queue's file cannot be used; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One consultation, as its owner keeps it.

    `matter` is the serialized `landbridge.v1.Matter` that stands now, `micro_epsilon` its price;
    `handler` is empty for a question; `terms` are names and digests of the owner's rules when it
    was opened; `clearance` is the caller's; `delay` is days until the person concerned may be told.
    `grant` is the serialized grant once there is one.
    """

    id: str
    organisation: str
    subject: str
    question_id: str
    purpose: str
    basis: str
    matter: bytes
    micro_epsilon: int
    handler: str
    resources: tuple[str, ...]
    terms: tuple[tuple[str, str], ...]
    clearance: Level
    level: Level
    lifts: Lifts
    opened: float
    standing: Standing
    grant: bytes = b""

    @property
    def kind(self) -> str:
        """Of what it is about."""
        return "handler" if self.handler else "contract"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `number` grows over the whole queue, `by` is a role."""

    number: int
    consultation: str
    at: float
    kind: str
    text: str
    by: str


class Queue:
    """One department's consultations; safe for many threads of one process."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._generation = 0
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=0.5
            )
            self._prepare()
            path.chmod(0o600)  # it holds what callers ask, in plain words
        except sqlite3.OperationalError as failure:
            raise QueueUnusable(
                f"{path} cannot be opened as the queue of consultations ({failure}): is another "
                "node using it, is the disk full, may this user write there?"
            ) from None
        except sqlite3.DatabaseError:
            raise QueueUnusable(
                f"{path} is not a usable queue of consultations: put the last good copy back, or "
                "move the file away to start with an empty one"
            ) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("BEGIN IMMEDIATE")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                run(statement)
            run(f"PRAGMA user_version={VERSION}")
        elif version != VERSION:
            run("ROLLBACK")
            raise QueueUnusable(
                f"the queue has version {version}; this program knows version {VERSION}"
            )
        run("COMMIT")
        if run("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError

    @contextmanager
    def change(self) -> Iterator[Change]:
        """All or nothing, on disk when it returns; QUEUE_UNAVAILABLE when that cannot be."""
        with self._lock:
            run = self._connection.execute
            try:
                run("BEGIN IMMEDIATE")
                change = Change(run, self._present(run))
                yield change
                run("COMMIT")
            except BaseException as failure:
                if self._connection.in_transaction:
                    run("ROLLBACK")
                if isinstance(failure, sqlite3.Error):
                    raise error("QUEUE_UNAVAILABLE") from None
                raise
        if change.told:
            with self._news:
                self._generation += 1
                self._news.notify_all()

    @property
    def generation(self) -> int:
        """Counts changes, for `await_news`."""
        return self._generation

    def await_news(self, seen: int, seconds: float) -> None:
        """Returns when something changed since that generation, or after so long."""
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
        with self._lock:
            self._connection.close()

    def _present(self, run: Callable[..., sqlite3.Cursor]) -> float:
        latest: float = run("SELECT latest FROM clock").fetchone()[0]
        now = self._clock()
        if now > latest + 1.0:  # so that reading is not writing; a second makes no difference
            run("UPDATE clock SET latest = ?", (now,))
        return max(now, latest)


class Change:
    """What can be done and read in one transaction; `now` is its time."""

    def __init__(self, run: Callable[..., sqlite3.Cursor], now: float) -> None:
        self._run = run
        self.now = now
        self.told = False

    def get(self, identifier: str) -> Record | None:
        """The consultation of that id."""
        row = self._run(
            "SELECT record, matter, grant_ FROM consultation WHERE id = ?", (identifier,)
        ).fetchone()
        return None if row is None else _record(*row)

    def asked(self, organisation: str, subject: str, question_id: str) -> Record | None:
        """The one that this caller opened under that question id."""
        row = self._run(
            "SELECT record, matter, grant_ FROM consultation "
            "WHERE organisation = ? AND subject = ? AND question_id = ?",
            (organisation, subject, question_id),
        ).fetchone()
        return None if row is None else _record(*row)

    def open_of(self, organisation: str) -> int:
        """How many of an organisation's wait for somebody."""
        found = self._run(
            "SELECT count(*) FROM consultation WHERE organisation = ? AND due > 0", (organisation,)
        ).fetchone()
        return int(found[0])

    def listed(self, *, closed: bool, most: int) -> list[Record]:
        """Those that wait, the longest waiting first; with `closed` all, the newest first."""
        rows = (
            self._run(
                "SELECT record, matter, grant_ FROM consultation ORDER BY rowid DESC LIMIT ?",
                (most,),
            )
            if closed
            else self._run(
                "SELECT record, matter, grant_ FROM consultation WHERE due > 0 "
                "ORDER BY due, rowid LIMIT ?",
                (most,),
            )
        )
        return [_record(*row) for row in rows]

    def overdue(self, most: int = 100) -> list[Record]:
        """Those whose silence has had its effect by now."""
        rows = self._run(
            "SELECT record, matter, grant_ FROM consultation WHERE due > 0 AND due <= ? "
            "ORDER BY due LIMIT ?",
            (self.now, most),
        )
        return [_record(*row) for row in rows]

    def put(self, record: Record, kind: str, text: str, by: str) -> Event:
        """Keeps the consultation as it is now, and what happened."""
        kept = asdict(replace(record, matter=b"", grant=b""))
        self._run(
            "INSERT INTO consultation VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET due = excluded.due, matter = excluded.matter, grant_ = excluded.grant_, "
            "record = excluded.record",
            (
                record.id,
                record.organisation,
                record.subject,
                record.question_id,
                record.standing.due,
                record.matter,
                record.grant,
                json.dumps(kept, default=lambda _: None),
            ),
        )
        number = self._run(
            "INSERT INTO event (consultation, at, kind, text, by_) VALUES (?, ?, ?, ?, ?)",
            (record.id, self.now, kind, text, by),
        ).lastrowid
        self.told = True
        return Event(number or 0, record.id, self.now, kind, text, by)

    def events(self, identifier: str, after: int = 0) -> list[Event]:
        """What happened to one after that event, oldest first."""
        rows = self._run(
            "SELECT number, consultation, at, kind, text, by_ FROM event "
            "WHERE consultation = ? AND number > ? ORDER BY number",
            (identifier, min(after, LARGEST)),
        )
        return [Event(*row) for row in rows]

    def everything(self, after: int, most: int) -> list[Event]:
        """What happened to any, oldest first."""
        rows = self._run(
            "SELECT number, consultation, at, kind, text, by_ FROM event "
            "WHERE number > ? ORDER BY number LIMIT ?",
            (min(after, LARGEST), most),
        )
        return [Event(*row) for row in rows]


def _record(record: str, matter: bytes, grant: bytes) -> Record:
    kept: dict[str, Any] = json.loads(record)
    standing, scope = kept["standing"], kept["standing"]["scope"]
    level = kept["lifts"]["level"]
    return Record(
        **{
            **kept,
            "matter": matter,
            "grant": grant,
            "resources": tuple(kept["resources"]),
            "terms": tuple((name, digest) for name, digest in kept["terms"]),
            "clearance": Level(kept["clearance"]),
            "level": Level(kept["level"]),
            "lifts": Lifts(**{**kept["lifts"], "level": None if level is None else Level(level)}),
            "standing": Standing(
                **{
                    **standing,
                    "terms": Terms(**standing["terms"]),
                    "state": State(standing["state"]),
                    "approvals": tuple(standing["approvals"]),
                    "scope": None if scope is None else Scope(**scope),
                }
            ),
        }
    )
