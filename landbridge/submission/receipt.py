"""What came of records that were handed in, as the caller of `submit` gets it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from landbridge.receipt import Receipt
from landbridge.submission.fate import SENTENCES, Fate

LISTED = 10_000
"""Refused records that are listed one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One record with what is said about it, where a mapping of its values is not enough.

    `id` is 32 hex digits, drawn where none is given: keep it to correct the record later.
    `captured` is when it was made, in seconds since 1970. `corrects`: True for the record of the
    same subject and period, or the id of the record that this one takes the place of.
    """

    values: Mapping[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    captured: float = field(default_factory=time.time)
    corrects: bool | str = False


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """One that was not taken: its place among those handed in (from 0), its id, and why.

    `field` names the value where the record was refused before it was sent; never what it was.
    """

    index: int
    id: str
    reason: str
    field: str = ""

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"record {self.index + 1}{where} {SENTENCES[Fate(self.reason)]}"


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """The proofs of one batch: the department's entry and the gateway's.

    `outcome` is what the department's entry commits to, by the salt in `department`.
    """

    department: Receipt
    gateway: Receipt
    outcome: bytes


@dataclass(frozen=True, slots=True)
class SubmissionReceipt:
    """What came of all of them.

    `accepted` were taken now, `duplicates` had been taken before; `counts` has every reason.
    `waiting` are still in the queue: they go with the next `submit` on it. `refused` lists at most
    the first 10,000.
    """

    contract: str
    accepted: int
    duplicates: int
    waiting: int
    counts: Mapping[str, int]
    refused: tuple[RefusedRecord, ...]
    receipts: tuple[BatchReceipt, ...] = field(repr=False)

    @property
    def refused_count(self) -> int:
        """How many were not taken."""
        taken = (Fate.ACCEPTED, Fate.DUPLICATE)
        return sum(count for reason, count in self.counts.items() if reason not in taken)
