"""Every request leaves an entry in the log before its reply leaves: steps (10) and (12).

A use case runs inside `Recorder.request`, notes what it learns as it goes, and ends with
`Draft.answered`. A refusal or a fault on the way is recorded by the recorder itself, with what was
noted until then. When the log cannot be written the reply is LOG_UNAVAILABLE, whatever it would
have been.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey, instant
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt
from landbridge.identity.caller import Caller
from landbridge.v1 import evidence_pb2

MOST_PARTS = 200
"""Departments' parts in one entry; the others stand in entries of kind "parts" before it."""

Use = Literal["caller", "literal", "question", "text"]
"""What a digest is for; digests of two uses cannot be compared."""


@dataclass(frozen=True, slots=True)
class Logged:
    """The proof that an answer was logged, and the salt of its digest."""

    receipt: Receipt
    salt: bytes

    def message(self) -> evidence_pb2.Receipt:
        """The wire form."""
        return evidence_pb2.Receipt(
            entry=self.receipt.entry, proof=self.receipt.proof, answer_salt=self.salt
        )


@dataclass(slots=True)
class Draft:
    """The entry of a request that is under way."""

    kind: str
    recorder: Recorder
    fields: dict[str, Any] = field(default_factory=dict)
    logged: Logged | None = None

    def note(self, **fields: Any) -> None:
        """Adds fields of `landbridge.evidence.entry.Entry`."""
        self.fields.update(fields)

    def caller(self, caller: Caller) -> None:
        """Who asks; the person appears as a keyed digest only."""
        self.note(
            caller=self.recorder.digest("caller", caller.subject),
            organisation=caller.organisation,
            client=caller.client,
        )

    def answered(self, answer: bytes) -> Logged:
        """Writes the entry of an answer durably; what it returns may leave with the reply.

        The entry commits to the answer by SHA-256(salt || answer) and says nothing of it.
        """
        salt = secrets.token_bytes(32)
        self.note(answer_digest=sha256(salt + answer).hexdigest())
        self.logged = Logged(self.recorder.append(self, outcome="answered"), salt)
        return self.logged

    def ended(self) -> None:
        """Raises FAULT when the use case left no entry: a defect, and nothing may leave."""
        if self.logged is None:
            raise error("FAULT")


class Recorder:
    """Writes one process's entries, with the keyed digests that they need."""

    def __init__(
        self, log: Log, subjects: SubjectKey, policy_digest: str, clock: Callable[[], float]
    ) -> None:
        self._log = log
        self._subjects = subjects
        uses: tuple[Use, ...] = ("caller", "literal", "question", "text")
        self._keys = {use: subjects.derived(use) for use in uses}
        self._policy_digest = policy_digest
        self._clock = clock

    def digest(self, use: Use, text: str) -> str:
        """HMAC of a text, hex, under the key of that use."""
        return self._keys[use].digest(text)

    def subject(self, identifier: str) -> str:
        """HMAC of a data subject's id, hex, under the subject key itself."""
        return self._subjects.digest(identifier)

    @contextmanager
    def request(self, kind: str, **fields: Any) -> Iterator[Draft]:
        """One request. Its end without `answered` and without an exception is a fault."""
        draft = Draft(kind, self, dict(fields))
        try:
            yield draft
            draft.ended()
        except LandbridgeError as refusal:
            if draft.logged is None and refusal.reason != "LOG_UNAVAILABLE":
                refusal.receipt = self._refused(draft, refusal)
            raise
        except Exception:
            self.append(draft, outcome="failed", reason="FAULT")
            raise

    @contextmanager
    def check(self, kind: str, **fields: Any) -> Iterator[None]:
        """Something before a request that only a refusal leaves an entry of."""
        draft = Draft(kind, self, dict(fields))
        try:
            yield
        except LandbridgeError as refusal:
            refusal.receipt = self._refused(draft, refusal)
            raise

    def event(self, kind: str, **fields: Any) -> Receipt:
        """An entry that belongs to no request: start, stop, a change of members."""
        return self.append(Draft(kind, self, dict(fields)), outcome="answered")

    def append(self, draft: Draft, **fields: Any) -> Receipt:
        """The entry, durable. Raises LOG_UNAVAILABLE.

        What does not fit into one entry is never a reason for having none: many parts stand in
        entries of their own, and the question gives way to its digest.
        """
        whole = {**draft.fields, **fields}
        parts = list(whole.get("parts", ()))
        if len(parts) > MOST_PARTS:
            for first in range(0, len(parts), MOST_PARTS):
                self._write(
                    "parts",
                    {
                        "question_id": whole.get("question_id", ""),
                        "parts": parts[first : first + MOST_PARTS],
                    },
                )
            whole["parts"] = ()
            whole["note"] = f"{len(parts)} parts stand in the entries of kind parts before this one"
        try:
            return self._write(draft.kind, whole)
        except EvidenceError:
            short = {**whole, "question": "", "members": (), "note": "shortened to fit"}
            return self._write(draft.kind, short)

    def _write(self, kind: str, fields: dict[str, Any]) -> Receipt:
        entry = Entry(
            kind=kind,
            time=instant(datetime.fromtimestamp(self._clock(), UTC)),
            policy_digest=self._policy_digest,
            **fields,
        )
        return self._log.append(entry.to_bytes())

    def _refused(self, draft: Draft, refusal: LandbridgeError) -> bytes:
        if refusal.status == "UNAUTHENTICATED":
            draft.kind = "refused_login"
        outcome = "failed" if refusal.status in ("INTERNAL", "UNAVAILABLE") else "refused"
        receipt = self.append(draft, outcome=outcome, reason=refusal.reason, rule=refusal.rule)
        return evidence_pb2.Receipt(entry=receipt.entry, proof=receipt.proof).SerializeToString()
