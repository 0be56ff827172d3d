"""`prio3_reports`: shares of numbers verified together by both aggregators, and added up."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Final

import numpy as np

from bench.row import Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge.protocols.prio3.aggregation import Prio3, Report, Sharded
from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.protocols.prio3.xof import Xof

REPORTS: Final = 2_000
SPLIT: Final = 200
"""Reports that are split anew; the batch repeats their shares, which cost the same each time."""
ROUNDS: Final = 5
KEY: Final = bytes(range(32))
CTX: Final = b"bench"


def measure(say: Say) -> Row:
    """Reports a second on one core, numbers up to 255."""
    sides: list[tuple[str, Circuit, int]] = [
        ("sum", Sum(255), 200),
        ("count", Count(), 1),
        ("histogram", Histogram(16, 4), 7),
    ]
    say(f"splitting and verifying {REPORTS} reports of {', '.join(n for n, _, _ in sides)}")
    found: dict[str, list[float]] = {}
    split: dict[str, float] = {}
    floors: list[float] = []
    for name, circuit, value in sides:
        prio3 = Prio3(circuit, CTX)
        made: list[tuple[bytes, Sharded]] = []
        split[name] = SPLIT / seconds(partial(_split, prio3, value, made))
        batch = [made[place % SPLIT] for place in range(REPORTS)]
        ours, floor = in_turn(
            partial(_rate, partial(verified, prio3, batch, value)),
            partial(_rate, plain),
            rounds=ROUNDS,
        )
        found[name] = ours
        floors += floor
    return Row.of(
        "prio3_reports",
        found["sum"],
        floors,
        better="higher",
        note="reports a second and core; each verified by both aggregators together and added up, "
        f"whole numbers from 0 to 255; counts {median(found['count']):.0f}, histograms of 16 "
        f"buckets {median(found['histogram']):.0f}; a contributor splits {split['sum']:.0f}, "
        f"{split['count']:.0f} and {split['histogram']:.0f} a second; floor: the same streams of "
        "TurboSHAKE128 and a plain sum, which verify nothing",
    )


def _rate(work: Callable[[], None]) -> float:
    return REPORTS / seconds(work)


def _split(prio3: Prio3, value: int, into: list[tuple[bytes, Sharded]]) -> None:
    for _ in range(SPLIT):
        nonce = secrets.token_bytes(16)
        into.append((nonce, prio3.shard(value, nonce, secrets.token_bytes(prio3.random_bytes))))


def verified(prio3: Prio3, batch: Sequence[tuple[bytes, Sharded]], value: int) -> None:
    """Both aggregators' part in one batch; raises RowFailed where the total is wrong."""
    rows = [
        prio3.verify_init(
            KEY, number, [Report(nonce, each.public, each.inputs[number]) for nonce, each in batch]
        )
        for number in range(2)
    ]
    shares = [[each.share if each else None for each in row] for row in rows]
    messages = prio3.verifier_shares_to_messages(shares)
    sums = [
        prio3.add_up(
            [
                prio3.verify_next(each.waiting, message)
                for each, message in zip(row, messages, strict=True)
                if each is not None and message is not None
            ]
        )
        for row in rows
    ]
    total = prio3.unshard(sums)
    right = total[value] if len(total) > 1 else total[0] // value
    if right != len(batch):
        raise RowFailed("Valid reports were refused.")


def plain() -> None:
    """As many streams as a sum's aggregators read between them, and a sum."""
    values = np.zeros(REPORTS, dtype=np.uint64)
    for place in range(REPORTS):
        for length in (64, 256, 72, 72):
            read = Xof(KEY, CTX, bytes(16)).read(length)
        values[place] = read[0]
    values.sum()
