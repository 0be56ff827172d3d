"""Disks that fail, fill up and crash: nothing that was acknowledged is ever lost."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, Unavailable
from landbridge.evidence import (
    Entry,
    EvidenceError,
    Log,
    Signer,
    SubjectKey,
    verify_folder,
    verify_receipt,
)
from landbridge.evidence.disk import Disk
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.segment import HEADER_SIZE
from landbridge.evidence.subject_keys import SubjectKeys
from tests.evidence.faulty_disk import CrashDisk, FaultyDisk

SIGNER = Signer.create("nyc.example/gateway")


def open_log(place: Path, disk: Disk | None = None) -> Log:
    """A log in `place`."""
    return Log.open(place / "public", place / "state", SIGNER, disk=disk or FaultyDisk())


def entries_of(place: Path) -> list[bytes]:
    """What the published folder holds, verified."""
    return [entry for _, entry in verify_folder(place / "public", SIGNER.vkey).entries()]


def reopened(place: Path) -> list[bytes]:
    """What a log holds after a start and a clean end; the start itself published it."""
    with open_log(place) as log:
        held = entries_of(place)
        assert log.size == len(held)
    return held


class Fault:
    """Raises `number` at the n-th matching operation, once."""

    def __init__(self, number: int, operation: str, folder: str, after: int = 0) -> None:
        self.number, self.operation, self.folder, self.left = number, operation, folder, after

    def __call__(self, operation: str, path: Path) -> int | None:
        if operation == self.operation and self.folder in (path.name, path.parent.name):
            self.left -= 1
            if self.left == -1:
                if self.operation == "write" and self.number == errno.ENOSPC:
                    return 7
                raise OSError(self.number, os.strerror(self.number), str(path))
        return None


@pytest.mark.parametrize(
    ("operation", "number"),
    [("sync", errno.EIO), ("sync", errno.ENOSPC), ("write", errno.EIO), ("write", errno.EFBIG)],
)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_one_failed_write_stops_the_log_until_a_restart(
    tmp_path: Path, operation: str, number: int, after: int
) -> None:
    """A failed sync may not fail twice: a retry that succeeds proves nothing."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    disk.fault = Fault(number, operation, "journal", after)
    acknowledged = [log.append(str(attempt).encode()).entry for attempt in range(after)]
    for attempt in range(after, 6):
        with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
            log.append(str(attempt).encode())
    log.close()
    held = reopened(tmp_path)
    assert held[:after] == acknowledged
    assert held[after:] in ([], [str(after).encode()])
    with open_log(tmp_path) as log:
        assert log.append(b"again").index == len(held)


@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename", "sync_folder"])
@pytest.mark.parametrize("folder", ["public", "0", "entries", "000.p"])
def test_a_folder_that_cannot_be_written_stops_the_log(
    tmp_path: Path, operation: str, folder: str
) -> None:
    """A log that nobody can read is no log; what was acknowledged is still there afterwards."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    hit = threading.Event()

    def fault(what: str, path: Path) -> int | None:
        if what == operation and folder in (path.name, path.parent.name):
            hit.set()
            raise OSError(errno.EIO, "Input/output error", str(path))
        return None

    disk.fault = fault
    receipt = log.append(b"entry")
    try:
        log.close()
    except Unavailable:
        assert hit.is_set()
    disk.fault = lambda _operation, _path: None
    assert reopened(tmp_path) == [b"entry"]
    verify_receipt(b"entry", receipt.proof, SIGNER.vkey)


def test_a_failed_publication_refuses_later_appends(tmp_path: Path) -> None:
    """The failure reaches callers, not only the operator's log."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    disk.fault = Fault(errno.EIO, "rename", "public")
    log.append(b"entry")
    log._threads[1].join()
    with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
        log.append(b"later")
    log.close()
    assert reopened(tmp_path) == [b"entry"]


def test_the_journal_lets_go_only_after_publication(tmp_path: Path) -> None:
    """A publication that fails half way finds all that it lacked in the journal again."""
    disk = FaultyDisk()
    log = Log.open(
        tmp_path / "public",
        tmp_path / "state",
        SIGNER,
        disk=disk,
        publish_every=1000,
        segment_size=1,
    )
    disk.hold = threading.Event()
    acknowledged = [log.append(b"published").entry, log.append(b"not published").entry]
    disk.hold.set()
    # Once the publisher has prepared the next segment, an append seals the one before it.
    while not any(end for _, end in log._journal._sealed):
        acknowledged.append(log.append(b"more").entry)
    disk.fault = Fault(errno.EIO, "rename", "public")
    with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
        log.close()
    assert reopened(tmp_path) == acknowledged


def test_everybody_who_waits_for_a_failed_sync_hears_of_it(tmp_path: Path) -> None:
    """Nobody waits for ever, and nobody gets a receipt."""
    disk = FaultyDisk()
    started, release = threading.Event(), threading.Event()

    def fault(operation: str, path: Path) -> None:
        if operation == "sync" and path.parent.name == "journal":
            started.set()
            release.wait()
            raise OSError(errno.EIO, "Input/output error")

    log = open_log(tmp_path, disk)
    disk.fault = fault
    waiting = [log.submit(b"first")]
    started.wait()
    waiting += [log.submit(str(number).encode()) for number in range(20)]
    release.set()
    for future in waiting:
        with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
            future.result()
    log.close()


def test_a_full_disk_at_start_is_one_sentence_and_heals(tmp_path: Path) -> None:
    """Space freed, process started: the log goes on without repair by hand."""
    with open_log(tmp_path) as log:
        log.append(b"entry")
    disk = FaultyDisk()
    disk.fault = Fault(errno.ENOSPC, "write", "journal")
    with pytest.raises(EvidenceError, match="No space left on device"):
        open_log(tmp_path, disk)
    assert reopened(tmp_path) == [b"entry"]


def test_an_error_of_the_log_names_no_file(tmp_path: Path) -> None:
    """The sentence goes to callers: it says nothing of the machine."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    disk.fault = Fault(errno.EIO, "sync", "journal")
    with pytest.raises(Unavailable) as caught:
        log.append(b"secret")
    assert str(tmp_path) not in str(caught.value)
    assert "secret" not in str(caught.value)
    log.close()


def crashed(place: Path, count: int) -> tuple[Path, list[bytes], Path]:
    """A log that crashed with `count` entries in its journal and none published."""
    disk = FaultyDisk()
    log = open_log(place, disk)
    disk.hold = threading.Event()
    entries = [f"entry {number}".encode() for number in range(count)]
    for entry in entries:
        log.append(entry)
    shutil.copytree(place / "state", place / "crash/state")
    shutil.copytree(place / "public", place / "crash/public")
    disk.hold.set()
    log.close()
    (path,) = (place / "crash/state/journal").iterdir()
    return place / "crash", entries, path


def test_a_log_whose_journal_was_torn_starts(tmp_path: Path) -> None:
    """Cut, zeroed or overwritten over its last records: whole entries are kept and published."""
    crash, entries, path = crashed(tmp_path, 5)
    content = path.read_bytes()
    length = (len(content) - HEADER_SIZE) // 5
    generator = random.Random(11)
    for cut in range(0, 3 * length + 1, 5):
        end = len(content) - cut
        filler = (b"", bytes(cut + 9), generator.randbytes(cut + 9))[cut % 3]
        place = tmp_path / f"cut{cut}"
        shutil.copytree(crash, place)
        (place / "state/journal" / path.name).write_bytes(content[:end] + filler)
        kept = entries[: (end - HEADER_SIZE) // length]
        assert reopened(place) == kept
        with open_log(place) as log:
            assert log.append(b"after").index == len(kept)
        assert entries_of(place) == [*kept, b"after"]


def test_a_crash_between_any_two_operations_loses_nothing(tmp_path: Path) -> None:
    """Whatever a power loss takes that was not synced: acknowledged entries are all there."""
    disk = CrashDisk(tmp_path / "live")
    acknowledged: list[tuple[int, bytes]] = []
    for session in range(2):
        log = Log.open(
            tmp_path / "live/public",
            tmp_path / "live/state",
            SIGNER,
            disk=disk,
            publish_every=0,
            segment_size=100,
        )
        for number in range(4):
            entry = f"{session}.{number}".encode()
            log.append(entry)
            acknowledged.append((len(disk.events), entry))
        log.close()
    seen: set[int] = set()
    for count in range(len(disk.events) + 1):
        expected = [entry for at, entry in acknowledged if at <= count]
        for names, data in ((True, True), (False, False), (True, False), (False, True)):
            left = disk.after(count, names=names, data=data)
            state = hash((tuple(sorted(left.items())), len(expected)))
            if state in seen:
                continue
            seen.add(state)
            place = tmp_path / f"crash{len(seen)}"
            for path, content in left.items():
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(content)
            with open_log(place):
                held = entries_of(place)
            assert held[: len(expected)] == expected, (count, names, data)
            assert held == [entry for _, entry in acknowledged][: len(held)]
    # The harness is not blind: something was really lost, and every append was cut in two.
    assert any(
        disk.after(count, names=False, data=False) != disk.after(count, names=True, data=True)
        for count in range(len(disk.events))
    )
    assert len(seen) > 2 * len(acknowledged)


APPENDER = """
import sys, threading
from pathlib import Path
from landbridge.evidence import Log, Signer

place = Path(sys.argv[1])
log = Log.open(place / "public", place / "state", Signer.load(place / "key"), publish_every=0.01)
lock = threading.Lock()

def work(thread):
    number = 0
    while True:
        receipt = log.append(f"{sys.argv[2]}.{thread}.{number}".encode())
        number += 1
        with lock:
            sys.stdout.write(f"{receipt.index} {receipt.entry.decode()}\\n")
            sys.stdout.flush()

for thread in range(4):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def test_every_acknowledged_entry_survives_a_killed_process(tmp_path: Path) -> None:
    """The client's side of the promise: what it was told is in the log, at that index."""
    SIGNER.save(tmp_path / "key")
    generator = random.Random(7)
    acknowledged: dict[int, bytes] = {}
    for round_ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path), str(round_)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        wanted = generator.randrange(1, 400)
        lines = [process.stdout.readline() for _ in range(wanted)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
        whole = [line for line in lines if line.endswith(b"\n")]
        assert len(whole) >= wanted
        for line in whole:
            index, entry = line.split()
            assert int(index) not in acknowledged
            acknowledged[int(index)] = entry
        with open_log(tmp_path):
            held = entries_of(tmp_path)
        for at, entry in acknowledged.items():
            assert held[at] == entry


def test_a_clock_that_jumps_costs_neither_entries_nor_order(tmp_path: Path) -> None:
    """F23: an hour back, twenty years ahead, back again: the index orders, nothing is refused."""
    now = [1_790_000_000.0]
    keys = SubjectKeys(tmp_path / "subjects")
    receipts: list[Receipt] = []
    with open_log(tmp_path) as log:
        recorder = Recorder(log, SubjectKey.create(), "ab" * 32, lambda: now[0], keys)
        for jump in (0.0, -3_600.0, 20 * 366 * 86_400.0, -20 * 366 * 86_400.0, -40 * 86_400.0):
            now[0] += jump
            with recorder.request("call", resource="a.b") as draft:
                draft.note(subject=draft.recorder.subject("4711"))
                receipts.append(draft.answered(b"HERE").receipt)
    assert [receipt.index for receipt in receipts] == list(range(5))
    for receipt in receipts:
        verify_receipt(receipt.entry, receipt.proof, SIGNER.vkey)
    assert reopened(tmp_path) == [receipt.entry for receipt in receipts]
    entries = [Entry.from_bytes(receipt.entry) for receipt in receipts]
    # Each is digested with the key of the month that it is dated in, so that it can be forgotten.
    assert [entry.subject_key[:7] for entry in entries] == [entry.time[:7] for entry in entries]
    assert sorted(entry.time for entry in entries) != [entry.time for entry in entries]
