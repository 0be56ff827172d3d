"""Old entries can be elsewhere, and the log still proves all that it proved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from landbridge.evidence import EvidenceError, Log, Signer, verify_folder
from landbridge.evidence.archive import archive, archived
from landbridge.evidence.disk import Disk
from landbridge.evidence.tiles import ENTRIES, Tile

SIGNER = Signer.create("town/gateway")


def grow(place: Path, count: int) -> None:
    """Adds so many entries."""
    with Log.open(place / "log", place / "state", SIGNER, publish_every=60) as log:
        for future in [log.submit(f"{log.size} {n}".encode()) for n in range(count)]:
            future.result()


def test_a_log_and_its_archive_verify_together(tmp_path: Path) -> None:
    """Full bundles move, the rest stays; every entry is read from where it is."""
    grow(tmp_path, 1000)
    before = verify_folder(tmp_path / "log")
    everything = list(before.entries())
    assert archive(tmp_path / "log", tmp_path / "cold", 700, Disk()) == 512
    found = verify_folder(tmp_path / "log", archives=[tmp_path / "cold"])
    assert (found.root, list(found.entries())) == (before.root, everything)
    with pytest.raises(EvidenceError, match="the file is missing"):
        verify_folder(tmp_path / "log")


def test_a_server_starts_and_goes_on_without_its_archive(tmp_path: Path) -> None:
    """The hashes are enough to continue the tree, and to show that it was not rewritten."""
    grow(tmp_path, 1000)
    memory = tmp_path / "auditor"
    memory.write_text(verify_folder(tmp_path / "log").checkpoint)
    archive(tmp_path / "log", tmp_path / "cold", 512, Disk())
    grow(tmp_path, 600)
    archive(tmp_path / "log", tmp_path / "cold", 1280, Disk())
    grow(tmp_path, 1)
    found = verify_folder(tmp_path / "log", archives=[tmp_path / "cold"])
    assert found.size == 1601
    assert len(list(found.entries())) == 1601
    assert verify_folder(tmp_path / "log", since=memory, archives=[tmp_path / "cold"]).since == 1000


def test_entries_that_nobody_moved_are_missed_by_the_server(tmp_path: Path) -> None:
    """The mark says what may be away; anything else that is away is damage (F11)."""
    grow(tmp_path, 1000)
    archive(tmp_path / "log", tmp_path / "cold", 256, Disk())
    (tmp_path / "log" / Tile(ENTRIES, 1, 256).path).unlink()
    with pytest.raises(EvidenceError, match="001: the file is missing"):
        grow(tmp_path, 1)


def test_a_moved_mark_hides_no_rewritten_hash(tmp_path: Path) -> None:
    """Without the entries the hashes still have to lead to the signed root."""
    grow(tmp_path, 1000)
    archive(tmp_path / "log", tmp_path / "cold", 512, Disk())
    path = tmp_path / "log" / Tile(0, 0, 256).path
    path.write_bytes(bytes(32) + path.read_bytes()[32:])
    with pytest.raises(EvidenceError):
        grow(tmp_path, 1)


def test_damage_in_the_archive_is_found_there(tmp_path: Path) -> None:
    """And the file is named where it lies."""
    grow(tmp_path, 600)
    archive(tmp_path / "log", tmp_path / "cold", 512, Disk())
    path = tmp_path / "cold" / Tile(ENTRIES, 1, 256).path
    path.write_bytes(path.read_bytes().replace(b" 300", b" 3OO"))
    with pytest.raises(EvidenceError, match=r"cold/.*entry 300 is not the one that was logged"):
        verify_folder(tmp_path / "log", archives=[tmp_path / "cold"])


def test_nothing_goes_away_before_its_copy_is_known_to_hold(tmp_path: Path) -> None:
    """A bundle that is damaged already is not carried off."""
    grow(tmp_path, 600)
    path = tmp_path / "log" / Tile(ENTRIES, 1, 256).path
    path.write_bytes(path.read_bytes().replace(b" 300", b" 3OO"))
    with pytest.raises(EvidenceError, match="not what its hashes"):
        archive(tmp_path / "log", tmp_path / "cold", 512, Disk())
    assert path.exists()
    assert archived(tmp_path / "log") == 0


def test_a_crash_at_any_step_loses_nothing(tmp_path: Path) -> None:
    """The same call again goes on from wherever the last one ended."""
    grow(tmp_path, 800)
    expected = list(verify_folder(tmp_path / "log").entries())

    class Ending(Disk):
        """Ends after so many steps."""

        def __init__(self, steps: int) -> None:
            self.steps = steps

        def sync(self, file: int) -> None:
            self._step()
            super().sync(file)

        def remove(self, path: Path) -> None:
            self._step()
            super().remove(path)

        def rename(self, source: Path, target: Path) -> None:
            self._step()
            super().rename(source, target)

        def _step(self) -> None:
            self.steps -= 1
            if self.steps < 0:
                raise KeyboardInterrupt

    for steps in range(100):
        place = tmp_path / f"run{steps}"
        shutil.copytree(tmp_path / "log", place / "log")
        try:
            archive(place / "log", place / "cold", 768, Ending(steps))
            ended = True
        except KeyboardInterrupt:
            ended = False
        found = verify_folder(place / "log", archives=[place / "cold"])
        assert list(found.entries()) == expected
        assert verify_folder(place / "log", without_archive=True).root == found.root
        archive(place / "log", place / "cold", 768, Disk())
        assert not (place / "log" / Tile(ENTRIES, 2, 256).path).exists()
        if ended:
            break
    assert ended


@pytest.mark.parametrize("mark", ["", "x", "255", "-256"])
def test_a_mark_that_says_nothing_is_refused(mark: str, tmp_path: Path) -> None:
    """It would decide what may be missing."""
    (tmp_path / "archived").write_text(mark)
    with pytest.raises(EvidenceError):
        archived(tmp_path)
