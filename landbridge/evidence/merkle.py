"""The Merkle tree of RFC 6962: hashes, roots, proofs, and the checks of proofs.

Everything here is pure. A tree is read through a `NodeSource`: `node(level, index)` is the hash of
the complete subtree over the leaves `[index << level, (index + 1) << level)`. `Tree` is such a
source in memory, and so are the tiles of a published folder (`landbridge.evidence.tiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from landbridge.evidence.finding import EvidenceError

HASH_SIZE: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
EMPTY_ROOT: Final = sha256(b"").digest()

NodeSource = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, `SHA-256(0x00 || entry)` (RFC 6962, 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, `SHA-256(0x01 || left || right)` (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def span_hash(start: int, end: int, node: NodeSource) -> bytes:
    """The hash over the leaves `[start, end)`; `start` is aligned to a power of two that fits.

    Takes one node per one-bit of `end - start`, from the right edge inwards.
    """
    if start == end:
        return EMPTY_ROOT
    result = b""
    for level in range((end - start).bit_length()):
        if (end - start) >> level & 1:
            left = node(level, (end >> level) - 1)
            result = node_hash(left, result) if result else left
    return result


def root_hash(size: int, node: NodeSource) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return span_hash(0, size, node)


def inclusion_proof(index: int, size: int, node: NodeSource) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1: siblings from the leaf's up to the root's child."""
    if not 0 <= index < size:
        raise EvidenceError(f"index {index}", f"the tree has {size} leaves, counted from 0")
    proof = []
    level, last = 0, size - 1
    while last >> level:
        sibling = (index >> level) ^ 1
        if sibling <= last >> level:
            whole = (sibling + 1) << level <= size
            proof.append(node(level, sibling) if whole else span_hash(sibling << level, size, node))
        level += 1
    return proof


def inclusion_proofs(first: int, size: int, node: NodeSource) -> list[list[bytes]]:
    """The paths of the leaves from `first` to the last, as `inclusion_proof` gives each.

    Leaves side by side share most of their paths; what they share is hashed once.
    """
    known: dict[tuple[int, int], bytes] = {}
    proofs = []
    for index in range(first, size):
        proof = []
        level, last = 0, size - 1
        while last >> level:
            sibling = (index >> level) ^ 1
            if sibling <= last >> level:
                found = known.get((level, sibling))
                if found is None:
                    whole = (sibling + 1) << level <= size
                    found = (
                        node(level, sibling) if whole else span_hash(sibling << level, size, node)
                    )
                    known[level, sibling] = found
                proof.append(found)
            level += 1
        proofs.append(proof)
    return proofs


def consistency_proof(old: int, size: int, node: NodeSource) -> list[bytes]:
    """PROOF(old, D[size]) of RFC 6962, 2.1.2; empty for `old` of 0 or of `size`."""
    if not 0 <= old <= size:
        raise EvidenceError(f"size {old}", f"the tree has {size} leaves")
    if old in (0, size):
        return []
    # SUBPROOF walks down to the split that ends at `old`; `known` is its flag b.
    start, end, known = 0, size, True
    above: list[bytes] = []
    while old != end:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= split:
            above.append(span_hash(split, end, node))
            end = split
        else:
            above.append(span_hash(start, split, node))
            start, known = split, False
    if not known:
        above.append(span_hash(start, end, node))
    above.reverse()
    return above


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise unless `proof` shows `leaf` at `index` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise EvidenceError(f"index {index}", f"the tree has {size} leaves, counted from 0")
    position, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise EvidenceError("inclusion proof", "it is longer than the path to the root")
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            current = node_hash(current, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise EvidenceError("inclusion proof", "it is shorter than the path to the root")
    if current != root:
        raise EvidenceError(
            "inclusion proof", f"it does not lead from entry {index} to the checkpoint's root"
        )


def check_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Raise unless the tree of `size` extends the tree of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size:
        raise EvidenceError("consistency proof", f"a tree of {size} does not extend one of {old}")
    if old in (0, size):
        if proof:
            raise EvidenceError("consistency proof", "it must be empty for these sizes")
        if old_root != (EMPTY_ROOT if old == 0 else root):
            raise EvidenceError("consistency proof", f"the two roots at size {old} differ")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise EvidenceError("consistency proof", "it is empty")
    position, last = old - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    seen_old = seen = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise EvidenceError("consistency proof", "it is longer than the path to the root")
        if position & 1 or position == last:
            seen_old, seen = node_hash(sibling, seen_old), node_hash(sibling, seen)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            seen = node_hash(seen, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise EvidenceError("consistency proof", "it is shorter than the path to the root")
    if seen_old != old_root:
        raise EvidenceError("consistency proof", f"it does not lead to the root at size {old}")
    if seen != root:
        raise EvidenceError("consistency proof", f"it does not lead to the root at size {size}")


class Tree:
    """The right edge of a growing tree, in memory.

    An append costs two hashes on average. `forget` drops what lies left of the edge's tiles, so
    that memory follows the unpublished part of a log and not its length. Not thread-safe.
    """

    __slots__ = ("_first", "_levels", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._levels: list[list[bytes]] = []
        self._first: list[int] = []

    @classmethod
    def resume(cls, size: int, edge: Mapping[int, Sequence[bytes]]) -> Tree:
        """The tree of `size` leaves from its rightmost tiles.

        `edge[L]` holds the `(size >> 8 * L) % 256` hashes of the partial tile at tile level L, as
        tlog-tiles defines it; a level whose partial tile is empty may be left out.
        """
        tree = cls()
        tree._size = size
        for tile_level in range((size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT):
            whole = size >> TILE_HEIGHT * tile_level
            hashes = list(edge.get(tile_level, ()))
            if len(hashes) != whole % TILE_WIDTH:
                raise ValueError(f"tile level {tile_level} does not fit a tree of {size} leaves")
            first = whole - len(hashes)
            for _ in range(TILE_HEIGHT):
                tree._levels.append(hashes)
                tree._first.append(first)
                hashes = [
                    node_hash(left, right)
                    for left, right in zip(hashes[::2], hashes[1::2], strict=False)
                ]
                first >>= 1
        return tree

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> int:
        """Add one leaf hash; returns its index."""
        index = position = self._size
        current, level = leaf, 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
                self._first.append(0)
            row = self._levels[level]
            row.append(current)
            if not position & 1:
                break
            current = node_hash(row[-2], current)
            position >>= 1
            level += 1
        self._size += 1
        return index

    def node(self, level: int, index: int) -> bytes:
        """A `NodeSource`; LookupError for a node that is incomplete or forgotten."""
        place = index - self._first[level]
        if place < 0:
            raise LookupError(f"node {index} of level {level} is forgotten")
        return self._levels[level][place]

    def forget(self, size: int) -> None:
        """Keep only what appends to, tiles of, and proofs for leaves from `size` on need.

        That is, at every level, the nodes from the start of the tile that the leaf `size` is in.
        """
        for level, row in enumerate(self._levels):
            tile_level, inner = divmod(level, TILE_HEIGHT)
            tile = size >> TILE_HEIGHT * (tile_level + 1)
            first = tile << TILE_HEIGHT - inner
            drop = first - self._first[level]
            if drop > 0:
                del row[:drop]
                self._first[level] = first
