"""What a server's own log says of one person: read by its keeper, who alone can make the digest.

The log is read from its newest entry back, and what the person may not be told yet, or any more, is
passed over. There is no index: it would be one more thing that says who was asked about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from landbridge.errors import error
from landbridge.evidence.about import Access, accesses, digests_of
from landbridge.evidence.archive import archived
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.disk import read_file
from landbridge.evidence.entry import SubjectKey, decode, instant
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import TILE_WIDTH, leaf_hash
from landbridge.evidence.note import read_note
from landbridge.evidence.selection import Found
from landbridge.evidence.subject_keys import SubjectKeys
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder
from landbridge.v1 import portal_pb2

LONGEST_SUBJECT: Final = 200
"""In characters, as handlers take them."""
MARGIN: Final = 0.25
"""Seconds kept back for the log and the way back."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Accesses, newest first; `next` is 0, or the index from which older ones may be found.

    `archived` of the log's oldest entries were not looked at; of the `forgotten` months nothing can
    be found any more.
    """

    accesses: tuple[Access, ...]
    next: int
    archived: int
    forgotten: tuple[str, ...]

    def message(self, log: str, department: str = "") -> portal_pb2.LogAccesses:
        """The wire form."""
        return portal_pb2.LogAccesses(
            department=department,
            log=log,
            accesses=[
                portal_pb2.Access(
                    time=each.time,
                    organisation=each.organisation,
                    purpose=each.purpose,
                    kind=each.kind,
                    what=each.what,
                    outcome=each.outcome,
                )
                for each in self.accesses
            ],
            next=self.next,
            archived=self.archived,
            forgotten=self.forgotten,
        )


class OwnLog:
    """The log in `folder`, its months' keys, and `lasting`, which made the digests before them.

    Safe to share between threads; one look-up runs at a time, so that those who ask about persons
    cannot take the disk from those who ask questions.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        periods: SubjectKeys,
        lasting: SubjectKey,
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self.name = name
        self._periods = periods
        self._lasting = lasting
        self._clock = clock
        self._reading = threading.Lock()

    def about(self, subject: str, before: int, most: int, time_left: Callable[[], float]) -> Listed:
        """At most `most` accesses; with `before`, of older entries than the one of that index.

        Raises DEADLINE when time runs out, LOG_UNAVAILABLE where log or keys cannot be read.
        """
        if not self._reading.acquire(timeout=max(0.0, time_left() - MARGIN)):
            raise error("DEADLINE")
        try:
            return self._listed(subject, before, most, time_left)
        except (EvidenceError, OSError) as problem:
            raise error("LOG_UNAVAILABLE", "The log cannot be read.") from problem
        finally:
            self._reading.release()

    def _listed(
        self, subject: str, before: int, most: int, time_left: Callable[[], float]
    ) -> Listed:
        keys = [self._lasting, *(each.key for each in self._periods.every().values())]
        digests = digests_of(subject, keys)
        now = instant(datetime.fromtimestamp(self._clock(), UTC))
        moved = archived(self._folder)
        found: list[Access] = []
        following = 0
        for each in self._backwards(before, moved, digests, time_left):
            told = list(accesses([each], digests, now))
            if told and len(found) == most:
                # `each` is not told here, so the next page begins with it.
                following = each.index + 1
                break
            found += told
        return Listed(tuple(found), following, moved, tuple(self._periods.forgotten()))

    def _backwards(
        self, before: int, moved: int, digests: Collection[str], time_left: Callable[[], float]
    ) -> Iterator[Found]:
        """The entries that name one of the digests, newest first."""
        note = read_file(self._folder / "checkpoint").decode(errors="surrogateescape")
        size = Checkpoint.parse(read_note(note)[0]).size
        files = TileFolder(self._folder)
        marks = [digest.encode() for digest in digests]
        end = min(before or size, size)
        for number in reversed(range(moved // TILE_WIDTH, -(-end // TILE_WIDTH))):
            if time_left() <= MARGIN:
                raise error("DEADLINE")
            tile = Tile(ENTRIES, number, min(TILE_WIDTH, size - number * TILE_WIDTH))
            contents = files.entries(tile)
            for place in reversed(range(min(len(contents), end - tile.first))):
                content = contents[place]
                # A search in bytes is a hundred times as fast as reading the entry.
                if any(mark in content for mark in marks):
                    yield Found(self.name, tile.first + place, leaf_hash(content), decode(content))


def require_subject(subject: str) -> None:
    """Raises INVALID_ARGUMENT, without a word of it, unless it can be a person's identifier."""
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise error("INVALID_ARGUMENT", f"A subject is text of 1 to {LONGEST_SUBJECT} characters.")
