"""Handing in, without a socket: records become batches, batches are sealed, results are read.

What is under way stays here until its result is proved, and goes again, under the same ids, on a
new stream if the old one broke: so nothing is lost, and nothing is taken twice. A driver with
threads and one with asyncio carry the messages. Safe for one driver's two threads.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.receipt import verify_receipt
from landbridge.exchange import HandOn, Pause, Steps
from landbridge.receipt import Receipt
from landbridge.submission import sealed
from landbridge.submission.check import Plain, Unfit
from landbridge.submission.collection import Collection
from landbridge.submission.fate import AGAIN, TAKEN, Fate
from landbridge.submission.receipt import (
    LISTED,
    BatchReceipt,
    Contribution,
    RefusedRecord,
    SubmissionReceipt,
)
from landbridge.submission.sealed import Head, NotOpened, Outcome, Record
from landbridge.v1 import submission_pb2

if TYPE_CHECKING:
    from landbridge.submission.randomising import Randomiser

BATCH: Final = 500
"""Records of a batch, as long as they fit."""
BATCH_BYTES: Final = 512 * 1024
"""About so many; as JSON writes them, texts can take six times that at most."""
UNDER_WAY: Final = 8
"""Batches that are sent before the first one's result is back."""
STREAM_SECONDS: Final = 120.0
"""The gateway ends a stream earlier; this is for one that does not."""
PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
ATTEMPTS: Final = 3
"""How often a batch is sealed anew because a key, the contract or the token has changed."""

Item = tuple[int, Record | RefusedRecord]
"""A record's place, and the record; or why it will not be sent."""
Settled = Callable[[Sequence[tuple[int, Record, Fate]]], None]
"""Takes what became final, before it is forgotten here."""


@dataclass(slots=True)
class _Batch:
    """Some records under one id, and the key that its last sealing put in."""

    id: bytes
    items: list[tuple[int, Record]]
    attempts: int = 0
    key: bytes = field(default=b"", repr=False)


class Sending:
    """One `submit`."""

    def __init__(
        self,
        collection: Collection,
        purpose: str,
        items: Iterable[Item],
        *,
        batch: int = BATCH,
        settled: Settled = lambda _: None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        if not 1 <= batch <= collection.form.most_records:
            raise error(
                "INVALID_ARGUMENT",
                f"A batch has 1 to {collection.form.most_records} records.",
            )
        self._collection = collection
        self._purpose = purpose
        self._items = iter(items)
        self._size = batch
        self._settled = settled
        self._progress = progress
        self._lock = threading.Lock()
        self._stream = 0
        self._over = False
        self._again: deque[_Batch] = deque()
        self._under_way: deque[_Batch] = deque()
        self._counts: Counter[str] = Counter()
        self._refused: list[RefusedRecord] = []
        self._receipts: list[BatchReceipt] = []
        self.failure: BaseException | None = None
        """What the caller's own records raised, or what shows that nothing more can be sent."""
        self.outdated = False
        """The department said that a key or the contract has changed: it must be described anew."""

    @property
    def done(self) -> bool:
        """Whether everything has its result."""
        with self._lock:
            return self._over and not self._again and not self._under_way

    @property
    def finished(self) -> int:
        """Records that have a result."""
        return sum(self._counts.values())

    def begin(self) -> tuple[int, submission_pb2.SubmitRequest]:
        """A new stream: its number, and its first message."""
        with self._lock:
            self._stream += 1
            # What was under way on the earlier one is not known to have arrived.
            self._again.extendleft(reversed(self._under_way))
            self._under_way.clear()
            form = self._collection.form
            opening = submission_pb2.SubmitOpening(
                department=form.department, contract=form.contract, purpose=self._purpose
            )
            return self._stream, submission_pb2.SubmitRequest(opening=opening)

    def describe(self, collection: Collection) -> None:
        """What is sent from now on is sealed for this."""
        with self._lock:
            if collection.form.fields != self._collection.form.fields:
                self.failure = error(
                    "CONTRACT_CHANGED",
                    "The contract collects other values than when these records were checked.",
                )
            self._collection = collection
            self.outdated = False

    def next(self, stream: int, token: str) -> submission_pb2.SubmitRequest | None:
        """The next batch for that stream, sealed; None where there is no more to send on it."""
        with self._lock:
            if stream != self._stream or self.failure is not None or self.outdated:
                return None
            batch = self._again.popleft() if self._again else self._drawn()
            if batch is None:
                return None
            self._under_way.append(batch)
            return self._sealed(batch, token)

    def take(self, stream: int, response: submission_pb2.SubmitResponse) -> None:
        """The result of the batch that was sent first of those under way; raises ANSWER_REJECTED.

        What is final is told to `settled` before it is forgotten.
        """
        with self._lock:
            if stream != self._stream or not self._under_way:
                raise _rejected()
            batch = self._under_way[0]
            result = response.result
            if result.batch_id != batch.id:
                raise _rejected()
            self._prove(result)
            if result.refused:
                fates = [_fate(result.refused)] * len(batch.items)
                if fates and fates[0] in AGAIN and batch.attempts < ATTEMPTS:
                    # A key, the contract or the token has changed since it was sealed.
                    self._under_way.popleft()
                    self._again.append(batch)
                    self.outdated = True
                    return
            else:
                fates = self._read(batch, response)
        final = [
            (place, record, fate) for (place, record), fate in zip(batch.items, fates, strict=True)
        ]
        self._settled(final)
        with self._lock:
            self._under_way.popleft()
            for place, record, fate in final:
                self._count(fate)
                if fate not in TAKEN:
                    self._list(RefusedRecord(place, record.id, str(fate)))
        self._tell()

    def receipt(self, waiting: int = 0) -> SubmissionReceipt:
        """What came of everything that has its result."""
        form = self._collection.form
        return SubmissionReceipt(
            contract=f"{form.department}.{form.contract}",
            accepted=self._counts[Fate.ACCEPTED],
            duplicates=self._counts[Fate.DUPLICATE],
            waiting=waiting,
            counts=dict(self._counts),
            refused=tuple(sorted(self._refused, key=lambda each: each.index)),
            receipts=tuple(self._receipts),
        )

    def _drawn(self) -> _Batch | None:
        items: list[tuple[int, Record]] = []
        size = 0
        while len(items) < self._size and size < BATCH_BYTES and not self._over:
            try:
                item = next(self._items, None)
            except BaseException as failure:  # noqa: BLE001 - the caller's own; raised to them
                self.failure, item = failure, None
            if item is None:
                self._over = True
                break
            place, record = item
            if isinstance(record, RefusedRecord):
                self._count(Fate(record.reason))
                self._list(record)
                continue
            items.append((place, record))
            size += sum(len(value.encode()) for value in record.values if isinstance(value, str))
            size += 100
        return _Batch(secrets.token_bytes(sealed.ID_BYTES), items) if items else None

    def _sealed(self, batch: _Batch, token: str) -> submission_pb2.SubmitRequest:
        batch.attempts += 1
        batch.key = secrets.token_bytes(32)
        collection = self._collection
        head = Head(collection.form.digest, sealed.token_digest(token), batch.key)
        content = sealed.lines(head, [record for _, record in batch.items])
        return submission_pb2.SubmitRequest(
            batch=submission_pb2.SealedBatch(
                batch_id=batch.id,
                sealed=sealed.seal(content, collection.target, batch.id, collection.sealing),
                key_id=sealed.key_id(collection.sealing),
            )
        )

    def _prove(self, result: submission_pb2.BatchResult) -> Entry:
        """The department's entry of this batch, in its own log."""
        receipt = result.receipt
        try:
            verify_receipt(receipt.entry, receipt.proof, self._collection.log_key)
            entry = Entry.from_bytes(receipt.entry)
        except EvidenceError:
            raise _rejected() from None
        if (entry.kind, entry.question_id) != ("submit", result.batch_id.hex()):
            raise _rejected()
        return entry

    def _read(self, batch: _Batch, response: submission_pb2.SubmitResponse) -> list[Fate]:
        result = response.result
        entry = self._prove(result)
        try:
            content, salt = sealed.open_outcome(result.sealed, batch.id, batch.key)
            outcome = Outcome.from_bytes(content)
        except (NotOpened, ValueError, TypeError):
            raise _rejected() from None
        if entry.answer_digest != sha256(salt + content).hexdigest():
            raise _rejected()
        if outcome.records != len(batch.items):
            raise _rejected()
        gateway = response.receipt
        self._receipts.append(
            BatchReceipt(
                Receipt(result.receipt.entry, result.receipt.proof, salt),
                Receipt(gateway.entry, gateway.proof, gateway.answer_salt),
                content,
            )
        )
        return outcome.fates()

    def _count(self, fate: Fate) -> None:
        self._counts[str(fate)] += 1

    def _list(self, refused: RefusedRecord) -> None:
        if len(self._refused) < LISTED:
            self._refused.append(refused)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.finished)


def checked(
    collection: Collection,
    records: Iterable[Mapping[str, Any] | Contribution],
    *,
    texts: bool = False,
    named: Callable[[int], str] | None = None,
    drawn: Callable[[str], Sequence[Plain] | None] | None = None,
) -> Iterator[Item]:
    """Each record in its one spelling, or why it does not fit. `named` gives the ids.

    Where the owner randomises, what is given is the report, drawn once. `drawn` knows the reports
    of records that were given before; without it a record cannot have an id of its own, by which it
    would come again and be drawn anew.
    """
    checker = collection.checker
    randomiser = _randomiser(collection)
    for place, each in enumerate(records):
        given = each if isinstance(each, Contribution) else None
        if given is None:
            given = Contribution(each) if named is None else Contribution(each, id=named(place))  # type: ignore[arg-type]
        if randomiser is not None and drawn is None and (given is each or named is not None):
            raise error(
                "INVALID_ARGUMENT",
                "This collection is randomised at its source: a record with an id of its own would "
                "be drawn anew whenever it is handed in again, and each draw tells more.",
                hint="Give a queue (queue=, --queue FILE), in which its report is kept.",
            )
        if not sealed.is_id(given.id):
            raise error("INVALID_ARGUMENT", "The id of a record is 32 hexadecimal digits.")
        if not isinstance(given.corrects, bool) and not sealed.is_id(given.corrects):
            raise error("INVALID_ARGUMENT", "corrects is True, False or the id of a record.")
        try:
            values = checker.record(given.values, texts=texts)
        except Unfit as unfit:
            yield place, RefusedRecord(place, given.id, str(unfit.fate), unfit.field)
            continue
        if randomiser is not None:
            known = None if drawn is None else drawn(given.id)
            values = list(known) if known is not None else randomiser.values(values)
        yield place, Record(given.id, round(given.captured * 1000), given.corrects, values)


def _randomiser(collection: Collection) -> Randomiser | None:
    """None where records are sent as they are; OpenDP is needed for the others alone."""
    if not collection.form.randomised:
        return None
    from landbridge.submission.randomising import Randomiser

    return Randomiser(collection.form)


def sent(
    sending: Sending,
    describe: Callable[[], Steps[Collection]],
    seconds: float,
    clock: Callable[[], float],
) -> Steps[None]:
    """The steps until everything has its result.

    After `seconds` without any record having come to its end it raises what stands in the way.
    `describe` are the steps of asking for the description anew.
    """
    finished, since, pause, wait = sending.finished, clock(), PAUSE, 0.0
    while not sending.done:
        if sending.outdated:
            sending.describe((yield from describe()))
        elif wait:
            yield Pause(wait)
        ended = yield HandOn("Submit", sending, STREAM_SECONDS, UNDER_WAY, "Submissions")
        if sending.failure is not None:
            raise sending.failure
        failure = ended if isinstance(ended, LandbridgeError) else error("GATEWAY_UNREACHABLE")
        if failure.status != "UNAVAILABLE":
            raise failure
        if sending.finished > finished:
            finished, since, pause = sending.finished, clock(), PAUSE
        elif clock() - since >= seconds:
            raise failure
        wait = max(pause, min(failure.retry_after or 0.0, LONGEST_PAUSE))
        pause = min(2 * pause, LONGEST_PAUSE)


def _fate(text: str) -> Fate:
    try:
        return Fate(text)
    except ValueError:
        raise _rejected() from None


def _rejected() -> LandbridgeError:
    return error(
        "ANSWER_REJECTED", "The result of a batch is not what the department gave and logged."
    )
