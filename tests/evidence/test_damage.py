"""Damage at rest and rollback: every changed bit is noticed, and the place is named."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from landbridge.evidence import EvidenceError, Log, Signer, verify_folder
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.merkle import leaf_hash
from landbridge.evidence.tiles import encode_bundle
from tests.evidence.faulty_disk import FaultyDisk

SIGNER = Signer.create("nyc.example/gateway")


def open_log(place: Path) -> Log:
    """A log in `place`."""
    return Log.open(place / "public", place / "state", SIGNER, disk=FaultyDisk())


def filled(place: Path, size: int) -> list[bytes]:
    """A closed log of `size` entries."""
    entries = [f"entry {number}".encode() for number in range(size)]
    with open_log(place) as log:
        for future in [log.submit(entry) for entry in entries]:
            future.result()
    return entries


def flip(path: Path, at: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def keep_last_partials(public: Path) -> None:
    """Remove the partial tiles of earlier checkpoints, as a pruned copy would lack them."""
    for folder in public.rglob("*.p"):
        widest = max(folder.iterdir(), key=lambda path: int(path.name))
        for path in folder.iterdir():
            if path != widest:
                path.unlink()


def test_every_changed_bit_of_a_small_folder_is_noticed(tmp_path: Path) -> None:
    """Exhaustive: there is no byte in the folder that nobody checks."""
    filled(tmp_path, 3)
    public = tmp_path / "public"
    files = [path for path in public.rglob("*") if path.is_file()]
    for path in files:
        for at in range(path.stat().st_size):
            flip(path, at, at % 8)
            with pytest.raises(EvidenceError) as caught:
                verify_folder(public)
            assert str(public) in caught.value.where
            flip(path, at, at % 8)
    assert verify_folder(public).size == 3


def test_a_changed_entry_is_named_by_file_and_index(tmp_path: Path) -> None:
    """An auditor must know which question was tampered with."""
    entries = filled(tmp_path, 600)
    public = tmp_path / "public"
    keep_last_partials(public)
    for index in (0, 1, 255, 256, 511, 512, 599):
        name = f"{index // 256:03d}" + (".p/88" if index >= 512 else "")
        path = public / "tile/entries" / name
        start = index - index % 256
        at = len(encode_bundle(entries[start:index])) + 3
        flip(path, at)
        with pytest.raises(EvidenceError, match=rf"^{path}: entry {index} is not the one"):
            verify_folder(public)
        with pytest.raises(EvidenceError, match=rf"^{path}: entry {index} is not the one"):
            open_log(tmp_path)
        flip(path, at)
    open_log(tmp_path).close()


@pytest.mark.parametrize("name", ["0/000", "0/001", "0/002.p/88", "1/000.p/2"])
def test_a_changed_tile_is_named_by_file_and_place(tmp_path: Path, name: str) -> None:
    """The entries lead to the signed root, so the tile is at fault, not an entry."""
    filled(tmp_path, 600)
    public = tmp_path / "public"
    keep_last_partials(public)
    path = public / "tile" / name
    for at in (0, 31, 32, path.stat().st_size - 1):
        flip(path, at)
        with pytest.raises(EvidenceError, match=rf"^{path}: hash {at // 32} .*is damaged"):
            verify_folder(public)
        flip(path, at)


def test_a_missing_cut_or_longer_file_is_named(tmp_path: Path) -> None:
    """Every file that the checkpoint needs must be there, whole and no longer."""
    filled(tmp_path, 600)
    public = tmp_path / "public"
    keep_last_partials(public)
    for path in [path for path in public.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for changed in (None, b"", content[:-1], content + b"\0"):
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            with pytest.raises(EvidenceError) as caught:
                verify_folder(public)
            assert caught.value.where == str(path)
            path.write_bytes(content)
    assert verify_folder(public).size == 600


def test_a_rewritten_past_is_noticed_even_when_signed_lies_agree_below(tmp_path: Path) -> None:
    """Entry, bundle and hash tile changed together still miss the tile above and the root."""
    entries = filled(tmp_path, 600)
    public = tmp_path / "public"
    changed = [*entries[:300], b"nothing happened", *entries[301:]]
    (public / "tile/entries/001").write_bytes(encode_bundle(changed[256:512]))
    (public / "tile/0/001").write_bytes(b"".join(map(leaf_hash, changed[256:512])))
    with pytest.raises(EvidenceError, match=r"tile/0/001: it was rewritten"):
        verify_folder(public)


def test_a_root_over_other_entries_is_noticed(tmp_path: Path) -> None:
    """A signature proves who spoke, not that the entries are the ones spoken of."""
    filled(tmp_path, 5)
    other = Checkpoint(SIGNER.name, 5, leaf_hash(b"other")).sign(SIGNER)
    (tmp_path / "public/checkpoint").write_text(other)
    with pytest.raises(EvidenceError, match="not with its root hash"):
        verify_folder(tmp_path / "public")


def test_an_older_checkpoint_put_back_never_shortens_the_log(tmp_path: Path) -> None:
    """The journal remembers more than the checkpoint says: the log goes on where it was."""
    filled(tmp_path, 3)
    older = (tmp_path / "public/checkpoint").read_text()
    with open_log(tmp_path) as log:
        log.append(b"four")
        log.append(b"five")
    (tmp_path / "public/checkpoint").write_text(older)
    with open_log(tmp_path) as log:
        assert log.size == 5
    assert verify_folder(tmp_path / "public").size == 5


def test_another_key_than_the_expected_is_refused(tmp_path: Path) -> None:
    """Rewritten and signed again by somebody else: the auditor's own key decides."""
    filled(tmp_path, 3)
    vkey = Signer.create(SIGNER.name).vkey
    with pytest.raises(EvidenceError, match="vkey: it is not the verifier key that was expected"):
        verify_folder(tmp_path / "public", vkey)
    (tmp_path / "public/vkey").unlink()
    with pytest.raises(EvidenceError, match=r"checkpoint: .*no key that is known here"):
        verify_folder(tmp_path / "public", vkey)
    assert not verify_folder(tmp_path / "public", SIGNER.vkey).own_key


def test_a_bundle_that_changes_after_the_check_is_not_handed_out(tmp_path: Path) -> None:
    """Entries are read lazily, so they are checked again when they are read."""
    filled(tmp_path, 300)
    found = verify_folder(tmp_path / "public")
    flip(tmp_path / "public/tile/entries/000", 40)
    with pytest.raises(EvidenceError, match="changed since it was verified"):
        list(found.entries())


def test_a_log_that_grows_under_the_reader_stays_readable(tmp_path: Path) -> None:
    """Partial tiles go away when full ones come; an earlier check must still be able to read."""
    entries = filled(tmp_path, 200)
    found = verify_folder(tmp_path / "public")
    with open_log(tmp_path) as log:
        for future in [log.submit(b"more") for _ in range(400)]:
            future.result()
    assert [entry for _, entry in found.entries()] == entries


def test_every_changed_bit_of_the_journal_is_noticed_at_start(tmp_path: Path) -> None:
    """Nothing in the state folder may be bent, and nothing published is ever taken back."""
    filled(tmp_path, 4)
    (path,) = (tmp_path / "state/journal").iterdir()
    content = path.read_bytes()
    for at in range(len(content)):
        flip(path, at, at % 8)
        with pytest.raises(EvidenceError) as caught:
            open_log(tmp_path)
        assert str(path.parent) in caught.value.where
        path.write_bytes(content)
    with open_log(tmp_path) as log:
        assert log.size == 4


def test_random_damage_to_a_larger_log_stops_the_start(tmp_path: Path) -> None:
    """Sampled with a fixed seed over every file that a log of several tiles has."""
    filled(tmp_path, 520)
    generator = random.Random(5)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    for path in generator.choices(files, k=60):
        at, bit = generator.randrange(path.stat().st_size), generator.randrange(8)
        flip(path, at, bit)
        with pytest.raises(EvidenceError):
            open_log(tmp_path)
        flip(path, at, bit)
    open_log(tmp_path).close()


def test_yesterday_s_state_folder_is_refused(tmp_path: Path) -> None:
    """A rolled-back journal would sign a second history."""
    filled(tmp_path, 3)
    shutil.copytree(tmp_path / "state", tmp_path / "yesterday")
    with open_log(tmp_path) as log:
        log.append(b"today")
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "yesterday").rename(tmp_path / "state")
    with pytest.raises(EvidenceError, match="ends at entry 3, but 4 entries are published"):
        open_log(tmp_path)


def test_a_lost_state_folder_is_refused(tmp_path: Path) -> None:
    """Without its journal nobody can tell what was acknowledged."""
    filled(tmp_path, 3)
    shutil.rmtree(tmp_path / "state")
    with pytest.raises(EvidenceError, match="there is no journal, but 3 entries are published"):
        open_log(tmp_path)


def test_yesterday_s_published_folder_is_refused_or_caught_up(tmp_path: Path) -> None:
    """The journal has let go of what lies between: the folder cannot be continued."""
    filled(tmp_path, 3)
    shutil.copytree(tmp_path / "public", tmp_path / "yesterday")
    for _ in range(2):
        with open_log(tmp_path) as log:
            log.append(b"today")
    shutil.rmtree(tmp_path / "public")
    (tmp_path / "yesterday").rename(tmp_path / "public")
    with pytest.raises(EvidenceError, match="3 entries are published, but the journal begins at"):
        open_log(tmp_path)


def test_a_journal_of_another_history_is_refused(tmp_path: Path) -> None:
    """Same key, same sizes, other entries: the published ones win and the start is refused."""
    filled(tmp_path / "one", 3)
    with open_log(tmp_path / "two") as log:
        for entry in (b"a", b"b", b"c", b"d"):
            log.append(entry)
    shutil.rmtree(tmp_path / "one/state")
    shutil.copytree(tmp_path / "two/state", tmp_path / "one/state")
    with pytest.raises(EvidenceError, match="entry 0 is not the one that was published"):
        open_log(tmp_path / "one")


def test_a_fifo_or_a_device_in_a_files_place_holds_nobody_up(tmp_path: Path) -> None:
    """A folder comes from a stranger; its reader must not wait for ever, nor read without end."""
    filled(tmp_path, 3)
    public = tmp_path / "public"
    for path in [path for path in public.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        for put in (lambda at: os.mkfifo(at), lambda at: at.symlink_to("/dev/zero")):
            path.unlink()
            put(path)
            with pytest.raises(EvidenceError, match="it is no file"):
                verify_folder(public)
        path.unlink()
        path.write_bytes(content)
    verify_folder(public)
