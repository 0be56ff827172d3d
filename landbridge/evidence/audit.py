"""The check of a whole published log, from its files and the log's public key alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.cosignature import Cosigned, WitnessKey, cosignatures
from landbridge.evidence.disk import read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import (
    HASH_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tree,
    leaf_hash,
    root_hash,
)
from landbridge.evidence.signer import Verifier
from landbridge.evidence.tiles import (
    ENTRIES,
    Tile,
    TileFolder,
    encode_bundle,
    tile_levels,
    tile_root,
)


@dataclass(frozen=True, slots=True)
class Verification:
    """A log that holds: `size` entries under `root`, 32 bytes, signed by `origin`.

    `own_key`: the verifier key was the folder's own, so the log agrees with itself and nothing
    says whose it is. `checkpoint` is the signed note.
    """

    size: int
    root: bytes
    origin: str
    checkpoint: str
    own_key: bool
    witnesses: tuple[Cosigned, ...]
    """Of the witnesses asked for, those that cosigned the checkpoint."""
    _folder: TileFolder = field(repr=False)
    _bundles: tuple[bytes, ...] = field(repr=False)

    def entries(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry from `start` on, read bundle by bundle.

        EvidenceError names a bundle that changed since it was verified.
        """
        for number in range(start // TILE_WIDTH, len(self._bundles)):
            tile = _tile(ENTRIES, number, self.size)
            entries = self._folder.entries(tile)
            if sha256(encode_bundle(entries)).digest() != self._bundles[number]:
                raise EvidenceError(
                    self._folder.where(tile), "the bundle has changed since it was verified"
                )
            for index, entry in enumerate(entries, start=tile.first):
                if index >= start:
                    yield index, entry


def verify_folder(
    folder: Path, vkey: str | None = None, witnesses: Iterable[str] = ()
) -> Verification:
    """The log in `folder`, once every tile and every entry agrees with its signed checkpoint.

    Without `vkey` the folder's own is used, and the result says so. EvidenceError names the first
    bad file, and the entry where one is at fault. Reads everything once; memory is about 40 bytes
    for each 256 entries. `witnesses` are keys of
    witnesses; a cosignature of one of them that does not hold is an error too.
    """
    key, own_key = _key(folder / "vkey", vkey)
    path = folder / "checkpoint"
    # A byte that is no UTF-8 becomes a lone surrogate, which a note refuses.
    note = read_file(path).decode(errors="surrogateescape")
    try:
        checkpoint = open_checkpoint(note, key)
        cosigned = cosignatures(note, map(WitnessKey.parse, witnesses))
    except EvidenceError as problem:
        raise EvidenceError(str(path), f"the checkpoint does not hold: {problem}") from None
    files = TileFolder(folder)
    bundles = _Sweep(files, checkpoint).run(str(path))
    return Verification(
        checkpoint.size,
        checkpoint.root,
        checkpoint.origin,
        note,
        own_key,
        cosigned,
        files,
        bundles,
    )


def _key(path: Path, vkey: str | None) -> tuple[Verifier, bool]:
    """The key to verify with, and whether it is the folder's own."""
    if vkey is not None and not path.exists():
        return Verifier.parse(vkey), False
    own, end, rest = read_file(path).decode(errors="replace").partition("\n")
    if not end or rest:
        raise EvidenceError(str(path), "it must be one line that ends in a newline")
    try:
        key = Verifier.parse(own)
    except EvidenceError as problem:
        raise EvidenceError(str(path), f"the verifier key is damaged: {problem}") from None
    if vkey is not None and vkey != own:
        raise EvidenceError(str(path), "it is not the verifier key that was expected")
    return key, vkey is None


def _tile(level: int, index: int, size: int) -> Tile:
    """The tile in that place of a tree of `size` leaves."""
    whole = size >> TILE_HEIGHT * max(level, 0)
    return Tile(level, index, min(TILE_WIDTH, whole - index * TILE_WIDTH))


class _Sweep:
    """Recomputes the tree from its entries upwards and holds every file against it.

    The root then decides who is at fault where a tile and an entry disagree: if the entries lead
    to the signed root, the tile is damaged, otherwise the entry is.
    """

    def __init__(self, files: TileFolder, checkpoint: Checkpoint) -> None:
        self._files = files
        self._checkpoint = checkpoint
        self._size = checkpoint.size
        self._differs: tuple[Tile, int] | None = None

    def run(self, path: str) -> tuple[bytes, ...]:
        """The digest of every bundle, once all files agree with the checkpoint at `path`."""
        bundles: list[bytes] = []
        row: list[bytes] = []
        edge: dict[int, list[bytes]] = {}
        for number in range(-(-self._size // TILE_WIDTH)):
            leaves, digest = self._bundle(number)
            bundles.append(digest)
            self._close(leaves, row, edge, 0)
        for level in range(1, tile_levels(self._size)):
            below, row = row, []
            for at in range(0, len(below), TILE_WIDTH):
                hashes = below[at : at + TILE_WIDTH]
                self._compare(_tile(level, at // TILE_WIDTH, self._size), hashes)
                self._close(hashes, row, edge, level)
        root = root_hash(self._size, Tree.resume(self._size, edge).node)
        self._judge(path, intact=root == self._checkpoint.root)
        return tuple(bundles)

    @staticmethod
    def _close(
        hashes: list[bytes], above: list[bytes], edge: dict[int, list[bytes]], level: int
    ) -> None:
        if len(hashes) == TILE_WIDTH:
            above.append(tile_root(hashes))
        else:
            edge[level] = hashes

    def _bundle(self, number: int) -> tuple[list[bytes], bytes]:
        tile = _tile(ENTRIES, number, self._size)
        entries = self._files.entries(tile)
        leaves = [leaf_hash(entry) for entry in entries]
        self._compare(_tile(0, number, self._size), leaves)
        for partial in self._files.partials(tile):
            shared = min(partial.width, tile.width)
            if self._files.entries(partial)[:shared] != entries[:shared]:
                raise EvidenceError(
                    self._files.where(partial), "it differs from the wider bundle in its place"
                )
        return leaves, sha256(encode_bundle(entries)).digest()

    def _compare(self, tile: Tile, expected: list[bytes]) -> None:
        found = self._files.hashes(tile)
        if found != expected and self._differs is None:
            first = next(at for at in range(tile.width) if found[at] != expected[at])
            self._differs = tile, first
        for partial in self._files.partials(tile):
            shared = min(partial.width, tile.width)
            if self._files.hashes(partial)[:shared] != found[:shared]:
                raise EvidenceError(
                    self._files.where(partial), "it differs from the wider tile in its place"
                )

    def _judge(self, path: str, *, intact: bool) -> None:
        if self._differs is None:
            if not intact:
                raise EvidenceError(
                    path, "the entries and tiles agree with one another, but not with its root hash"
                )
            return
        tile, at = self._differs
        place = tile.first + at
        if intact:
            raise EvidenceError(
                self._files.where(tile), f"hash {at} (byte {at * HASH_SIZE}) of the tile is damaged"
            )
        if tile.level == 0:
            bundle = _tile(ENTRIES, tile.index, self._size)
            raise EvidenceError(
                self._files.where(bundle), f"entry {place} is not the one that was logged"
            )
        below = _tile(tile.level - 1, place, self._size)
        raise EvidenceError(
            self._files.where(below),
            "it was rewritten together with what lies under it: the tile above says otherwise",
        )
