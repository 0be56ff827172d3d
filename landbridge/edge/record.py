"""Every request leaves an entry in the log before its reply leaves: steps (10) and (12).

A use case runs inside `Recorder.request`, notes what it learns as it goes, and ends with
`Draft.answered`. A refusal or a fault on the way is recorded by the recorder itself, with what was
noted until then. When the log cannot be written the reply is LOG_UNAVAILABLE, whatever it would
have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey, instant
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt
from landbridge.identity.caller import Caller
from landbridge.v1 import evidence_pb2


@dataclass(slots=True)
class Draft:
    """The entry of a request that is under way."""

    kind: str
    recorder: Recorder
    fields: dict[str, Any] = field(default_factory=dict)
    receipt: Receipt | None = None

    def note(self, **fields: Any) -> None:
        """Adds fields of `landbridge.evidence.entry.Entry`."""
        self.fields.update(fields)

    def caller(self, caller: Caller) -> None:
        """Who asks; the person appears as a keyed digest only."""
        self.note(
            caller=self.recorder.digest(caller.subject),
            organisation=caller.organisation,
            client=caller.client,
        )

    def ended(self) -> None:
        """Raises FAULT when the use case left no entry: a defect, and nothing may leave."""
        if self.receipt is None:
            raise error("FAULT")

    def answered(self, **fields: Any) -> Receipt:
        """Writes the entry of an answer durably; what it returns may leave with the reply."""
        self.note(**fields)
        self.receipt = self.recorder.append(self, outcome="answered")
        return self.receipt


class Recorder:
    """Writes one process's entries. `digest` turns a subject's id into what the log may hold."""

    def __init__(
        self, log: Log, subjects: SubjectKey, policy_digest: str, clock: Callable[[], float]
    ) -> None:
        self._log = log
        self._subjects = subjects
        self._policy_digest = policy_digest
        self._clock = clock

    def digest(self, identifier: str) -> str:
        """HMAC of a subject's id, hex."""
        return self._subjects.digest(identifier)

    @contextmanager
    def request(self, kind: str, **fields: Any) -> Iterator[Draft]:
        """One request. Its end without `answered` and without an exception is a fault."""
        draft = Draft(kind, self, dict(fields))
        try:
            yield draft
            draft.ended()
        except LandbridgeError as refusal:
            if draft.receipt is None and refusal.reason != "LOG_UNAVAILABLE":
                refusal.receipt = self._refused(draft, refusal)
            raise
        except Exception:
            self.append(draft, outcome="failed", reason="FAULT")
            raise

    @contextmanager
    def check(self, **fields: Any) -> Iterator[None]:
        """Something that only a refusal leaves an entry of."""
        draft = Draft("refused_login", self, dict(fields))
        try:
            yield
        except LandbridgeError as refusal:
            refusal.receipt = self._refused(draft, refusal)
            raise

    def event(self, kind: str, **fields: Any) -> Receipt:
        """An entry that belongs to no request: start, stop."""
        return self.append(Draft(kind, self, dict(fields)), outcome="answered")

    def append(self, draft: Draft, **fields: Any) -> Receipt:
        """The entry, durable. Raises LOG_UNAVAILABLE."""
        entry = Entry(
            kind=draft.kind,
            time=instant(datetime.fromtimestamp(self._clock(), UTC)),
            policy_digest=self._policy_digest,
            **{**draft.fields, **fields},
        )
        return self._log.append(entry.to_bytes())

    def _refused(self, draft: Draft, refusal: LandbridgeError) -> bytes:
        if refusal.status == "UNAUTHENTICATED":
            draft.kind = "refused_login"
        outcome = "failed" if refusal.status in ("INTERNAL", "UNAVAILABLE") else "refused"
        receipt = self.append(draft, outcome=outcome, reason=refusal.reason, rule=refusal.rule)
        return evidence_pb2.Receipt(entry=receipt.entry, proof=receipt.proof).SerializeToString()
