"""Records from arrival to receipt, at the node: who may hand them in, what becomes of each.

The node trusts no word of the gateway: it verifies the caller's token for every batch, asks its own
policy, opens what was sealed to its own key, and holds every record against the contract again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from hashlib import sha256
from typing import Final

from landbridge.edge.record import Draft, Recorder
from landbridge.identity.caller import Caller
from landbridge.membership.keys import MemberKeys
from landbridge.submission import sealed
from landbridge.submission.check import Checker, Plain, Unfit, key_of
from landbridge.submission.fate import TAKEN, Fate
from landbridge.submission.form import Field, Form
from landbridge.submission.randomised import Clamped
from landbridge.submission.sealed import Outcome, Record, Target
from landbridge.v1 import submission_pb2
from nodes.contributors import Contributors
from nodes.guard import Asking, Guard
from nodes.intake import Intakes, Parcel, Row
from policies.acceptance import Rights
from policies.collection import correctable, period_of, window
from policies.contract import Collection, Contract

LEEWAY: Final = 300.0
"""Seconds that a device's clock may be ahead."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose batches these are, as the opening of their stream said."""

    asking: Asking
    contract: str


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A batch that was opened: who sent it, under which contract, at what moment."""

    caller: Caller
    contract: Contract
    collection: Collection
    checker: Checker
    now: datetime
    digest: Callable[[str], str]
    contributor: Callable[[], str]
    """Who it is, as records say it of themselves."""


@dataclass(slots=True)
class Arrived:
    """A batch on its way through the node; `fates` are those of records that were not accepted."""

    batch_id: bytes
    draft: Draft
    head: sealed.Head | None = None
    refused: Fate | None = None
    records: int = 0
    places: list[int] = field(default_factory=list)
    fates: dict[int, Fate] = field(default_factory=dict)
    parcel: Parcel | None = None
    content: bytes = b""
    counts: Counter[Fate] = field(default_factory=Counter)


class Intaking:
    """One department's. Everything that acts is passed in; `clock` gives seconds since 1970."""

    def __init__(
        self,
        federation: str,
        guard: Guard,
        keys: MemberKeys,
        intakes: Intakes,
        recorder: Recorder,
        clock: Callable[[], float],
        contributors: Contributors,
        count: Callable[[str, int], None] = lambda _fate, _records: None,
    ) -> None:
        self._contributors = contributors
        self._federation = federation
        self._guard = guard
        self._keys = keys
        self._intakes = intakes
        self._recorder = recorder
        self._clock = clock
        self._count = count

    def describe(self, sender: Sender, *, trace_id: str) -> submission_pb2.SignedForm:
        """What records of the contract hold, signed; logged as what is looked at."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            _, contract = self._guard.collecting(sender.asking, sender.contract, draft)
            form = form_of(contract, self._federation, self._guard.department)
            draft.answered(b"")
            return form.signed(self._keys.signing)

    def arrive(
        self, sender: Sender, batch: submission_pb2.SealedBatch, *, trace_id: str
    ) -> Arrived:
        """Opens and checks a batch and puts its records in line; `result` waits for them.

        Raises a refusal of the caller or of the contract. A batch that cannot be read is refused by
        itself, and the next one may come.
        """
        draft = self._recorder.draft("submit", trace_id=trace_id)
        with self._recorder.refusing(draft):
            asking = Asking(sender.asking.token, sender.asking.purpose, batch.batch_id.hex())
            caller, contract = self._guard.collecting(asking, sender.contract, draft)
        assert contract.collection is not None
        target = Target(self._federation, self._guard.department, contract.id)
        arrived = Arrived(batch.batch_id, draft)
        try:
            arrived.head, lines = sealed.open_(
                batch.sealed, target, batch.batch_id, batch.key_id, self._keys.opening
            )
        except sealed.NotOpened as unread:
            arrived.refused = unread.fate
            return arrived
        if arrived.head.token != sealed.token_digest(asking.token):
            arrived.refused = Fate.FORGED
            return arrived
        if arrived.head.form != contract.digest:
            arrived.refused = Fate.FORM_CHANGED
            return arrived
        arrival = _Arrival(
            caller,
            contract,
            contract.collection,
            _checker(contract, self._federation, self._guard.department),
            datetime.fromtimestamp(self._clock(), UTC),
            # The key that lasts: a subject is to be known again over the years.
            lambda text: self._recorder.digest("caller", text),
            partial(self._contributors.digest, contract, caller),
        )
        self._line_up(arrived, lines, arrival)
        return arrived

    def result(self, arrived: Arrived) -> submission_pb2.BatchResult:
        """What came of it; durable and in the log when this returns."""
        if arrived.refused is not None:
            arrived.draft.note(records=0, note=f"the batch was refused unread: {arrived.refused}")
            receipt = arrived.draft.answered(str(arrived.refused).encode()).message()
            receipt.answer_salt = b""
            self._count(str(arrived.refused), 1)
            return submission_pb2.BatchResult(
                batch_id=arrived.batch_id, refused=str(arrived.refused), receipt=receipt
            )
        if arrived.parcel is None:
            self._log(arrived, [])()
        else:
            arrived.parcel.wait()
        assert arrived.draft.logged is not None
        assert arrived.head is not None
        for fate in Fate:
            if count := arrived.counts.get(fate):
                self._count(str(fate), count)
        receipt = arrived.draft.logged.message()
        receipt.answer_salt = b""
        return submission_pb2.BatchResult(
            batch_id=arrived.batch_id,
            sealed=sealed.seal_outcome(
                arrived.content, arrived.draft.logged.salt, arrived.batch_id, arrived.head.key
            ),
            receipt=receipt,
        )

    def _line_up(self, arrived: Arrived, lines: Sequence[bytes], arrival: _Arrival) -> None:
        arrived.records = len(lines)
        most = arrival.checker.form.most_records
        arrived.fates = dict.fromkeys(range(most, len(lines)), Fate.OVERSIZED)
        rows: list[Row] = []
        for place, line in enumerate(lines[:most]):
            try:
                rows.append(_row(line, arrival))
                arrived.places.append(place)
            except (Unfit, sealed.NotOpened) as unfit:
                arrived.fates[place] = unfit.fate
        if not rows:
            return
        collection = arrival.collection
        quotas = {"device": collection.device, "organisation": collection.organisation}
        # Where the contract fills in who hands in, that digest stands alone: the other one lasts.
        who = (
            (arrival.contributor(), "")
            if collection.caller
            else (arrival.digest(arrival.caller.subject), arrival.caller.organisation)
        )
        parcel = Parcel(
            *who,
            rows,
            Rights(collection.by, collection.also, correctable(collection, arrival.now)),
            {kind: (each.records, each.period) for kind, each in quotas.items() if each},
            lambda fates: self._log(arrived, fates),
            daily=bool(collection.caller),
        )
        self._intakes.of(arrival.contract).put(parcel)
        arrived.parcel = parcel

    @staticmethod
    def _log(arrived: Arrived, fates: Sequence[Fate]) -> Callable[[], None]:
        """Begins the batch's entry, once it is known what becomes of its records."""
        for place, fate in zip(arrived.places, fates, strict=True):
            if fate is not Fate.ACCEPTED:
                arrived.fates[place] = fate
        outcome = Outcome(arrived.records, arrived.fates)
        arrived.content = outcome.to_bytes()
        arrived.counts = Counter(outcome.fates())
        refused = sum(count for fate, count in arrived.counts.items() if fate not in TAKEN)
        arrived.draft.note(
            records=arrived.counts[Fate.ACCEPTED],
            note=f"{refused} refused, {arrived.counts[Fate.DUPLICATE]} taken before",
        )
        durable = arrived.draft.answering(arrived.content)

        def wait() -> None:
            durable()

        return wait


def form_of(contract: Contract, federation: str, department: str) -> Form:
    """The contract as whoever hands in records is told of it."""
    rules = contract.collection
    assert rules is not None
    return Form(
        federation=federation,
        department=department,
        contract=contract.id,
        digest=contract.digest,
        title=contract.title,
        fields=tuple(
            Field(
                column.name,
                column.type.value,
                column.nullable,
                None if column.bounds is None else (column.bounds.low, column.bounds.high),
                column.domain,
                column.description,
                0.0 if column.randomised is None else column.randomised.epsilon,
                column.step if isinstance(column.randomised, Clamped) else 0.0,
            )
            for column in contract.columns
            if column.name != rules.caller
        ),
        opens=_spelt(rules.opens),
        closes=_spelt(rules.closes),
        grace_hours=rules.grace,
        correctable=rules.correctable,
        correct_until=_spelt(rules.correct_until),
        subject=tuple(name for name in rules.subject if name != rules.caller),
        period=rules.period if rules.subject else "",
    )


@lru_cache(maxsize=64)
def _made(digest: str, contract: Contract, federation: str, department: str) -> Checker:
    del digest  # what the others are remembered by
    return Checker(form_of(contract, federation, department))


def _checker(contract: Contract, federation: str, department: str) -> Checker:
    return _made(contract.digest, contract, federation, department)


def _row(line: bytes, arrival: _Arrival) -> Row:
    """The record as it is kept; raises Unfit or NotOpened."""
    form = arrival.checker.form
    record = sealed.read_record(line, form.most_bytes)
    values = arrival.checker.values(record.values)
    _require_time(record, arrival)
    return Row(
        record.id,
        _digest(record, values),
        _key(form, values, arrival),
        "key" if record.corrects is True else record.corrects or "",
        _whole(values, arrival),
    )


def _whole(values: list[Plain], arrival: _Arrival) -> list[Plain]:
    """The record with what the department fills in, in the contract's order."""
    caller = arrival.collection.caller
    if not caller:
        return values
    place = next(at for at, each in enumerate(arrival.contract.columns) if each.name == caller)
    return [*values[:place], arrival.contributor(), *values[place:]]


def _require_time(record: Record, arrival: _Arrival) -> None:
    now = arrival.now
    if record.captured / 1000 > now.timestamp() + LEEWAY:
        raise Unfit(Fate.CLOCK_SKEW)
    try:
        captured = min(datetime.fromtimestamp(record.captured / 1000, UTC), now)
    except (ValueError, OverflowError, OSError):
        raise Unfit(Fate.MALFORMED) from None
    if record.corrects:
        # Until when corrections are taken is decided with what they correct.
        opens = arrival.collection.opens
        if opens is not None and now < opens:
            raise Unfit(Fate.EARLY)
        if not correctable(arrival.collection, now):
            raise Unfit(Fate.LATE)
        return
    found = window(arrival.collection, captured, now)
    if found != "OPEN":
        raise Unfit(Fate(found))


def _digest(record: Record, values: Sequence[Plain]) -> str:
    said = json.dumps([record.corrects, list(values)], separators=(",", ":"))
    return sha256(said.encode()).hexdigest()[:32]


def _key(form: Form, values: Sequence[Plain], arrival: _Arrival) -> str:
    """The subject and period as a keyed digest, so that the index tells nobody's name."""
    rules = arrival.collection
    if not rules.subject:
        return ""
    period = ""
    if rules.of:
        place = next(at for at, field in enumerate(form.fields) if field.name == rules.of)
        period = period_of(rules, datetime.fromisoformat(str(values[place])))
    key = key_of(form, values)
    if rules.caller in rules.subject:
        key.append(arrival.contributor())
    return arrival.digest(json.dumps([form.contract, key, period]))


def _spelt(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
