"""The check of a whole published log, from its files and the log's public key alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from landbridge.evidence.archive import archived
from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.cosignature import Cosigned, WitnessKey, cosignatures
from landbridge.evidence.disk import read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import (
    EMPTY_ROOT,
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
    edge_tiles,
    encode_bundle,
    tile_levels,
    tile_root,
)


@dataclass(frozen=True, slots=True)
class Verification:
    """A log that holds: `size` entries under `root`, 32 bytes, signed by `origin`.

    `own_key`: the verifier key was the folder's own, so the log agrees with itself and nothing
    says whose it is. `checkpoint` is the signed note. `since`: so many entries were verified
    before, and only what follows them was read now.
    """

    size: int
    root: bytes
    origin: str
    checkpoint: str
    own_key: bool
    since: int
    witnesses: tuple[Cosigned, ...]
    """Of the witnesses asked for, those that cosigned the checkpoint."""
    _folder: TileFolder = field(repr=False)
    _bundles: tuple[bytes, ...] = field(repr=False)

    def entries(self, start: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry from `start` on, read bundle by bundle.

        None stands for the first entry that was verified now. EvidenceError names a bundle that
        changed since it was verified.
        """
        start = self.since if start is None else start
        if start < self.since:
            raise ValueError(f"entries before {self.since} were not verified now")
        first = self.since // TILE_WIDTH
        for number in range(start // TILE_WIDTH, first + len(self._bundles)):
            tile = _tile(ENTRIES, number, self.size)
            entries = self._folder.entries(tile)
            if sha256(encode_bundle(entries)).digest() != self._bundles[number - first]:
                raise EvidenceError(
                    self._folder.where(tile), "the bundle has changed since it was verified"
                )
            for index, entry in enumerate(entries, start=tile.first):
                if index >= start:
                    yield index, entry


def verify_folder(
    folder: Path,
    vkey: str | None = None,
    witnesses: Iterable[str] = (),
    *,
    since: Path | None = None,
    archives: Sequence[Path] = (),
    without_archive: bool = False,
) -> Verification:
    """The log in `folder`, once every tile and every entry agrees with its signed checkpoint.

    Without `vkey` the folder's own is used, and the result says so. EvidenceError names the first
    bad file, and the entry where one is at fault. Reads everything once; memory is about 40 bytes
    for each 256 entries. What is not in `folder` may be in `archives`. `witnesses` are keys of
    witnesses; a cosignature of one of them that does not hold is an error too.

    `since` is a file with a checkpoint of this log that was verified before: the log must extend
    it, and only what came after it is read. It is the log's own signature, so that it and a
    checkpoint that does not extend it prove to everybody what the log's keeper did.

    `without_archive`: of entries that were moved to an archive the hashes in the log are enough.
    """
    key, own_key = _key(folder / "vkey", vkey)
    path = folder / "checkpoint"
    note, checkpoint = _open(path, key)
    try:
        cosigned = cosignatures(note, map(WitnessKey.parse, witnesses))
    except EvidenceError as problem:
        raise EvidenceError(str(path), f"the checkpoint does not hold: {problem}") from None
    known = Checkpoint(checkpoint.origin, 0, EMPTY_ROOT)
    if since is not None:
        known = _open(since, key)[1]
        _check_no_fork(str(path), known, checkpoint, since)
    files = TileFolder(folder, archives)
    moved = archived(folder) if without_archive else 0
    tree = _known_tree(files, known, checkpoint.size)
    if tree is None:
        # Damage or another history? What is wrong with the files by themselves is told first.
        _Sweep(files, checkpoint, Tree(), moved).run(str(path))
        raise _forked(str(path), known, since)
    bundles = _Sweep(files, checkpoint, tree, moved).run(str(path))
    return Verification(
        checkpoint.size, checkpoint.root, checkpoint.origin, note, own_key, known.size, cosigned,
        files, bundles,
    )  # fmt: skip


def _open(path: Path, key: Verifier) -> tuple[str, Checkpoint]:
    """The signed note in a file, and the checkpoint in it."""
    # A byte that is no UTF-8 becomes a lone surrogate, which a note refuses.
    note = read_file(path).decode(errors="surrogateescape")
    try:
        return note, open_checkpoint(note, key)
    except EvidenceError as problem:
        raise EvidenceError(str(path), f"the checkpoint does not hold: {problem}") from None


def _check_no_fork(path: str, known: Checkpoint, found: Checkpoint, since: Path) -> None:
    if found.size < known.size:
        raise EvidenceError(
            path,
            f"the log has shrunk: it has {found.size} entries and had {known.size}. Keep {since} "
            "and this checkpoint: both are signed by the log, and together they prove it",
        )
    if found.size == known.size and found.root != known.root:
        raise _forked(path, known, since)


def _known_tree(files: TileFolder, known: Checkpoint, size: int) -> Tree | None:
    """The tree at the checkpoint that was verified before; None where the tiles say otherwise.

    It is read from the tiles of the tree of `size` leaves, which begin with those of the smaller.
    """
    try:
        edge = {
            tile.level: files.hashes(_tile(tile.level, tile.index, size))[: tile.width]
            for tile in edge_tiles(known.size)
        }
    except EvidenceError:
        return None
    tree = Tree.resume(known.size, edge)
    return tree if root_hash(known.size, tree.node) == known.root else None


def _forked(path: str, known: Checkpoint, since: Path | None) -> EvidenceError:
    return EvidenceError(
        path,
        f"the log does not extend the {known.size} entries that were verified before: its history "
        f"was rewritten. Keep {since} and this checkpoint: both are signed by the log, and "
        "together they prove it",
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
    to the signed root, the tile is damaged, otherwise the entry is. What `known` holds was checked
    before; its edge is where the sweep begins.
    """

    def __init__(self, files: TileFolder, checkpoint: Checkpoint, known: Tree, moved: int) -> None:
        self._files = files
        self._checkpoint = checkpoint
        self._size = checkpoint.size
        self._known = known
        self._moved = moved
        self._differs: tuple[Tile, int] | None = None

    def run(self, path: str) -> tuple[bytes, ...]:
        """The digest of every bundle, once all files agree with the checkpoint at `path`."""
        bundles: list[bytes] = []
        row, _ = self._begun(1)
        edge: dict[int, list[bytes]] = {}
        for number in range(self._known.size // TILE_WIDTH, -(-self._size // TILE_WIDTH)):
            leaves, digest = self._bundle(number)
            bundles.append(digest)
            self._close(leaves, row, edge, 0)
        for level in range(1, tile_levels(self._size)):
            below, (row, _), (_, first) = row, self._begun(level + 1), self._begun(level)
            for at in range(0, len(below), TILE_WIDTH):
                hashes = below[at : at + TILE_WIDTH]
                self._compare(_tile(level, first + at // TILE_WIDTH, self._size), hashes)
                self._close(hashes, row, edge, level)
        root = root_hash(self._size, Tree.resume(self._size, edge).node)
        self._judge(path, intact=root == self._checkpoint.root)
        return tuple(bundles)

    def _begun(self, level: int) -> tuple[list[bytes], int]:
        """The hashes that the known tree has in its last tile of that level, and its number."""
        number, width = divmod(self._known.size >> TILE_HEIGHT * level, TILE_WIDTH)
        first = number * TILE_WIDTH
        bits = TILE_HEIGHT * level
        return [self._known.node(bits, first + place) for place in range(width)], number

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
        if tile.first < self._moved and not self._files.has(tile):
            return self._files.hashes(_tile(0, number, self._size)), b""
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
