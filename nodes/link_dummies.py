"""Rows of keys that do not exist: what the presence table's noise is made of.

Every department derives the same dummies of entries with two sides or more from the question's
secret, so that they meet at the gateway as keys do. Those of a department alone come from its own
randomness: nobody else may know how many of its rows are real.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from landbridge.protocols.dummies import counts
from landbridge.protocols.pseudonyms import BLOCK, Blocks, pseudonyms
from landbridge.protocols.streams import derived
from nodes.link_rows import Batch
from policies.link_plan import LinkPlan, SidePlan

Counts = Callable[[bytes, int, float, int], list[int]]
"""How many dummies each of so many entries gets; see `landbridge.protocols.dummies.counts`."""

SHARED: Final = 0x20
ALONE: Final = 0x40
"""Last bytes that no key's block has: those are at most 15 or have the bit 0x10."""
_BATCH: Final = 250_000


def dummy_rows(
    plan: LinkPlan, side: SidePlan, secret: bytes, count: Counts = counts
) -> Iterator[Batch]:
    """The side's dummies, with codes that are not yet permuted and values of 0."""
    if plan.shower:
        return  # who is there says nothing
    place = plan.sides.index(side)
    key = derived(secret, b"id")
    entries = plan.entries
    shared = count(
        derived(secret, b"dummy"), len(entries), plan.presence.scale, plan.presence.reach
    )
    # Numbered over all entries, those without this side too, so that everybody numbers alike.
    first = 0
    numbers: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    for entry, many in zip(entries, shared, strict=True):
        code = entry[place]
        if code is not None:
            numbers.append(np.arange(first, first + many, dtype=np.uint64))
            codes.append(np.full(many, code, dtype=np.uint32))
        first += many
    yield from _batches(numbers, codes, (0, SHARED), key, side.vectors)
    alone = count(secrets.token_bytes(32), side.codes, plan.presence.scale, plan.presence.reach)
    yield from _batches(
        [np.arange(sum(alone), dtype=np.uint64)],
        [np.repeat(np.arange(side.codes, dtype=np.uint32), alone)],
        (place, ALONE),  # nobody else's
        key,
        side.vectors,
    )


def _batches(
    numbers: Sequence[np.ndarray],
    codes: Sequence[np.ndarray],
    ends: tuple[int, int],
    key: bytes,
    vectors: int,
) -> Iterator[Batch]:
    if not numbers:
        return
    number, code = np.concatenate(numbers), np.concatenate(codes)
    for first in range(0, len(number), _BATCH):
        some = number[first : first + _BATCH]
        yield Batch(
            pseudonyms(_blocks(some, ends), key),
            code[first : first + _BATCH],
            np.zeros((len(some), vectors), dtype=np.int64),
        )


def _blocks(numbers: np.ndarray, ends: tuple[int, int]) -> Blocks:
    made = np.zeros((len(numbers), BLOCK), dtype=np.uint8)
    made[:, :8] = np.ascontiguousarray(numbers.astype(">u8")).view(np.uint8).reshape(-1, 8)
    made[:, -2:] = ends
    return made
