"""What a log that was just opened already holds: for whoever died between an entry and its effect.

Reads the published folder, which after `Log.open` is the whole log. Nothing is verified here that
opening has not verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.disk import read_file
from landbridge.evidence.merkle import TILE_WIDTH, inclusion_proof, leaf_hash
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder
from landbridge.evidence.tlog_proof import TlogProof

CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A published log of `size` entries under the signed note `checkpoint`."""

    folder: Path
    size: int
    checkpoint: str

    @classmethod
    def of(cls, folder: Path) -> Lookup:
        """The log as it is published now; EvidenceError where it cannot be read."""
        note = read_file(folder / CHECKPOINT).decode()
        return cls(folder, Checkpoint.parse(note.partition("\n\n")[0] + "\n").size, note)

    def entries(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry from `start` on."""
        files = TileFolder(self.folder)
        for number in range(start // TILE_WIDTH, -(-self.size // TILE_WIDTH)):
            first = number * TILE_WIDTH
            tile = Tile(ENTRIES, number, min(TILE_WIDTH, self.size - first))
            for place, entry in enumerate(files.entries(tile), start=first):
                if place >= start:
                    yield place, entry

    def receipt(self, index: int, entry: bytes) -> Receipt:
        """The receipt that the append of that entry gave, or would give now."""
        path = inclusion_proof(index, self.size, TileFolder(self.folder).nodes(self.size))
        text = TlogProof(index, tuple(path), self.checkpoint).text
        return Receipt(entry, index, leaf_hash(entry), text)
