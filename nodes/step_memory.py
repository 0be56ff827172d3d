"""The steps of cases that this department was asked to take: durable, each with one effect.

Admitted: a caller whose token was good asked for it, and the policy said yes. Computed: the reply
stands, and what comes next is its log entry. Logged: the reply may leave, again and again the same.
A process that dies in between goes on where it was; whether the entry of a computed step was
written is read from the log itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.receipt import Receipt
from landbridge.identity.caller import Caller
from nodes.known_caller import from_json, to_json
from nodes.sqlite_file import SqliteFile

_SCHEMA = (
    """CREATE TABLE step (
      case_id TEXT NOT NULL, step TEXT NOT NULL, admission TEXT NOT NULL, admitted BLOB NOT NULL,
      taken BLOB, state TEXT NOT NULL CHECK (state IN ('admitted', 'computed', 'logged')),
      reply BLOB, said TEXT, salt BLOB, log_size INTEGER, entry BLOB, proof TEXT,
      PRIMARY KEY (case_id, step)
    ) STRICT""",
    "CREATE INDEX unfinished ON step (state) WHERE state = 'computed'",
)


@dataclass(frozen=True, slots=True)
class Key:
    """Which step of which case."""

    case: str
    step: str

    def to_bytes(self) -> bytes:
        """For a turn and as the name of a charge."""
        return f"{self.case}/{self.step}".encode()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who opened the case and why, as their verified token said, and what was admitted."""

    caller: Caller
    purpose: str
    procedure: str
    handler: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A computed reply: its wire form without receipt, the line that is logged, and its salt."""

    reply: bytes
    said: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a step. `admitted` and `taken` are digests of what was asked."""

    admission: Admission
    admitted: bytes
    taken: bytes
    effect: Effect | None
    receipt: tuple[bytes, str] | None
    """Entry and proof, once it is logged."""


class StepMemory:
    """One department's steps, in one SQLite file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._file = SqliteFile(path, _SCHEMA, clock, version=1, what="a memory of cases' steps")

    def find(self, key: Key) -> Remembered | None:
        """What is known of the step."""
        with self._file.transaction() as run:
            row = run(
                "SELECT admission, admitted, taken, reply, said, salt, entry, proof FROM step "
                "WHERE case_id = ? AND step = ?",
                (key.case, key.step),
            ).fetchone()
        if row is None:
            return None
        admission, admitted, taken, reply, said, salt, entry, proof = row
        return Remembered(
            _admission(admission),
            admitted,
            taken or b"",
            None if reply is None else Effect(reply, said, salt),
            None if proof is None else (entry, proof),
        )

    def admit(self, key: Key, admission: Admission, digest: bytes) -> None:
        """Remembers that the step may be taken, now and after the token's end."""
        with self._file.transaction() as run:
            run(
                "INSERT INTO step (case_id, step, admission, admitted, state) "
                "VALUES (?, ?, ?, ?, 'admitted')",
                (key.case, key.step, _written(admission), digest),
            )

    def computed(self, key: Key, taken: bytes, effect: Effect, log_size: int) -> None:
        """Remembers the reply. The log had that many entries before this one's could come."""
        with self._file.transaction() as run:
            run(
                "UPDATE step SET state = 'computed', taken = ?, reply = ?, said = ?, salt = ?, "
                "log_size = ? WHERE case_id = ? AND step = ?",
                (taken, effect.reply, effect.said, effect.salt, log_size, key.case, key.step),
            )

    def logged(self, key: Key, receipt: Receipt) -> None:
        """Remembers the proof; from now on the reply may leave."""
        with self._file.transaction() as run:
            run(
                "UPDATE step SET state = 'logged', entry = ?, proof = ? "
                "WHERE case_id = ? AND step = ?",
                (receipt.entry, receipt.proof, key.case, key.step),
            )

    def recover(self, log: Path) -> int:
        """Finishes the steps whose entry was written before the process died; gives their number.

        `log` is the published folder of the log that was just opened.
        """
        with self._file.transaction() as run:
            open_ones = {
                Key(case, step): size
                for case, step, size in run(
                    "SELECT case_id, step, log_size FROM step WHERE state = 'computed'"
                ).fetchall()
            }
        if not open_ones:
            return 0
        lookup = Lookup.of(log)
        found = 0
        for index, content in lookup.entries(min(open_ones.values())):
            try:
                entry = Entry.from_bytes(content)
            except EvidenceError:
                continue  # of a later version; none of ours
            key = Key(entry.case, entry.step)
            if entry.kind == "step" and entry.answer_digest and key in open_ones:
                self.logged(key, lookup.receipt(index, content))
                del open_ones[key]
                found += 1
        return found

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def _written(admission: Admission) -> str:
    return json.dumps(
        {
            **to_json(admission.caller),
            "purpose": admission.purpose,
            "procedure": admission.procedure,
            "handler": admission.handler,
        }
    )


def _admission(text: str) -> Admission:
    kept = json.loads(text)
    return Admission(from_json(kept), kept["purpose"], kept["procedure"], kept["handler"])
