"""What `submit` does before and after the sending, the same for threads and for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange, Steps, stated
from landbridge.submission.collection import Collection, read_collection, remembered
from landbridge.submission.outbox import Outbox
from landbridge.submission.receipt import Contribution, SubmissionReceipt
from landbridge.submission.sending import BATCH, Sending, checked, sent
from landbridge.v1 import submission_pb2

Records = Iterable[Mapping[str, Any] | Contribution]


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be handed in, and how."""

    contract: str
    records: Any
    purpose: str
    pinned: bytes | None
    texts: bool = False
    batch: int = BATCH
    named: Callable[[int], str] | None = None
    progress: Callable[[int], None] | None = None

    def describe(self) -> Exchange[Collection]:
        """Asks what is collected."""
        request = submission_pb2.DescribeCollectionRequest(
            contract=_name(self.contract), purpose=stated(self.purpose)
        )
        return Exchange(
            "DescribeCollection",
            request,
            lambda reply: read_collection(reply, self.contract, self.pinned),
            "Submissions",
        )

    def sending(self, collection: Collection) -> Sending:
        """Straight from the records."""
        return Sending(
            collection,
            self.purpose,
            checked(collection, rows_of(self.records), texts=self.texts, named=self.named),
            batch=self.batch,
            progress=self.progress,
        )

    def _require_same_draws(self, outbox: Outbox, collection: Collection) -> None:
        """What waits was drawn, or not, by the description of then; raises CONTRACT_CHANGED."""
        message = outbox.described(self.contract)
        if message is None or not outbox.waiting(self.contract):
            return
        before = remembered(message, self.contract, None).form
        if before.fields != collection.form.fields and (
            before.randomised or collection.form.randomised
        ):
            raise error(
                "CONTRACT_CHANGED",
                "The contract randomises other values than when the records that wait in the queue "
                "were checked.",
                hint="Nothing was sent. Hand them in anew with another queue.",
            )

    def kept(self, outbox: Outbox, described: Collection | LandbridgeError) -> Kept:
        """Puts the records into the queue; what is sent is what lies there.

        `described` is why nobody could be asked, where that is so: then the description that was
        kept last holds, and raises the same where there is none.
        """
        if isinstance(described, LandbridgeError):
            message = outbox.described(self.contract)
            if message is None:
                raise described
            collection = remembered(message, self.contract, self.pinned)
        else:
            collection = described
            self._require_same_draws(outbox, collection)
            outbox.describe(self.contract, collection.described)
        drawing = collection.form.randomised
        rows = checked(
            collection, rows_of(self.records), texts=self.texts, named=self.named,
            drawn=outbox.drawn if drawing else None,
        )  # fmt: skip
        unfit = outbox.put(self.contract, rows, drawing=drawing)
        sending = Sending(
            collection,
            self.purpose,
            chain(((each.index, each) for each in unfit), outbox.items(self.contract)),
            batch=self.batch,
            settled=partial(outbox.settled, contract=self.contract),
            progress=self.progress,
        )
        return Kept(outbox, self.contract, sending, isinstance(described, Collection))


@dataclass(frozen=True, slots=True)
class Kept:
    """A queue that is being sent; not `reachable`: nothing can be sent now."""

    outbox: Outbox
    contract: str
    sending: Sending
    reachable: bool

    def receipt(self) -> SubmissionReceipt:
        """What came of it so far."""
        return self.sending.receipt(self.outbox.waiting(self.contract))


def handed_in(
    asked: Submission,
    queue: str | Path | None,
    describe: Callable[[], Steps[Collection]],
    seconds: float,
    clock: Callable[[], float],
) -> Steps[SubmissionReceipt]:
    """The steps of a `submit`, over a queue where there is one."""
    if queue is None:
        sending = asked.sending((yield from describe()))
        yield from sent(sending, describe, seconds, clock)
        return sending.receipt()
    with queue_at(queue) as outbox:
        found: Collection | LandbridgeError
        try:
            found = yield from describe()
        except LandbridgeError as failure:
            if not unreachable(failure):
                raise
            found = failure
        kept = asked.kept(outbox, found)
        try:
            if kept.reachable:
                yield from sent(kept.sending, describe, seconds, clock)
        except LandbridgeError as failure:
            if not unreachable(failure):
                raise
        return kept.receipt()


@contextmanager
def queue_at(path: str | Path) -> Iterator[Outbox]:
    """The queue in that file, for the block."""
    outbox = Outbox(Path(path))
    try:
        yield outbox
    finally:
        outbox.close()


def unreachable(failure: LandbridgeError) -> bool:
    """Whether to wait for another time."""
    return failure.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def rows_of(records: Any) -> Records:
    """Mappings of an iterable of such, of a pyarrow.Table or of a pandas.DataFrame."""
    if hasattr(records, "to_batches"):
        return (row for batch in records.to_batches() for row in batch.to_pylist())
    if hasattr(records, "to_dict") and hasattr(records, "columns"):
        found: Records = records.to_dict("records")
        return found
    if isinstance(records, Mapping | str | bytes) or not isinstance(records, Iterable):
        raise error(
            "INVALID_ARGUMENT", "records must be an iterable of mappings, one for each record."
        )
    return records


def _name(contract: str) -> str:
    if not isinstance(contract, str) or not contract or len(contract) > 128:
        raise error(
            "INVALID_ARGUMENT", 'A collection is named "contract" or "department.contract".'
        )
    return contract
