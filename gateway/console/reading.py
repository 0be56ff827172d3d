"""Entries and their proofs, read from the published log itself: what every page shows of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.errors import error
from landbridge.evidence.archive import archived
from landbridge.evidence.entry import Entry, decode
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.merkle import (
    TILE_WIDTH,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from landbridge.evidence.selection import Found
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder
from landbridge.evidence.tlog_proof import TlogProof


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry as it lies in the log. `whole`: its bytes have the hash that the log has of it."""

    index: int
    content: bytes
    fields: Mapping[str, Any]
    whole: bool


@dataclass(frozen=True, slots=True)
class Proved:
    """An entry, and the path from its leaf to the root of a tree of `size` entries."""

    shown: Shown
    size: int
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def text(self) -> str:
        """The same as `landbridge log verify` reads it (C2SP tlog-proof)."""
        return TlogProof(self.shown.index, self.path, self.checkpoint).text


class Reading:
    """The log in `folder`. What cannot be read raises LOG_UNAVAILABLE."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.name = name

    def published(self) -> Lookup:
        """The log as it is published now."""
        try:
            return Lookup.of(self._folder)
        except (EvidenceError, OSError, ValueError) as problem:
            raise error("LOG_UNAVAILABLE", "The log cannot be read.") from problem

    def entries(self, indices: Iterable[int]) -> list[Shown]:
        """Those entries, in that order; those in an archive are left out."""
        size = self.published().size
        files, gone = TileFolder(self._folder), archived(self._folder)
        bundles: dict[int, tuple[list[bytes], list[bytes]]] = {}
        found = []
        for index in indices:
            if not gone <= index < size:
                continue
            number, place = divmod(index, TILE_WIDTH)
            if number not in bundles:
                width = min(TILE_WIDTH, size - number * TILE_WIDTH)
                try:
                    bundles[number] = (
                        files.entries(Tile(ENTRIES, number, width)),
                        files.hashes(Tile(0, number, width)),
                    )
                except EvidenceError:
                    bundles[number] = ([b""] * width, [b""] * width)
            contents, hashes = bundles[number]
            content = contents[place]
            found.append(
                Shown(index, content, fields(content), leaf_hash(content) == hashes[place])
            )
        return found

    def proved(self, index: int, size: int = 0) -> Proved:
        """The entry with its proof, in the tree of `size` entries or the published one.

        Raises INVALID_ARGUMENT where there is no such entry, or no such tree yet.
        """
        lookup = self.published()
        size = size or lookup.size
        shown = self.entries([index])
        if not shown or not index < size <= lookup.size:
            raise error("INVALID_ARGUMENT", "There is no such entry in a tree of that size.")
        try:
            path = inclusion_proof(index, size, TileFolder(self._folder).nodes(lookup.size))
        except EvidenceError as problem:
            raise error("LOG_UNAVAILABLE", "The log's hashes cannot be read.") from problem
        return Proved(shown[0], size, tuple(path), lookup.checkpoint)

    def consistent(self, old: int) -> tuple[int, tuple[bytes, ...]]:
        """The published size, and the proof that its tree extends the one of `old` entries."""
        lookup = self.published()
        if not 0 < old <= lookup.size:
            raise error("INVALID_ARGUMENT", "There is no tree of that size.")
        try:
            nodes = TileFolder(self._folder).nodes(lookup.size)
            return lookup.size, tuple(consistency_proof(old, lookup.size, nodes))
        except EvidenceError as problem:
            raise error("LOG_UNAVAILABLE", "The log's hashes cannot be read.") from problem

    def found(self, shown: Shown) -> Found:
        """The same as the search and the exports of the command line know it."""
        return Found(self.name, shown.index, leaf_hash(shown.content), shown.fields)


def fields(content: bytes) -> dict[str, Any]:
    """The fields of an entry; of one that this version cannot read, why."""
    try:
        Entry.from_bytes(content)
        return dict(decode(content))
    except EvidenceError as problem:
        return {"unreadable": problem.what}
