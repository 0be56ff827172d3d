"""A disk that is full: nothing is answered, nothing is lost, and it goes on by itself (F8)."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, Unavailable
from landbridge.evidence import Log, Signer, SubjectKey, verify_folder, verify_receipt
from landbridge.evidence.disk import Disk, NoRoom
from landbridge.evidence.receipt import Receipt
from landbridge.reasons import LogUnavailable
from tests.evidence.faulty_disk import CrashDisk, FaultyDisk

SIGNER = Signer.create("nyc.example/gateway")
WAIT = 30.0
"""Seconds after which a test says that a log never went on; nothing is measured by it."""


def open_log(place: Path, disk: Disk | None = None) -> Log:
    """A log in `place`."""
    return Log.open(
        place / "public", place / "state", SIGNER, disk=disk or FaultyDisk(), publish_every=0.01
    )


def entries_of(place: Path) -> list[bytes]:
    """What the published folder holds, verified."""
    return [entry for _, entry in verify_folder(place / "public", SIGNER.vkey).entries()]


def until(taken: Callable[[], Receipt]) -> Receipt:
    """What `taken` gives once it is not refused any more."""
    end = time.monotonic() + WAIT
    while True:
        try:
            return taken()
        except LogUnavailable:
            assert time.monotonic() < end, "the log never went on"
            time.sleep(0.01)


class Full:
    """A disk without room: every operation that takes some fails, after `most` bytes of a write."""

    def __init__(self, *operations: str, folder: str = "", most: int = 7) -> None:
        self.operations, self.folder, self.most = operations, folder, most

    def __call__(self, operation: str, path: Path) -> int | None:
        if operation in self.operations and self.folder in ("", path.name, path.parent.name):
            if operation == "write":
                return self.most
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return None


ROOMY = Full()


@pytest.mark.parametrize("most", [0, 7, 60, 5_000])
def test_a_full_journal_refuses_until_there_is_room_and_leaves_no_gap(
    tmp_path: Path, most: int
) -> None:
    """Refused entries are not in the log, the others stand without a gap, no restart is needed."""
    disk = FaultyDisk()
    with open_log(tmp_path, disk) as log:
        before = log.append(b"before")
        disk.fault = Full("write", "create", most=most)
        for _ in range(3):
            with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
                log.append(bytes(4_000))
        with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
            log.require()
        assert log.size == 1
        disk.fault = ROOMY
        after = until(lambda: log.append(b"after"))
        log.require()
    assert [before.index, after.index] == [0, 1]
    assert entries_of(tmp_path) == [b"before", b"after"]
    for receipt in (before, after):
        verify_receipt(receipt.entry, receipt.proof, SIGNER.vkey)
    with open_log(tmp_path) as log:
        assert log.size == 2


def test_too_many_open_files_are_waited_out_like_a_full_disk(tmp_path: Path) -> None:
    """F26: a flood of connections must not end the log for good; nothing was written or lost."""
    disk = FaultyDisk()

    def exhausted(operation: str, path: Path) -> int | None:
        if operation == "create":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return None

    with open_log(tmp_path, disk) as log:
        log.append(b"before")
        disk.fault = exhausted
        with pytest.raises(LogUnavailable):  # the entry after it, once publication was refused
            for _ in range(1_000):
                log.append(b"while")
                time.sleep(0.01)
        disk.fault = ROOMY
        until(lambda: log.append(b"after"))
        size = log.size
    found = entries_of(tmp_path)
    assert (found[0], found[-1], len(found)) == (b"before", b"after", size)


def test_a_folder_that_cannot_be_opened_was_not_synced_and_lost_nothing(tmp_path: Path) -> None:
    """The real error of the system, of this very process, before any sync is tried."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(NoRoom):
            Disk().sync_folder(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nothing_begins_while_the_disk_is_full(tmp_path: Path) -> None:
    """A request that could not be logged must not reach a ledger or the data."""
    disk = FaultyDisk()
    begun: list[str] = []
    with open_log(tmp_path, disk) as log:
        recorder = Recorder(log, SubjectKey.create(), "ab" * 32, time.time)
        disk.fault = Full("write", "create")

        def ask(what: str) -> Receipt:
            with recorder.request("query") as draft:
                begun.append(what)
                return draft.answered(b"42").receipt

        with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
            ask("the one that found it full")
        for _ in range(5):
            with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
                ask("another")
        assert begun == ["the one that found it full"]
        disk.fault = ROOMY
        assert until(lambda: ask("again")).index == 0


@pytest.mark.parametrize("operation", ["create", "write", "rename"])
@pytest.mark.parametrize("folder", ["public", "000.p"])
def test_a_full_published_folder_refuses_until_it_can_be_published(
    tmp_path: Path, operation: str, folder: str
) -> None:
    """A log that nobody can read is no log, but only for so long."""
    disk = FaultyDisk()
    with open_log(tmp_path, disk) as log:
        disk.fault = Full(operation, folder=folder)
        receipt = log.append(b"entry")
        end = time.monotonic() + WAIT
        while log._full is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
            log.append(b"refused")
        disk.fault = ROOMY
        later = until(lambda: log.append(b"later"))
    assert (receipt.index, later.index) == (0, 1)
    assert entries_of(tmp_path) == [b"entry", b"later"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_failed_cut_stops_the_log_until_a_restart(tmp_path: Path) -> None:
    """Where the file ends is then not known, and a restart reads it."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    log.append(b"before")

    def fault(operation: str, path: Path) -> int | None:
        if operation == "cut":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return 7 if operation == "write" and path.parent.name == "journal" else None

    disk.fault = fault
    with pytest.raises(Unavailable):
        log.append(b"refused")
    disk.fault = ROOMY
    log._threads[0].join(WAIT)
    with pytest.raises(Unavailable, match="LOG_UNAVAILABLE"):
        log.append(b"later")
    log.close()
    with open_log(tmp_path) as log:
        assert log.append(b"after").index == 1
    assert entries_of(tmp_path) == [b"before", b"after"]


def test_a_log_that_ends_on_a_full_disk_is_published_by_the_next_start(tmp_path: Path) -> None:
    """Acknowledged is acknowledged; a server can always be stopped."""
    disk = FaultyDisk()
    log = open_log(tmp_path, disk)
    disk.fault = Full("write", "create", folder="000.p")
    log.append(b"entry")
    log.close()
    with open_log(tmp_path):
        assert entries_of(tmp_path) == [b"entry"]


def test_a_crash_around_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """Whatever survives of a write that was cut off: acknowledged entries keep their places."""
    disk = CrashDisk(tmp_path / "live")
    acknowledged: list[tuple[int, bytes]] = []
    with open_log(tmp_path / "live", disk) as log:
        # A record is 48 bytes here: torn in its head, torn in its entry, and whole.
        for room in (5, 45, 48):
            disk.room = room
            with pytest.raises(Unavailable):
                log.append(b"refused!")
            disk.room = None
            for entry in (b"entry %d" % room, b"a longer entry than the one that was refused"):
                until(lambda entry=entry: log.append(entry))  # type: ignore[misc]
                acknowledged.append((len(disk.events), entry))
    whole, seen = 0, set[int]()
    for count in range(len(disk.events) + 1):
        expected = [entry for at, entry in acknowledged if at <= count]
        for names, data in ((True, True), (False, False), (True, False), (False, True)):
            left = disk.after(count, names=names, data=data)
            state = hash((tuple(sorted(left.items())), len(expected)))
            if state in seen:
                continue
            seen.add(state)
            place = tmp_path / "crash"
            for path, content in left.items():
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(content)
            with open_log(place):
                held = entries_of(place)
            assert held[: len(expected)] == expected, (count, names, data)
            whole += b"refused!" in held
            shutil.rmtree(place)
    # The harness is not blind: a whole record of a refused entry survives a crash before the cut.
    assert whole
    assert b"refused!" not in entries_of(tmp_path / "live")


@contextmanager
def small_disk(kind: str, place: Path) -> Iterator[Path]:
    """A file system of four megabytes of its own; skips where none can be mounted."""
    where = place / "disk"
    where.mkdir()
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)]
    else:
        image = place / "image"
        image.write_bytes(b"")
        os.truncate(image, 8 << 20)
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4 here")
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)  # noqa: S607 - from the PATH
        command = ["mount", "-o", "loop", str(image), str(where)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no {kind} can be mounted here: {mounted.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)  # noqa: S607 - from the PATH


def fill(path: Path) -> None:
    """Takes all the room that is left."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 16, 1 << 12, 1 << 9, 1):
            with pytest.raises(OSError, match="No space left"):
                while True:
                    os.write(file, bytes(size))
        os.fsync(file)
    finally:
        os.close(file)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_real_full_disk_under_load(tmp_path: Path, kind: str) -> None:
    """Sixteen callers, full and free again three times: all that was acknowledged, and no gap."""
    acknowledged: dict[int, bytes] = {}
    refusals: list[int] = []
    lock, stop = threading.Lock(), threading.Event()
    with small_disk(kind, tmp_path) as disk:
        ballast = disk / "ballast"
        log = Log.open(disk / "public", disk / "state", SIGNER, segment_size=1 << 16)

        def work(thread: int) -> None:
            number = 0
            while not stop.is_set():
                entry = f"{thread}.{number}.".encode() + bytes(random.Random(number).randrange(900))
                try:
                    receipt = log.append(entry)
                except LogUnavailable:
                    with lock:
                        refusals.append(len(acknowledged))
                    time.sleep(0.01)
                    continue
                verify_receipt(entry, receipt.proof, SIGNER.vkey)
                with lock:
                    assert receipt.index not in acknowledged
                    acknowledged[receipt.index] = entry
                number += 1

        def more(than: int, what: Callable[[], int]) -> None:
            end = time.monotonic() + WAIT
            while what() <= than:
                assert time.monotonic() < end, "the log never went on"
                time.sleep(0.01)

        with ThreadPoolExecutor(16) as callers:
            running = [callers.submit(work, thread) for thread in range(16)]
            try:
                for _ in range(3):
                    more(len(acknowledged) + 30, lambda: len(acknowledged))
                    fill(ballast)
                    more(len(refusals) + 30, lambda: len(refusals))
                    ballast.unlink()
                more(len(acknowledged) + 30, lambda: len(acknowledged))
            finally:
                stop.set()
        for each in running:
            each.result()
        log.close()
        held = entries_of(disk)
        assert sorted(acknowledged) == list(range(len(held)))
        assert [acknowledged[index] for index in range(len(held))] == held
        with open_log(disk, Disk()) as log:
            assert log.size == len(held)
