"""The published layout: tiles of 256 hashes and bundles of 256 entries, as static files.

Source: C2SP tlog-tiles (https://c2sp.org/tlog-tiles). A tile at level L holds the hashes of
complete subtrees of 256^L leaves; a bundle holds the entries under a tile of level 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.evidence.disk import read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import (
    HASH_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    NodeSource,
    node_hash,
)

ENTRIES: Final = -1
"""The level under which bundles of entries are named."""

LONGEST_ENTRY: Final = (1 << 16) - 1
"""In bytes: what the 16-bit length prefix of a bundle can say."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One file of the layout: `index` within its level, `width` of 1 to 256 hashes or entries."""

    level: int
    index: int
    width: int

    @property
    def path(self) -> str:
        """Relative to the log's folder, for example `tile/0/x001/234.p/5`."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{''.join(f'x{group}/' for group in groups[:-1])}{groups[-1]}{partial}"

    @property
    def full(self) -> Tile:
        """The full tile in the same place."""
        return Tile(self.level, self.index, TILE_WIDTH)

    @property
    def first(self) -> int:
        """Index of its first hash or entry within its level."""
        return self.index * TILE_WIDTH


def tile_levels(size: int) -> int:
    """How many levels of hash tiles a tree of `size` leaves has."""
    return -(-size.bit_length() // TILE_HEIGHT)


def grown_tiles(old: int, new: int) -> list[Tile]:
    """The files that a tree of `new` leaves has and one of `old` has not, entries first."""
    tiles = []
    for level in range(ENTRIES, tile_levels(new)):
        shift = TILE_HEIGHT * max(level, 0)
        before, after = old >> shift, new >> shift
        if before < after:
            tiles += [
                Tile(level, index, min(TILE_WIDTH, after - index * TILE_WIDTH))
                for index in range(before // TILE_WIDTH, -(-after // TILE_WIDTH))
            ]
    return tiles


def edge_tiles(size: int) -> list[Tile]:
    """The partial hash tiles of a tree of `size` leaves, lowest level first."""
    tiles = []
    for level in range(tile_levels(size)):
        index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        if width:
            tiles.append(Tile(level, index, width))
    return tiles


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each behind its length as a big-endian 16-bit number."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def decode_bundle(content: bytes, count: int, where: str, *, whole: bool = True) -> list[bytes]:
    """The first `count` entries; `whole`: nothing may follow them."""
    entries, at = [], 0
    for number in range(count):
        start = at + 2
        at = start + int.from_bytes(content[at:start], "big")
        if at > len(content) or start > len(content):
            raise EvidenceError(where, f"the bundle ends inside its entry number {number}")
        entries.append(content[start:at])
    if whole and at != len(content):
        raise EvidenceError(where, f"bytes follow the {count} entries that belong into the bundle")
    return entries


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """The hash over a tile of a power of two, which stands above it."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


class TileFolder:
    """Reads the files of a published folder. Nothing that comes out of it is verified.

    What is not in `folder` is looked for in `archives`, in their order.
    """

    def __init__(self, folder: Path, archives: Sequence[Path] = ()) -> None:
        self.folder = folder
        self._places = (folder, *archives)

    def where(self, tile: Tile) -> str:
        """The file's path, for a person."""
        return str(self._place(tile) / tile.path)

    def has(self, tile: Tile) -> bool:
        """Whether the tile, or the full one in its place, is anywhere."""
        place = self._place(tile)
        return (place / tile.path).exists() or (place / tile.full.path).exists()

    def hashes(self, tile: Tile) -> list[bytes]:
        """The hashes of a tile."""
        content, length = self._read(tile), tile.width * HASH_SIZE
        if len(content) < length:
            raise EvidenceError(self.where(tile), f"it is shorter than {length} bytes")
        if len(content) > length:
            raise EvidenceError(self.where(tile), f"it is longer than {length} bytes")
        return [content[at : at + HASH_SIZE] for at in range(0, length, HASH_SIZE)]

    def entries(self, tile: Tile) -> list[bytes]:
        """The entries of a bundle."""
        return decode_bundle(self._read(tile), tile.width, self.where(tile))

    def edge(self, size: int) -> dict[int, list[bytes]]:
        """What `Tree.resume` needs of a tree of `size` leaves."""
        return {tile.level: self.hashes(tile) for tile in edge_tiles(size)}

    def nodes(self, size: int) -> NodeSource:
        """The nodes of the published tree of `size` leaves; each tile is read once."""
        read: dict[Tile, list[bytes]] = {}

        def node(level: int, index: int) -> bytes:
            tile_level, inner = divmod(level, TILE_HEIGHT)
            first, count = index << inner, 1 << inner
            number = first // TILE_WIDTH
            whole = size >> TILE_HEIGHT * tile_level
            tile = Tile(tile_level, number, min(TILE_WIDTH, whole - number * TILE_WIDTH))
            if tile not in read:
                read[tile] = self.hashes(tile)
            at = first - tile.first
            return tile_root(read[tile][at : at + count])

        return node

    def partials(self, tile: Tile) -> list[Tile]:
        """The partial tiles that lie in the same place, narrowest first."""
        folder = self._place(tile) / f"{tile.full.path}.p"
        try:
            names = [path.name for path in folder.iterdir()]
        except FileNotFoundError:
            return []
        widths = sorted(int(name) for name in names if name.isascii() and name.isdigit())
        return [Tile(tile.level, tile.index, width) for width in widths if 0 < width < TILE_WIDTH]

    def _place(self, tile: Tile) -> Path:
        """Where the tile, or its full one, is; the folder itself when it is nowhere."""
        if len(self._places) > 1:
            for place in self._places:
                if (place / tile.path).exists() or (place / tile.full.path).exists():
                    return place
        return self.folder

    def _read(self, tile: Tile) -> bytes:
        place = self._place(tile)
        path = place / tile.path
        full = place / tile.full.path
        try:
            return read_file(path)
        except EvidenceError:
            # A partial tile goes away once the full one is there, whose beginning it was.
            if path == full or not full.exists():
                raise
        content = read_file(full)
        if tile.level != ENTRIES:
            return content[: tile.width * HASH_SIZE]
        return encode_bundle(decode_bundle(content, tile.width, str(full), whole=False))
