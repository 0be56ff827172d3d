"""Every request leaves an entry in the log before its reply leaves: steps (10) and (12).

A use case runs inside `Recorder.request`, notes what it learns as it goes, and ends with
`Draft.answered`. A refusal or a fault on the way is recorded by the recorder itself, with what was
noted until then. When the log cannot be written the reply is LOG_UNAVAILABLE, whatever it would
have been. Refused logins, and requests of who has too many here, are limited: beyond a few a
minute they share an entry, which says how many they were.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from landbridge.edge.calls import Calls, Seat
from landbridge.edge.first_look import FirstLook
from landbridge.edge.logins import WINDOW, Cause, RefusedLogins
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey, instant
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.kind import OWN_FIELDS
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.subject_keys import SubjectKeys
from landbridge.identity.caller import Caller
from landbridge.v1 import evidence_pb2

TOO_MANY = "TOO_MANY_AT_ONCE"
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


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of one month, or those that last; `id` is what entries name them by."""

    id: str
    subjects: SubjectKey
    uses: Mapping[Use, SubjectKey]

    @classmethod
    def of(cls, ident: str, subjects: SubjectKey) -> _Keys:
        uses: tuple[Use, ...] = ("caller", "literal", "question", "text")
        return cls(ident, subjects, {use: subjects.derived(use) for use in uses})


class _Salts:
    """Salts of 32 bytes, drawn many at a time: each draw lets go of the interpreter's lock, and
    where many threads want it, waits long to have it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[bytes] = []

    def next(self) -> bytes:
        """One that nobody had."""
        with self._lock:
            if not self._left:
                drawn = secrets.token_bytes(32 * 64)
                self._left = [drawn[at : at + 32] for at in range(0, len(drawn), 32)]
            return self._left.pop()


_DIGESTED: Final = frozenset({"caller", "question_hash", "subject"})
"""Fields that hold keyed digests; `question` does only beside its hash."""


@dataclass(slots=True)
class Draft:
    """The entry of a request that is under way."""

    kind: str
    recorder: Recorder
    fields: dict[str, Any] = field(default_factory=dict)
    logged: Logged | None = None
    seat: Seat | None = None

    def note(self, **fields: Any) -> None:
        """Adds fields of `landbridge.evidence.entry.Entry`."""
        self.fields.update(fields)

    def caller(self, caller: Caller) -> None:
        """Who asks; the person appears as a keyed digest only.

        A call goes on from here when it has its seat: raises TOO_MANY_AT_ONCE and DEADLINE.
        """
        self.note(
            caller=self.recorder.digest("caller", caller.subject),
            organisation=caller.organisation,
            client=caller.client,
        )
        if self.seat is not None:
            self.seat.take(caller)

    def delayed(self, days: int) -> None:
        """The person concerned may be told of it after so many days; 0: at once."""
        if days:
            self.note(disclosable_from=self.recorder.after(days))

    def admitted(self) -> None:
        """Writes the entry of something that was let in, and gave no answer yet."""
        self.logged = Logged(self.recorder.append(self, outcome="answered"), b"")

    def answered(self, answer: bytes, salt: bytes = b"") -> Logged:
        """Writes the entry of an answer durably; what it returns may leave with the reply.

        The entry commits to the answer by SHA-256(salt || answer) and says nothing of it. The salt
        is a new one unless the answer is one whose salt was kept.
        """
        salt = salt or self.recorder.salts.next()
        self.note(answer_digest=sha256(salt + answer).hexdigest())
        self.logged = Logged(self.recorder.append(self, outcome="answered"), salt)
        return self.logged

    def answered_each(self, answers: Sequence[tuple[Mapping[str, Any], bytes]]) -> list[Logged]:
        """As `answered`, an entry for each answer with its own fields; they share their syncs."""
        salts = [self.recorder.salts.next() for _ in answers]
        drafts = [
            {**self.fields, **fields, "answer_digest": sha256(salt + answer).hexdigest()}
            for salt, (fields, answer) in zip(salts, answers, strict=True)
        ]
        receipts = self.recorder.append_each(self.kind, drafts, outcome="answered")
        logged = [Logged(receipt, salt) for receipt, salt in zip(receipts, salts, strict=True)]
        self.logged = logged[-1] if logged else None
        return logged

    def answering(self, answer: bytes) -> Callable[[], Logged]:
        """As `answered`, which is what the result does: entries that are begun together share a
        sync.
        """
        salt = self.recorder.salts.next()
        self.note(answer_digest=sha256(salt + answer).hexdigest())
        begun = self.recorder.begin(self.kind, {**self.fields, "outcome": "answered"})

        def durable() -> Logged:
            self.logged = Logged(begun(), salt)
            return self.logged

        return durable

    def ended(self) -> None:
        """Raises FAULT when the use case left no entry: a defect, and nothing may leave."""
        if self.logged is None:
            raise error("FAULT")


class Recorder:
    """Writes one process's entries, with the keyed digests that they need.

    A draft's own recorder makes digests with the key of the month in which the draft was begun, and
    the entry names it. Other digests are made with `subjects`, which lasts: they are for what is
    compared over years and must not stand in an entry. Without `periods` that key makes all.
    Everything waits for the `first_look` but what `starting` writes.
    """

    def __init__(
        self,
        log: Log,
        subjects: SubjectKey,
        policy_digest: str,
        clock: Callable[[], float],
        periods: SubjectKeys | None = None,
        first_look: FirstLook | None = None,
        calls: Calls | None = None,
    ) -> None:
        self._first_look = first_look
        self._calls = calls
        self.salts = _Salts()
        self._log = log
        self._keys = _Keys.of("", subjects)
        self._policy_digest = policy_digest
        self._clock = clock
        self._periods = periods
        self._latest: Recorder | None = None
        self._logins = RefusedLogins(clock)
        self._counting = threading.Lock()
        self._counter: threading.Timer | None = None
        if calls is not None:
            calls.turned_away = self.turned_away

    @property
    def size(self) -> int:
        """The number of entries that the log has now."""
        return self._log.size

    def under(self, policy_digest: str) -> None:
        """From now on entries name this version of the policy, unless a draft notes another."""
        self._policy_digest = policy_digest

    def digest(self, use: Use, text: str) -> str:
        """HMAC of a text, hex, under the key of that use."""
        return self._keys.uses[use].digest(text)

    def subject(self, identifier: str) -> str:
        """HMAC of a data subject's id, hex, under the subject key itself."""
        return self._keys.subjects.digest(identifier)

    def after(self, days: int) -> str:
        """The instant so many days from now."""
        return instant(datetime.fromtimestamp(self._clock(), UTC) + timedelta(days=days))

    def require(self) -> None:
        """Raises while the log may not be relied on, for what begins outside of a request."""
        self._await_first_look()
        self._log.require()

    @contextmanager
    def request(self, kind: str, **fields: Any) -> Iterator[Draft]:
        """One request. Its end without `answered` and without an exception is a fault.

        Raises before anything begins, and leaves no entry, while the log may not be relied on:
        LOG_CONTRADICTED, LOG_UNWITNESSED, LOG_UNAVAILABLE.
        """
        self.require()
        draft = Draft(kind, self.dated(), dict(fields))
        with self._seat(draft), self._log.coming:
            try:
                yield draft
                draft.ended()
            except LandbridgeError as refusal:
                if draft.logged is None and refusal.reason != "LOG_UNAVAILABLE":
                    refusal.receipt = self._refused(draft, refusal)
                raise
            except Exception:
                draft.recorder.append(draft, outcome="failed", reason="FAULT")
                raise

    @contextmanager
    def _seat(self, draft: Draft) -> Iterator[None]:
        """Where a call has begun on this thread, the draft's caller takes its seat."""
        if self._calls is None:
            yield
            return
        with self._calls.seat(self._log.coming.away) as draft.seat:
            yield

    def draft(self, kind: str, **fields: Any) -> Draft:
        """The entry of something that ends elsewhere than it begins; raises as `request` does."""
        self.require()
        return Draft(kind, self.dated(), dict(fields))

    @contextmanager
    def refusing(self, draft: Draft) -> Iterator[None]:
        """What is refused here ends that draft, with what was noted until then."""
        try:
            yield
        except LandbridgeError as refusal:
            if draft.logged is None and refusal.reason != "LOG_UNAVAILABLE":
                refusal.receipt = self._refused(draft, refusal)
            raise

    @contextmanager
    def check(self, kind: str, **fields: Any) -> Iterator[Draft]:
        """Something before a request that only a refusal leaves an entry of."""
        draft = Draft(kind, self.dated(), dict(fields))
        try:
            yield draft
        except LandbridgeError as refusal:
            refusal.receipt = self._refused(draft, refusal)
            raise

    def event(self, kind: str, **fields: Any) -> Receipt:
        """An entry that belongs to no request: start, stop. What was counted stands before it."""
        self._await_first_look()
        self.write_counts()
        return self.append(Draft(kind, self, dict(fields)))

    def starting(self) -> Recorder:
        """This recorder for the server's start itself, which waits for nothing."""
        first = copy(self)
        first._first_look = None
        return first

    def dated(self) -> Recorder:
        """This recorder, with this month's key."""
        if self._periods is None:
            return self
        try:
            period = self._periods.at(self._clock())
        except (EvidenceError, OSError) as problem:
            # Without a key there is no entry, and without an entry no answer.
            raise error("LOG_UNAVAILABLE") from problem
        dated = self._latest
        now = (period.id, self._policy_digest)
        if dated is None or (dated._keys.id, dated._policy_digest) != now:
            dated = copy(self)
            dated._keys = _Keys.of(period.id, period.key)
            self._latest = dated
        return dated

    def write_counts(self) -> None:
        """One entry for each cause whose refused logins were counted. Raises LOG_UNAVAILABLE."""
        with self._counting:
            if self._counter is not None:
                self._counter.cancel()
                self._counter = None
        counted = self._logins.take()
        while counted:
            cause, count = counted.popitem()
            try:
                draft = Draft(cause.kind, self, {"organisation": cause.organisation})
                self.append(draft, outcome="refused", reason=cause.reason, count=count)
            except LandbridgeError:
                for left, number in ((cause, count), *counted.items()):
                    self._logins.give_back(left, number)
                raise

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

    def append_each(
        self, kind: str, drafts: Sequence[Mapping[str, Any]], **fields: Any
    ) -> list[Receipt]:
        """Entries of one kind, in order, all durable when this returns. Raises LOG_UNAVAILABLE."""
        waiting = [self._log.submit(self._bytes(kind, {**each, **fields})) for each in drafts]
        return [receipt.result() for receipt in waiting]

    def begin(self, kind: str, fields: Mapping[str, Any]) -> Callable[[], Receipt]:
        """An entry whose result waits until it is durable. Raises LOG_UNAVAILABLE, now or then."""
        return self._log.submit(self._bytes(kind, fields)).result

    def _write(self, kind: str, fields: dict[str, Any]) -> Receipt:
        return self._log.append(self._bytes(kind, fields))

    def _bytes(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        # Made from its fields: the object between them and the bytes would cost as much as those.
        return Entry.bytes_of(
            {
                "kind": kind,
                "time": instant(datetime.fromtimestamp(self._clock(), UTC)),
                # A request that was decided notes by which version: another may be in force by now.
                "policy_digest": self._policy_digest,
                "subject_key": self._keys.id if not _DIGESTED.isdisjoint(fields) else "",
                **fields,
            }
        )

    def _await_first_look(self) -> None:
        if self._first_look is not None:
            self._first_look.require()

    def _refused(self, draft: Draft, refusal: LandbridgeError) -> bytes:
        self._await_first_look()
        if refusal.status == "UNAUTHENTICATED":
            draft.kind = "refused_login"
            draft.fields = {
                name: value
                for name, value in draft.fields.items()
                if draft.kind in OWN_FIELDS.get(name, {draft.kind})
            }
            if not self._logins.admit(Cause(refusal.reason)):
                self._count_later()
                return b""
        elif refusal.reason == TOO_MANY:
            organisation = draft.fields.get("organisation", "")
            if not self._logins.admit(Cause(TOO_MANY, organisation, draft.kind)):
                self._count_later()
                return b""
        outcome = "failed" if refusal.status in ("INTERNAL", "UNAVAILABLE") else "refused"
        # By the recorder that it was begun with, whose key the caller's digest is of.
        receipt = draft.recorder.append(
            draft, outcome=outcome, reason=refusal.reason, rule=refusal.rule
        )
        return evidence_pb2.Receipt(entry=receipt.entry, proof=receipt.proof).SerializeToString()

    def turned_away(self, organisation: str) -> None:
        """A request of that organisation, which had too many here, was refused unread."""
        self._logins.count(Cause(TOO_MANY, organisation, "query"))
        self._count_later()

    def _count_later(self) -> None:
        """The counts are written within a minute, by a thread that no caller waits for."""
        with self._counting:
            if self._counter is None:
                counter = threading.Timer(WINDOW, self._count_now)
                counter.daemon = True
                with suppress(RuntimeError):  # no thread just now: the next one that counts tries
                    counter.start()
                    self._counter = counter

    def _count_now(self) -> None:
        try:
            self.write_counts()
        except LandbridgeError:
            # The log is shut or broken; they are kept, and tried with the next refusal or at the
            # end.
            return
