"""An auditor who was here before reads only what is new, and no history can be exchanged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.evidence import EvidenceError, Log, Signer, verify_folder
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder

SIGNER = Signer.create("town/gateway")


def grow(place: Path, entries: list[bytes]) -> None:
    """Adds to the log in that place."""
    with Log.open(place / "log", place / "state", SIGNER, publish_every=60) as log:
        for future in [log.submit(entry) for entry in entries]:
            future.result()


def numbered(count: int, word: str = "entry") -> list[bytes]:
    """So many entries."""
    return [f"{word} {number}".encode() for number in range(count)]


def remember(place: Path) -> Path:
    """The auditor's file, after a whole verification."""
    file = place / "auditor"
    file.write_text(verify_folder(place / "log").checkpoint)
    return file


@pytest.mark.parametrize(
    ("old", "new"),
    [(0, 3), (1, 0), (1, 1), (255, 1), (255, 2), (256, 0), (256, 256), (300, 1000), (5, 66_000)],
)
def test_only_what_is_new_is_read(
    old: int, new: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bundles before the last verified one stay unopened, at every border of a tile."""
    grow(tmp_path, numbered(old))
    file = remember(tmp_path)
    grow(tmp_path, numbered(new, "later"))
    opened: list[int] = []
    plain = TileFolder.entries

    def entries(self: TileFolder, tile: Tile) -> list[bytes]:
        opened.append(tile.index)
        return plain(self, tile)

    monkeypatch.setattr(TileFolder, "entries", entries)
    found = verify_folder(tmp_path / "log", since=file)
    assert {index for index in opened if index < old // 256} == set()
    assert bool(opened) == bool((old + new) % 256 or new)
    assert (found.since, found.size) == (old, old + new)
    assert found.root == verify_folder(tmp_path / "log").root
    assert list(found.entries()) == list(enumerate(numbered(new, "later"), start=old))


def test_entries_before_are_not_passed_off_as_verified(tmp_path: Path) -> None:
    """They were not read this time."""
    grow(tmp_path, numbered(3))
    file = remember(tmp_path)
    grow(tmp_path, numbered(3))
    with pytest.raises(ValueError, match="before 3"):
        list(verify_folder(tmp_path / "log", since=file).entries(0))


def test_a_log_that_shrank_is_convicted_by_two_signatures(tmp_path: Path) -> None:
    """Yesterday's backup verifies by itself; beside the auditor's memory it does not."""
    grow(tmp_path, numbered(10))
    shutil.copytree(tmp_path / "log", tmp_path / "yesterday")
    grow(tmp_path, numbered(10))
    file = remember(tmp_path)
    assert verify_folder(tmp_path / "yesterday").size == 10
    with pytest.raises(EvidenceError, match="has 10 entries and had 20") as found:
        verify_folder(tmp_path / "yesterday", since=file)
    assert str(file) in str(found.value)


@pytest.mark.parametrize(("old", "new"), [(10, 10), (10, 20), (300, 600), (256, 600), (1, 300)])
def test_a_rewritten_history_is_told_from_damage(old: int, new: int, tmp_path: Path) -> None:
    """The other history is whole and signed: nothing but the memory speaks against it."""
    grow(tmp_path, numbered(old))
    file = remember(tmp_path)
    other = tmp_path / "other"
    grow(other, [b"rewritten", *numbered(new - 1)])
    assert verify_folder(other / "log").size == new
    with pytest.raises(EvidenceError, match="history was rewritten"):
        verify_folder(other / "log", since=file)


def test_damage_in_what_was_verified_before_is_damage(tmp_path: Path) -> None:
    """A flipped bit in a tile must not accuse the keeper of a fork."""
    grow(tmp_path, numbered(300))
    file = remember(tmp_path)
    grow(tmp_path, numbered(10))
    path = tmp_path / "log" / Tile(1, 0, 1).path
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with pytest.raises(EvidenceError, match=r"hash 0 .* of the tile is damaged"):
        verify_folder(tmp_path / "log", since=file)


def test_the_first_bad_new_entry_is_named(tmp_path: Path) -> None:
    """By its index in the whole log."""
    grow(tmp_path, numbered(600))
    file = remember(tmp_path)
    grow(tmp_path, numbered(600, "later"))
    path = tmp_path / "log" / Tile(ENTRIES, 3, 256).path
    content = path.read_bytes().replace(b"later 200", b"later 2O0")
    assert content != path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match="entry 800 is not the one that was logged"):
        verify_folder(tmp_path / "log", since=file)


def test_another_logs_memory_is_refused(tmp_path: Path) -> None:
    """A memory is of one log; one that was edited is of none."""
    grow(tmp_path, numbered(3))
    file = remember(tmp_path)
    file.write_text(file.read_text().replace("\n3\n", "\n2\n"))
    with pytest.raises(EvidenceError, match="the checkpoint does not hold"):
        verify_folder(tmp_path / "log", since=file)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_steps_lead_where_one_sweep_leads(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However often the auditor came, the root is the same."""
    place = tmp_path_factory.mktemp("log")
    grow(place, [])
    file = remember(place)
    for size in sizes:
        grow(place, numbered(size))
        found = verify_folder(place / "log", since=file)
        assert found.root == verify_folder(place / "log").root
        file.write_text(found.checkpoint)
