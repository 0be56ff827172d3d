"""The journal's tail: torn writes are cut, damage is named, nothing durable is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.journal import Journal, Replay, replay
from landbridge.evidence.segment import HEADER_SIZE
from tests.evidence.faulty_disk import FaultyDisk

OWNER = bytes(range(32))
EMPTY = Replay(0, [], 0, 0)
ENTRIES = [b"first entry", b"", b"third \xffREC entry", b"fourth"]


def journal_in(place: Path, tail: Replay = EMPTY, segment_size: int = 1 << 20) -> Journal:
    """A started journal."""
    journal = Journal(place, OWNER, FaultyDisk(), segment_size=segment_size)
    journal.start(tail)
    return journal


def written(place: Path, batches: list[list[bytes]]) -> tuple[Path, list[int]]:
    """A journal's one file, and its size after each batch."""
    journal = journal_in(place)
    (path,) = place.iterdir()
    sizes = [path.stat().st_size]
    for batch in batches:
        journal.append(batch)
        sizes.append(path.stat().st_size)
    journal.close()
    return path, sizes


def found(place: Path) -> Replay:
    """What a replay finds."""
    result = replay(place, OWNER)
    assert result is not None
    return result


def test_what_was_appended_is_found(tmp_path: Path) -> None:
    """The journal is the log until the folder catches up."""
    written(tmp_path, [[entry] for entry in ENTRIES])
    assert found(tmp_path).entries == ENTRIES
    assert found(tmp_path).cut == 0
    assert replay(tmp_path / "nowhere", OWNER) is None


def test_a_tail_cut_at_any_byte_is_cut_back_to_whole_entries(tmp_path: Path) -> None:
    """A write that a crash tore was never acknowledged, and is never served."""
    path, sizes = written(tmp_path, [[entry] for entry in ENTRIES])
    content = path.read_bytes()
    for end in range(HEADER_SIZE, len(content)):
        path.write_bytes(content[:end])
        whole = sum(size <= end for size in sizes[1:])
        assert found(tmp_path).entries == ENTRIES[:whole]
        assert found(tmp_path).cut == end - sizes[whole]


@pytest.mark.parametrize("filler", ["zeros", "garbage", "copy"])
def test_a_last_record_overwritten_from_any_byte_is_cut(tmp_path: Path, filler: str) -> None:
    """After a power loss the tail can hold zeros, old blocks or a copy of what came before."""
    path, sizes = written(tmp_path, [[entry] for entry in ENTRIES])
    content = path.read_bytes()
    for end in range(sizes[-2], sizes[-1]):
        rest = len(content) - end + 50
        tail = {
            "zeros": bytes(rest),
            "garbage": (b"\xffREC" + content[::-1])[:rest],
            "copy": content[end - rest : end],
        }[filler]
        path.write_bytes(content[:end] + tail)
        if content[:end] + tail[: len(content) - end] != content:
            assert found(tmp_path).entries == ENTRIES[:-1]


def test_a_copied_tail_adds_nothing(tmp_path: Path) -> None:
    """The same bytes a second time carry an index that was there already."""
    path, sizes = written(tmp_path, [[entry] for entry in ENTRIES])
    content = path.read_bytes()
    path.write_bytes(content + content[sizes[-2] :])
    assert found(tmp_path).entries == ENTRIES


def test_a_torn_batch_with_a_whole_record_behind_the_gap_is_cut(tmp_path: Path) -> None:
    """Pages reach the disk in any order: a later record of the SAME sync proves nothing."""
    path, sizes = written(tmp_path, [[b"durable"], [b"one", b"two", b"three"]])
    content = bytearray(path.read_bytes())
    content[sizes[1] + 41] ^= 1
    path.write_bytes(content)
    assert found(tmp_path).entries == [b"durable"]


def test_every_changed_bit_before_the_last_sync_is_named(tmp_path: Path) -> None:
    """Damage in the middle is no torn write; cutting there would lose durable entries."""
    path, sizes = written(tmp_path, [[entry] for entry in ENTRIES])
    content = path.read_bytes()
    for at in range(sizes[-2]):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(EvidenceError) as caught:
            found(tmp_path)
        assert caught.value.where == str(path)
        if at >= HEADER_SIZE:
            index = sum(size <= at for size in sizes[1:])
            assert f"entry {index} at byte {sizes[index]} " in caught.value.what


def test_an_entry_cannot_pretend_to_be_a_record(tmp_path: Path) -> None:
    """A caller's bytes inside a torn entry must not make the log refuse to start."""
    other = journal_in(tmp_path / "other", Replay(100, [], 0, 0))
    other.append([b"x"])
    other.close()
    (source,) = (tmp_path / "other").iterdir()
    forged = source.read_bytes()[HEADER_SIZE:]
    path, _ = written(tmp_path / "log", [[b"durable"], [b"....." + forged * 3 + b"....."]])
    path.write_bytes(path.read_bytes()[:-1])
    assert found(tmp_path / "log").entries == [b"durable"]


def test_a_missing_file_in_the_middle_is_named(tmp_path: Path) -> None:
    """A gap between segments is damage."""
    journal = journal_in(tmp_path, segment_size=1)
    for number in range(4):
        journal.append([str(number).encode()])
        journal.prepare()
    journal.close()
    sorted(tmp_path.iterdir())[2].unlink()
    with pytest.raises(EvidenceError, match="file number 3 of the journal is missing"):
        found(tmp_path)


def test_a_damaged_end_of_an_earlier_segment_is_named(tmp_path: Path) -> None:
    """Only the end of the last segment can be torn."""
    journal = journal_in(tmp_path, segment_size=1)
    for number in range(3):
        journal.append([str(number).encode()])
        journal.prepare()
    journal.close()
    first, *_ = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(EvidenceError, match="entry 0 at byte"):
        found(tmp_path)


def test_a_segment_stays_until_the_next_one_holds_an_entry(tmp_path: Path) -> None:
    """Between two segments the old one alone says where the journal ends."""
    disk = FaultyDisk()
    journal = Journal(tmp_path, OWNER, disk, segment_size=1)
    journal.start(EMPTY)
    journal.append([b"first"])
    journal.prepare()
    disk.fault = lambda operation, _path: 0 if operation == "write" else None
    with pytest.raises(OSError, match="No space left"):
        journal.append([b"second"])
    journal.drop(1)
    journal.close()
    assert found(tmp_path).end == 1


def test_a_start_replaces_the_old_segments_at_once(tmp_path: Path) -> None:
    """Recovery writes the tail anew and whole; a crash on the way leaves the old one in force."""
    path, _ = written(tmp_path, [[entry] for entry in ENTRIES])
    old = path.read_bytes()
    journal = journal_in(tmp_path, Replay(2, ENTRIES[2:], 1, 0))
    journal.append([b"fifth"])
    journal.close()
    expected = [*ENTRIES[2:], b"fifth"]
    assert (found(tmp_path).first, found(tmp_path).entries) == (2, expected)
    path.write_bytes(old)
    assert (found(tmp_path).first, found(tmp_path).entries) == (2, expected)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.lists(st.binary(max_size=30), min_size=1, max_size=4),
            st.sampled_from(["prepare", "drop", "restart", "torn"]),
        ),
        max_size=25,
    )
)
def test_no_order_of_events_loses_an_entry(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[bytes] | str]
) -> None:
    """Rotation, dropping, crashes and restarts in any order: the tail is always whole."""
    place = tmp_path_factory.mktemp("journal")
    journal = journal_in(place, segment_size=150)
    entries: list[bytes] = []
    published = 0
    for step in steps:
        if isinstance(step, list):
            journal.append(step)
            entries += step
        elif step == "prepare":
            journal.prepare()
        elif step == "drop":
            published = len(entries)
            journal.drop(published)
        else:
            journal.close()
            if step == "torn":
                # The next write got half way into whatever file was being written.
                path = place / f"{journal._header.sequence:020d}"
                path.write_bytes(path.read_bytes() + b"\xffREC" + bytes(30))
            tail = found(place)
            journal = journal_in(
                place,
                Replay(published, tail.entries[published - tail.first :], tail.sequence, 0),
                segment_size=150,
            )
        tail = found(place)
        assert tail.end == len(entries)
        assert tail.first <= published
        assert tail.entries == entries[tail.first :]
    journal.close()
