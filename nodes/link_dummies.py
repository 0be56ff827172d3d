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
from numpy.typing import NDArray

from landbridge.protocols.derivation import derived
from landbridge.protocols.dummies import counts
from landbridge.protocols.pseudonyms import BLOCK, Blocks, pseudonyms
from nodes.link_rows import Batch
from policies.link_plan import LinkPlan, SidePlan

Counts = Callable[[bytes, int, float, int], list[int]]
"""How many dummies each of so many entries gets; see `landbridge.protocols.dummies.counts`."""

SHARED: Final = 0x20
ALONE: Final = 0x40
"""Last bytes that no key's block has: those are at most 15 or have the bit 0x10."""
BATCH: Final = 100_000
"""Rows that are made at a time, and the dummies of one entry at most beside them."""

_Some = tuple[NDArray[np.uint64], NDArray[np.uint32]]
"""Dummies of one entry: their numbers and codes."""


def dummy_rows(
    plan: LinkPlan, side: SidePlan, secret: bytes, count: Counts = counts
) -> Iterator[Batch]:
    """The side's dummies, with codes that are not yet permuted and values of 0.

    Of a side whose own cells are values the code stands for the first of them.
    """
    if plan.shower:
        return  # who is there says nothing
    place = plan.sides.index(side)
    key = derived(secret, b"id")
    entries = plan.entries
    shared = count(
        derived(secret, b"dummy"), len(entries), plan.presence.scale, plan.presence.reach
    )
    yield from _batches(_shared(entries, shared, place), (0, SHARED), key, len(side.values))
    alone = count(secrets.token_bytes(32), side.codes, plan.presence.scale, plan.presence.reach)
    own = _shared([(code,) for code in range(side.codes)], alone, 0)
    yield from _batches(own, (place, ALONE), key, len(side.values))  # nobody else's


def _shared(
    entries: Sequence[tuple[int | None, ...]], counted: Sequence[int], place: int
) -> Iterator[_Some]:
    """Entry by entry: numbers and codes of the dummies of the side at that place.

    They are numbered over all entries, those without this side too, so that everybody numbers
    alike.
    """
    first = 0
    for entry, many in zip(entries, counted, strict=True):
        code = entry[place]
        if code is not None:
            number = np.arange(first, first + many, dtype=np.uint64)
            yield number, np.full(many, code, dtype=np.uint32)
        first += many


def _batches(
    some: Iterator[_Some], ends: tuple[int, int], key: bytes, width: int
) -> Iterator[Batch]:
    """As rows, made when they are taken: never more than a batch and an entry at a time."""
    waiting: list[_Some] = []
    held = 0
    for each in some:
        waiting.append(each)
        held += len(each[0])
        if held >= BATCH:
            yield _rows(waiting, ends, key, width)
            waiting, held = [], 0
    if held:
        yield _rows(waiting, ends, key, width)


def _rows(some: Sequence[_Some], ends: tuple[int, int], key: bytes, width: int) -> Batch:
    number = np.concatenate([each for each, _ in some])
    return Batch(
        pseudonyms(_blocks(number, ends), key),
        np.concatenate([each for _, each in some]),
        np.zeros((len(number), width), dtype=np.int64),
    )


def _blocks(numbers: np.ndarray, ends: tuple[int, int]) -> Blocks:
    made = np.zeros((len(numbers), BLOCK), dtype=np.uint8)
    made[:, :8] = np.ascontiguousarray(numbers.astype(">u8")).view(np.uint8).reshape(-1, 8)
    made[:, -2:] = ends
    return made
