"""Everything bad that may come, by its name, and behind each a good batch that is taken.

One stream for each: the bad batch, then a good one. What happened is told by record, or of a batch
that cannot be read as a whole; the good one behind it has its result, always.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import grpc
import pytest

from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation
from landbridge.protocols.sealing import OpeningKey
from landbridge.submission.collection import Collection
from landbridge.v1.submission_pb2 import SealedBatch
from tests.submission.by_hand import Hand, batch, fates, row

pytestmark = pytest.mark.journey
DAY = 86_400.0


def person() -> str:
    """One that no other test speaks of."""
    return f"P-{secrets.token_hex(8)}"


def good(**changes: float | str) -> bytes:
    """A line that is in order."""
    return row([person(), "north", 1, "2026-05-01", True, None], **changes)  # type: ignore[arg-type]


@dataclass
class Sender:
    """Who sends, and what they know."""

    hand: Hand
    collection: Collection
    token: str

    def of(self, *lines: bytes, **how: object) -> SealedBatch:
        """A batch."""
        return batch(lines, self.collection, self.token, **how)  # type: ignore[arg-type]


def changed(sender: Sender) -> SealedBatch:
    """One bit of it, on its way."""
    made = sender.of(good())
    made.sealed = made.sealed[:-20] + bytes([made.sealed[-20] ^ 1]) + made.sealed[-19:]
    return made


def moved(sender: Sender) -> SealedBatch:
    """To another batch's id."""
    made = sender.of(good())
    made.batch_id = secrets.token_bytes(16)
    return made


def headless(head: object) -> Callable[[Sender], SealedBatch]:
    """Its first line is something else."""
    return lambda sender: sender.of(good(), head=json.dumps(head).encode())


WHOLE: dict[str, tuple[Callable[[Sender], SealedBatch], str]] = {
    "malformed: noise that was sealed": (
        lambda sender: sender.of(good(), head=secrets.token_bytes(300).replace(b"\n", b"")),
        "MALFORMED",
    ),
    "malformed: a head that is a list": (headless([1, 2]), "MALFORMED"),
    "malformed: a head without a key": (headless({"form": "", "token": ""}), "MALFORMED"),
    "forged: changed on its way": (changed, "FORGED"),
    "forged: moved to another id": (moved, "FORGED"),
    "forged: with another's token": (
        lambda sender: batch(
            [good()], sender.collection, sender.hand.town.token("ann")
        ),
        "FORGED",
    ),
    "forged: for another contract": (
        lambda sender: batch(
            [good()],
            replace(sender.collection, form=replace(sender.collection.form, contract="others")),
            sender.token,
        ),
        "FORGED",
    ),
    "wrong key": (lambda sender: sender.of(good(), key=OpeningKey.create().sealing), "WRONG_KEY"),
    "another text of the contract": (lambda sender: sender.of(good(), form="0" * 64),
                                     "FORM_CHANGED"),
}  # fmt: skip
LINES: dict[str, tuple[list[bytes], list[str]]] = {
    "malformed": (
        [b"", b"{", b"[]", b"\xff\xfe", b"[" * 9_000, row([1]), b"null", b'"text"'],
        ["MALFORMED"] * 8,
    ),
    "malformed numbers": (
        [row(["p", "north", value, "2026-05-01", True, None]) for value in ("1", 1.5, True, None)],
        ["MALFORMED", "MALFORMED", "MALFORMED", "OUT_OF_DOMAIN"],
    ),
    "malformed by JSON's own looseness": (
        [good().replace(b" 1,", b" %s," % value, 1) for value in (b"NaN", b"Infinity", b"1e999")],
        ["MALFORMED"] * 3,
    ),
    "oversized": (
        [row(["p", "north", 1, "2026-05-01", True, "x" * size]) for size in (4_097, 70_000)],
        ["OVERSIZED"] * 2,
    ),
    "out of domain": (
        [
            row(["p", "nowhere", 1, "2026-05-01", True, None]),
            row(["p", "north", 51, "2026-05-01", True, None]),
            row(["p", "north", -1, "2026-05-01", True, None]),
            row(["p", "north", 10**30, "2026-05-01", True, None]),
        ],
        ["OUT_OF_DOMAIN"] * 4,
    ),
    "clock skew": (
        [good(captured=time.time() + 3_600), good(captured=4e9), good(captured=4e11)],
        ["CLOCK_SKEW"] * 3,
    ),
    "a clock before all time": ([good(captured=-4e11)], ["MALFORMED"]),
}


@pytest.fixture(scope="module")
def sender(town: Federation) -> Sender:
    """Somebody who may."""
    hand = Hand.of(town, "eve", contract="bad")
    return Sender(hand, hand.collection(), town.token("eve"))


@pytest.mark.parametrize("kind", WHOLE)
def test_a_batch_that_cannot_be_read_is_refused_and_the_next_one_is_taken(
    sender: Sender, kind: str
) -> None:
    """By a reason of its own, in the department's log, and nothing of it is kept."""
    make, reason = WHOLE[kind]
    bad, next_one = sender.hand.send([make(sender), sender.of(good())], sender.token)
    assert (bad.refused, bad.sealed) == (reason, b"")
    assert fates(next_one) == ["ACCEPTED"]


@pytest.mark.parametrize("kind", LINES)
def test_a_bad_record_is_counted_by_its_reason_and_spoils_no_other(
    sender: Sender, kind: str
) -> None:
    """Between good ones: these are taken, and so is the batch behind it."""
    lines, reasons = LINES[kind]
    bad, next_one = sender.hand.send(
        [sender.of(good(), *lines, good()), sender.of(good())], sender.token
    )
    assert fates(bad) == ["ACCEPTED", *reasons, "ACCEPTED"]
    assert fates(next_one) == ["ACCEPTED"]
    entry = Entry.from_bytes(bad.receipt.entry)
    assert (entry.records, entry.note) == (2, f"{len(lines)} refused, 0 taken before")


def test_what_is_no_batch_at_all_ends_its_own_stream(sender: Sender) -> None:
    """Without an id of 16 bytes there is nothing to give a result for; the next stream is taken."""
    with pytest.raises(grpc.RpcError) as ended:
        sender.hand.send([SealedBatch(batch_id=b"short", sealed=b"x")], sender.token)
    assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (taken,) = sender.hand.send([sender.of(good())], sender.token)
    assert fates(taken) == ["ACCEPTED"]


def test_too_many_records_are_too_many_by_themselves(sender: Sender) -> None:
    """A batch has a most; what is behind it is oversized, and those before it are taken."""
    most = sender.collection.form.most_records
    lines = [row([person(), "north", 1, "2026-05-01", True, None]) for _ in range(most + 2)]
    bad, next_one = sender.hand.send([sender.of(*lines), sender.of(good())], sender.token)
    assert fates(bad) == ["ACCEPTED"] * most + ["OVERSIZED"] * 2
    assert fates(next_one) == ["ACCEPTED"]


def test_replayed(sender: Sender) -> None:
    """The same bytes are the same record; its id under other values is a replay."""
    ident = secrets.token_hex(16)
    first = sender.of(good(ident=ident))
    results = sender.hand.send(
        [first, first, sender.of(good(ident=ident)), sender.of(good())], sender.token
    )
    assert [fates(each) for each in results] == [
        ["ACCEPTED"], ["DUPLICATE"], ["REPLAYED"], ["ACCEPTED"],
    ]  # fmt: skip


def test_early_late_and_a_flood(town: Federation) -> None:
    """A collection that closed two days ago takes what was made in time, from one device three."""
    hand = Hand.of(town, "bob", contract="past")
    sender = Sender(hand, hand.collection(), town.token("bob"))
    now = time.time()
    in_time = [good(captured=now - 5 * DAY) for _ in range(5)]
    bad, flood, other = hand.send(
        [
            sender.of(good(captured=now), good(captured=now - 60 * DAY), in_time[0]),
            sender.of(*in_time[1:]),
            sender.of(good(captured=now)),
        ],
        sender.token,
    )
    assert fates(bad) == ["LATE", "EARLY", "ACCEPTED"]
    assert fates(flood) == ["ACCEPTED", "ACCEPTED", "QUOTA", "QUOTA"]
    assert fates(other) == ["LATE"]
    beside = Hand.of(town, "ann", contract="past")
    ann = Sender(beside, beside.collection(), town.token("ann"))
    (taken,) = beside.send([ann.of(good(captured=now - 5 * DAY))], ann.token)
    assert fates(taken) == ["ACCEPTED"]
