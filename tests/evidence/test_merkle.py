"""The tree against published vectors and against RFC 6962's own recursive definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Tree,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    inclusion_proofs,
    leaf_hash,
    node_hash,
    root_hash,
)
from landbridge.evidence.tiles import edge_tiles
from landbridge.evidence.tlog_proof import TlogProof

# The eight leaves and the roots of the certificate-transparency test tree.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
BOUNDARIES = [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1025]


def split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2, word for word."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def hashes(size: int) -> list[bytes]:
    """Leaf hashes of that many different entries."""
    return [leaf_hash(str(number).encode()) for number in range(size)]


def tree_of(leaves: Sequence[bytes]) -> Tree:
    """The tree that grew leaf by leaf."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def test_roots_are_the_published_ones() -> None:
    """Another tree's roots would be worth nothing to anybody else's verifier."""
    tree = tree_of([leaf_hash(entry) for entry in LEAVES])
    assert [root_hash(size, tree.node).hex() for size in range(9)] == ROOTS


def test_proofs_are_the_published_ones() -> None:
    """Order and content of the hashes are part of the format."""
    tree = tree_of([leaf_hash(entry) for entry in LEAVES])
    for (index, size), expected in INCLUSION.items():
        assert [part.hex() for part in inclusion_proof(index, size, tree.node)] == expected
    for (old, size), expected in CONSISTENCY.items():
        assert [part.hex() for part in consistency_proof(old, size, tree.node)] == expected


@pytest.mark.parametrize("size", BOUNDARIES)
def test_roots_at_tile_boundaries_are_the_definition_s(size: int) -> None:
    """Off-by-one errors live where a tile fills up."""
    leaves = hashes(size)
    assert root_hash(size, tree_of(leaves).node) == mth(leaves)


@settings(deadline=None)
@given(st.integers(1, 600), st.data())
def test_proofs_are_the_definition_s_and_hold(size: int, data: st.DataObject) -> None:
    """Any leaf of any tree: the iterative code says what the recursive definition says."""
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    leaves = hashes(size)
    tree = tree_of(leaves)
    proof = inclusion_proof(index, size, tree.node)
    assert proof == path(index, leaves)
    check_inclusion(leaves[index], index, size, proof, mth(leaves))
    proof = consistency_proof(old, size, tree.node)
    if old:
        assert proof == subproof(old, leaves, whole=True)
    check_consistency(old, size, proof, mth(leaves[:old]), mth(leaves))


@settings(deadline=None)
@given(st.integers(2, 600), st.data())
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    """A proof that can be bent proves nothing."""
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    tree = tree_of(leaves)
    root, proof = mth(leaves), inclusion_proof(index, size, tree.node)
    place = data.draw(st.integers(0, len(proof) - 1))
    bent = [part if at != place else leaf_hash(part) for at, part in enumerate(proof)]
    attempts: list[tuple[bytes, int, int, list[bytes]]] = [
        (leaf_hash(b"other"), index, size, proof),
        (leaves[index], index ^ 1, size, proof),
        (leaves[index], index, size, bent),
        (leaves[index], index, size, proof[:-1]),
        (leaves[index], index, size, [*proof, root]),
        (leaves[index], index, size, proof[::-1] if len(set(proof)) > 1 else []),
        (leaves[index], size, size, proof),
        (leaves[index], -1, size, proof),
    ]
    for leaf, at, of, hashes_ in attempts:
        with pytest.raises(EvidenceError):
            check_inclusion(leaf, at, of, hashes_, root)


@settings(deadline=None)
@given(st.integers(2, 600), st.data())
def test_a_changed_consistency_proof_is_refused(size: int, data: st.DataObject) -> None:
    """A fork must not pass for growth."""
    old = data.draw(st.integers(1, size - 1))
    leaves = hashes(size)
    tree = tree_of(leaves)
    old_root, root = mth(leaves[:old]), mth(leaves)
    proof = consistency_proof(old, size, tree.node)
    place = data.draw(st.integers(0, len(proof) - 1))
    bent = [part if at != place else leaf_hash(part) for at, part in enumerate(proof)]
    other = leaf_hash(b"other")
    attempts: list[tuple[int, int, list[bytes], bytes, bytes]] = [
        (old, size, proof, other, root),
        (old, size, proof, old_root, other),
        (old, size, bent, old_root, root),
        (old, size, proof[:-1], old_root, root),
        (old, size, [*proof, root], old_root, root),
        (old, size, [], old_root, root),
        (size, old, proof, root, old_root),
        (0, size, proof, EMPTY_ROOT, root),
        (0, size, [], other, root),
        (size, size, [], other, root),
    ]
    for before, after, hashes_, first, last in attempts:
        with pytest.raises(EvidenceError):
            check_consistency(before, after, hashes_, first, last)


@pytest.mark.parametrize("size", [*BOUNDARIES, 65_535, 65_536, 65_537])
def test_a_tree_resumes_from_its_edge_tiles(size: int) -> None:
    """After a start only the edge is in memory; roots and proofs must not notice."""
    leaves = hashes(size + 300)
    whole = tree_of(leaves[:size])
    edge = {
        tile.level: [
            whole.node(8 * tile.level, tile.index * TILE_WIDTH + at) for at in range(tile.width)
        ]
        for tile in edge_tiles(size)
    }
    resumed = Tree.resume(size, edge)
    for leaf in leaves[size:]:
        whole.append(leaf)
        resumed.append(leaf)
    total = size + 300
    assert root_hash(total, resumed.node) == root_hash(total, whole.node)
    for index in (size, size + 1, size + 255, size + 256, total - 1):
        assert inclusion_proof(index, total, resumed.node) == inclusion_proof(
            index, total, whole.node
        )


@pytest.mark.parametrize("size", BOUNDARIES)
def test_forgetting_keeps_what_the_edge_needs(size: int) -> None:
    """Memory is bounded by the unpublished part, and nothing that is needed is lost."""
    leaves = hashes(size + 300)
    whole, edge = tree_of(leaves[:size]), tree_of(leaves[:size])
    edge.forget(size)
    for leaf in leaves[size:]:
        whole.append(leaf)
        edge.append(leaf)
    total = size + 300
    assert root_hash(total, edge.node) == root_hash(total, whole.node)
    assert inclusion_proof(size, total, edge.node) == inclusion_proof(size, total, whole.node)
    if size > TILE_WIDTH:
        with pytest.raises(LookupError):
            edge.node(0, 0)


@given(size=st.integers(1, 600), group=st.integers(1, 300))
def test_the_paths_of_a_group_are_those_of_its_leaves(size: int, group: int) -> None:
    """What they share is hashed once, and nothing of it is another leaf's."""
    tree = Tree()
    for number in range(size):
        tree.append(leaf_hash(b"%d" % number))
    first = max(0, size - group)
    found = inclusion_proofs(first, size, tree.node)
    assert found == [inclusion_proof(index, size, tree.node) for index in range(first, size)]
    alone = [TlogProof(first + at, tuple(path), "note").text for at, path in enumerate(found)]
    assert TlogProof.texts(first, found, "note") == alone
