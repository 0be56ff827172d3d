"""The write-ahead tail of a log: the entries that are durable and perhaps not yet published.

A journal is a folder of segments. An append is one write and one sync of the newest segment; a
segment goes away when all of it is published. Segments come into being by rename, away from the
path of an append.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.evidence.disk import TEMPORARY, Disk, NoRoom, needing_room, read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.segment import (
    HEADER_SIZE,
    Header,
    Records,
    encode_records,
    first_index,
    known_durable,
    read_records,
)

SEGMENT_SIZE: Final = 8 << 20
"""In bytes, after which a segment is followed by the next; one can be longer."""

ROOM: Final = 1 << 20
"""In bytes: a thousand entries of the usual length, before a disk that was full counts as free."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal held: entries from index `first`; `cut` bytes of a torn write after them."""

    first: int
    entries: list[bytes]
    sequence: int
    cut: int

    @property
    def end(self) -> int:
        """Index after the last entry."""
        return self.first + len(self.entries)


def replay(folder: Path, owner: bytes) -> Replay | None:
    """Read the journal in `folder`; None when there is none.

    A write that was torn by a crash is left out. EvidenceError names the file, the entry and the
    byte where a record that was once durable is damaged.
    """
    paths = sorted(path for path in folder.glob("*") if path.name.isdigit())
    segments = [(path, content := read_file(path), _header(path, content, owner)) for path in paths]
    if not segments:
        return None
    fresh = [at for at, (_, _, header) in enumerate(segments) if header.fresh]
    segments = segments[fresh[-1] if fresh else 0 :]
    first = _first(*segments[0])
    entries: list[bytes] = []
    torn: tuple[Path, Records] | None = None
    durable = 0
    for number, (path, content, header) in enumerate(segments):
        expected = segments[0][2].sequence + number
        if header.sequence != expected:
            raise EvidenceError(str(folder), f"file number {expected} of the journal is missing")
        if torn is None:
            records = read_records(content, header, first + len(entries))
            entries += records.entries
            if records.rest:
                torn = path, records
            durable = max(durable, known_durable(content, header, records.end))
        else:
            durable = max(durable, known_durable(content, header, HEADER_SIZE))
    end = first + len(entries)
    if durable > end:
        path, where = (torn[0], torn[1].end) if torn else (segments[-1][0], HEADER_SIZE)
        raise EvidenceError(
            str(path),
            f"entry {end} at byte {where} is damaged or missing, though it was durable once; "
            "restore the journal from an intact copy",
        )
    return Replay(first, entries, segments[-1][2].sequence, torn[1].rest if torn else 0)


def _first(path: Path, content: bytes, header: Header) -> int:
    """Index of the journal's first entry."""
    if header.fresh:
        return header.first
    # What came before was dropped, which needs an entry in this segment first.
    first = first_index(content, header)
    if first is None:
        raise EvidenceError(str(path), f"its first entry, at byte {HEADER_SIZE}, is damaged")
    return first


def _header(path: Path, content: bytes, owner: bytes) -> Header:
    header = Header.decode(content, str(path))
    if header.sequence != int(path.name):
        raise EvidenceError(str(path), "the journal file carries the name of another one")
    if header.owner != owner:
        raise EvidenceError(str(path), "the journal belongs to a log with another key")
    return header


class Journal:
    """An open journal. One thread appends; `prepare` and `drop` may be called from another."""

    def __init__(
        self, folder: Path, owner: bytes, disk: Disk, *, segment_size: int = SEGMENT_SIZE
    ) -> None:
        self._folder = folder
        self._owner = owner
        self._disk = disk
        self._segment_size = segment_size
        self._lock = threading.Lock()
        self._sealed: list[tuple[Path, int]] = []
        self._next: tuple[Path, int, Header] | None = None
        self._file = -1
        self._end = self._at = 0

    def start(self, tail: Replay) -> None:
        """Begin a fresh segment that holds `tail`, then remove what it replaces.

        A crash at any point leaves either the old segments or the whole new one in force.
        """
        self._disk.make_folder(self._folder)
        old = [path for path in self._folder.glob("*") if path.name.isdigit()]
        for leftover in self._folder.glob(f"*{TEMPORARY}"):
            self._disk.remove(leftover)
        numbers = [int(path.name) for path in old]
        self._end = tail.end
        self._open(
            *self._make(max([tail.sequence, *numbers]) + 1, tail.first, tail.entries, fresh=True)
        )
        for path in old:
            self._disk.remove(path)

    def append(self, entries: Sequence[bytes]) -> None:
        """Make `entries` durable: one write, one sync. After an OSError nothing more may follow.

        But for NoRoom: the disk was full before anything was synced, the file ends again where it
        was durable, and the journal holds none of them.
        """
        with self._lock:
            prepared = self._next if self._at >= self._segment_size else None
            if prepared is not None:
                self._next = None
                self._sealed.append((self._path, self._end))
        if prepared is not None:
            os.close(self._file)
            self._open(*prepared)
        content = encode_records(self._header.salt, self._end, self._end, entries)
        try:
            with needing_room():
                self._disk.write(self._file, content)
        except NoRoom:
            # Whole records can be among what was written; those who wait hear that they are not.
            self._disk.cut(self._file, self._at)
            raise
        self._disk.sync(self._file)
        with self._lock:
            self._at += len(content)
            self._end += len(entries)

    def probe(self) -> None:
        """Return if there is room for `ROOM` bytes more; NoRoom if there is not."""
        self._disk.probe(self._folder, ROOM)

    def prepare(self) -> None:
        """Have the next segment ready before the newest is full. NoRoom, to be tried again."""
        with self._lock:
            wanted = self._next is None and 2 * self._at >= self._segment_size
            sequence = self._header.sequence + 1
        if wanted:
            prepared = self._make(sequence, 0, [], fresh=False)
            with self._lock:
                self._next = prepared

    def drop(self, published: int) -> None:
        """Remove segments whose entries are all among the first `published`, durably so."""
        with self._lock:
            # A segment stays until its successor holds an entry: where the journal ends has to
            # be readable from it at every moment.
            gone = [path for path, end in self._sealed if end <= published and end < self._end]
            self._sealed = self._sealed[len(gone) :]
        for path in gone:
            self._disk.remove(path)
            # One after the other, so that a crash leaves no gap between segments.
            self._disk.sync_folder(self._folder)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            prepared, self._next = self._next, None
        if prepared is not None:
            os.close(prepared[1])
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self, path: Path, file: int, header: Header) -> None:
        self._path, self._file, self._header = path, file, header
        self._at = os.fstat(file).st_size

    def _make(
        self, sequence: int, first: int, entries: Sequence[bytes], *, fresh: bool
    ) -> tuple[Path, int, Header]:
        """A new segment, whole and durable under its name; its descriptor is at its end."""
        with self._lock:
            durable = self._end
        header = Header(sequence, first, durable, fresh, self._owner, secrets.token_bytes(16))
        path = self._folder / f"{sequence:020d}"
        temporary = path.with_name(path.name + TEMPORARY)
        self._disk.remove(temporary)
        with needing_room():
            file = self._disk.create(temporary)
        try:
            records = encode_records(header.salt, first, durable, entries)
            with needing_room():
                self._disk.write(file, header.encode() + records)
            self._disk.sync(file)
            with needing_room():
                self._disk.rename(temporary, path)
            self._disk.sync_folder(self._folder)
        except BaseException:
            os.close(file)
            raise
        return path, file, header
