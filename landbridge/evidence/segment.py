"""One file of the journal: a header and a record per entry, every one with a keyed checksum.

A record also says how many entries were durable when it was written. That tells a torn write
from damage: a bad record that a later, valid one calls durable was once whole. The checksum is
keyed with the segment's random salt, so that neither old blocks of the disk nor bytes that a caller
smuggles into an entry pass for a record; a copied tail is told by its index.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.tiles import LONGEST_ENTRY

_HEADER: Final = struct.Struct(">8sQQQ?32s16s")
_MAGIC: Final = b"LBJRNL\x00\x01"
_RECORD: Final = struct.Struct(">4sIQQ")
_MARK: Final = b"\xffREC"
_SUM: Final = 16
HEADER_SIZE: Final = _HEADER.size + _SUM


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says of itself.

    `fresh`: it stands alone, its first record is entry `first`, and earlier segments are void;
    otherwise it goes on where the segment before it ends. `durable` entries of the log were on
    disk when it was made. `owner` is the SHA-256 of the log's verifier key.
    """

    sequence: int
    first: int
    durable: int
    fresh: bool
    owner: bytes
    salt: bytes

    def encode(self) -> bytes:
        """The first `HEADER_SIZE` bytes of the segment."""
        fields = (self.sequence, self.first, self.durable, self.fresh, self.owner, self.salt)
        head = _HEADER.pack(_MAGIC, *fields)
        return head + blake2b(head, digest_size=_SUM).digest()

    @classmethod
    def decode(cls, content: bytes, where: str) -> Header:
        """The header of a segment's content. A segment is made by rename, so it is never torn."""
        head = content[: _HEADER.size]
        if (
            len(content) < HEADER_SIZE
            or blake2b(head, digest_size=_SUM).digest() != (content[_HEADER.size : HEADER_SIZE])
        ):
            raise EvidenceError(where, "the header of this journal file is damaged")
        magic, *fields = _HEADER.unpack(head)
        if magic != _MAGIC:
            raise EvidenceError(where, "another version of Landbridge wrote this journal file")
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class Records:
    """The valid beginning of a segment: its entries, where they end, and how many bytes follow."""

    entries: list[bytes]
    end: int
    rest: int


def encode_records(salt: bytes, first: int, durable: int, entries: Sequence[bytes]) -> bytes:
    """Records for consecutive entries from index `first`."""
    parts: list[bytes] = []
    for index, entry in enumerate(entries, start=first):
        head = _RECORD.pack(_MARK, len(entry), index, durable)
        parts += (head, _checksum(salt, head, entry), entry)
    return b"".join(parts)


def read_records(content: bytes, header: Header, expected: int) -> Records:
    """The records in order from entry `expected`, up to the first that is not whole."""
    entries: list[bytes] = []
    at = HEADER_SIZE
    while (record := _record(content, header.salt, at)) is not None:
        index, _, entry = record
        if index != expected + len(entries):
            break
        entries.append(entry)
        at += _RECORD.size + _SUM + len(entry)
    return Records(entries, at, len(content) - at)


def first_index(content: bytes, header: Header) -> int | None:
    """The index that the segment's first record states; None when there is no valid one."""
    record = _record(content, header.salt, HEADER_SIZE)
    return None if record is None else record[0]


def known_durable(content: bytes, header: Header, at: int) -> int:
    """The most entries that the header, or any valid record from byte `at` on, calls durable."""
    most = header.durable
    at = content.find(_MARK, at)
    while at >= 0:
        record = _record(content, header.salt, at)
        if record is not None:
            most = max(most, record[1])
        at = content.find(_MARK, at + 1)
    return most


def _checksum(salt: bytes, head: bytes, entry: bytes) -> bytes:
    digest = blake2b(head, digest_size=_SUM, key=salt)
    digest.update(entry)
    return digest.digest()


def _record(content: bytes, salt: bytes, at: int) -> tuple[int, int, bytes] | None:
    """Index, durable count and entry of the record at byte `at`; None when there is none."""
    start = at + _RECORD.size + _SUM
    head = content[at : at + _RECORD.size]
    if len(content) < start:
        return None
    mark, length, index, durable = _RECORD.unpack(head)
    if mark != _MARK or length > LONGEST_ENTRY or start + length > len(content):
        return None
    entry = content[start : start + length]
    if _checksum(salt, head, entry) != content[at + _RECORD.size : start]:
        return None
    return index, durable, entry
