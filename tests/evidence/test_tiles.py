"""The layout of published files against the examples of C2SP tlog-tiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.tiles import (
    ENTRIES,
    LONGEST_ENTRY,
    Tile,
    decode_bundle,
    edge_tiles,
    encode_bundle,
    grown_tiles,
)


def test_paths_are_the_specification_s() -> None:
    """Static file servers know no other index."""
    assert Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 1234067, 3).path == "tile/entries/x001/x234/067.p/3"
    assert Tile(2, 0, 1).path == "tile/2/000.p/1"
    assert Tile(1, 1000, 256).path == "tile/1/x001/000"


def test_a_tree_of_70_000_has_the_specification_s_tiles() -> None:
    """The one worked example of the specification."""
    tiles = grown_tiles(0, 70_000)
    count = {
        (level, full): sum((tile.level, tile.width == 256) == (level, full) for tile in tiles)
        for level in range(3)
        for full in (True, False)
    }
    assert count == {
        (0, True): 273,
        (0, False): 1,
        (1, True): 1,
        (1, False): 1,
        (2, True): 0,
        (2, False): 1,
    }
    assert [tile.width for tile in edge_tiles(70_000)] == [112, 17, 1]
    assert [(tile.level, tile.width) for tile in edge_tiles(256)] == [(1, 1)]


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_growing_in_two_steps_publishes_all_that_one_step_does(one: int, two: int) -> None:
    """Whatever the publisher's rhythm, every file of the final tree is there."""
    middle, end = sorted((one, two))
    assert set(grown_tiles(0, end)) <= {*grown_tiles(0, middle), *grown_tiles(middle, end)}
    assert set(edge_tiles(end)) <= set(grown_tiles(0, end))
    assert all(1 <= tile.width <= 256 for tile in grown_tiles(middle, end))


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_read_back(entries: list[bytes]) -> None:
    """Writing and reading are each other's inverse."""
    assert decode_bundle(encode_bundle(entries), len(entries), "bundle") == entries


def test_the_longest_entry_fits_the_prefix() -> None:
    """65,535 is the limit, not 65,536."""
    entries = [bytes(LONGEST_ENTRY), b""]
    assert decode_bundle(encode_bundle(entries), 2, "bundle") == entries
    with pytest.raises(OverflowError):
        encode_bundle([bytes(LONGEST_ENTRY + 1)])


def test_a_bundle_cut_anywhere_or_with_more_behind_it_is_refused() -> None:
    """Neither a short nor a long file passes for the bundle."""
    content = encode_bundle([b"one", b"", b"three"])
    for end in range(len(content)):
        with pytest.raises(EvidenceError, match="ends inside"):
            decode_bundle(content[:end], 3, "bundle")
    with pytest.raises(EvidenceError, match="bytes follow"):
        decode_bundle(content + b"\0", 3, "bundle")
