"""The log's promises while everything works."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.evidence import EvidenceError, Log, Receipt, Signer, verify_folder, verify_receipt
from landbridge.evidence.checkpoint import open_checkpoint
from landbridge.evidence.merkle import Tree, check_consistency, consistency_proof, leaf_hash
from landbridge.evidence.signer import Verifier
from landbridge.evidence.tiles import LONGEST_ENTRY
from landbridge.evidence.tlog_proof import TlogProof
from tests.evidence.faulty_disk import FaultyDisk

SIGNER = Signer.create("nyc.example/gateway")
VERIFIER = Verifier.parse(SIGNER.vkey)


def open_log(place: Path, disk: FaultyDisk | None = None, **options: float) -> Log:
    """A log in `place` on a disk that does not really sync, for speed."""
    publish_every = options.get("publish_every", 0.5)
    segment_size = int(options.get("segment_size", 1 << 20))
    return Log.open(
        place / "public",
        place / "state",
        SIGNER,
        disk=disk or FaultyDisk(),
        publish_every=publish_every,
        segment_size=segment_size,
    )


def entries_of(place: Path) -> list[bytes]:
    """What the published folder holds, verified."""
    return [entry for _, entry in verify_folder(place / "public", SIGNER.vkey).entries()]


def test_an_append_gives_a_receipt_that_verifies_offline(tmp_path: Path) -> None:
    """The first promise: no answer without evidence that its receiver can check alone."""
    with open_log(tmp_path) as log:
        for index in range(5):
            entry = f"entry {index}".encode()
            receipt = log.append(entry)
            assert (receipt.entry, receipt.index) == (entry, index)
            assert receipt.leaf_hash == leaf_hash(entry)
            found = verify_receipt(entry, receipt.proof, SIGNER.vkey)
            assert (found.index, found.size, found.origin) == (index, index + 1, SIGNER.name)
            assert log.size == index + 1
            assert open_checkpoint(log.checkpoint(), VERIFIER).size == index + 1


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600, 1025])
def test_a_closed_log_is_published_whole_and_opens_again(tmp_path: Path, size: int) -> None:
    """Around every tile boundary: nothing is missing in the folder, and the log goes on."""
    entries = [f"{number}".encode() * (number % 7) for number in range(size)]
    with open_log(tmp_path) as log:
        receipts = [future.result() for future in [log.submit(entry) for entry in entries]]
    assert entries_of(tmp_path) == entries
    with open_log(tmp_path) as log:
        assert log.size == size
        receipts.append(log.append(b"after"))
    assert entries_of(tmp_path) == [*entries, b"after"]
    for receipt in receipts:
        verify_receipt(receipt.entry, receipt.proof, SIGNER.vkey)


def test_the_folder_holds_what_may_be_published_and_nothing_else(tmp_path: Path) -> None:
    """A static file server shows the folder as it is."""
    for _ in range(3):
        with open_log(tmp_path, publish_every=0) as log:
            for future in [log.submit(bytes([n % 256])) for n in range(300)]:
                future.result()
    assert {path.name for path in (tmp_path / "public").iterdir()} == {"checkpoint", "tile", "vkey"}
    files = {
        str(path.relative_to(tmp_path / "public"))
        for path in (tmp_path / "public").rglob("*")
        if path.is_file() and ".p/" not in str(path)
    }
    full = {f"tile/{level}/00{n}" for level in ("0", "entries") for n in range(3)}
    assert files == {"checkpoint", "vkey", *full}
    partial = {path.parent.name for path in (tmp_path / "public").rglob("*.p/*")}
    assert partial == {"003.p", "000.p"}, "partial tiles go when the full one is there"


def test_entries_can_be_read_from_any_index(tmp_path: Path) -> None:
    """An export that resumes must not read everything again."""
    with open_log(tmp_path) as log:
        for future in [log.submit(str(number).encode()) for number in range(600)]:
            future.result()
    found = verify_folder(tmp_path / "public")
    assert found.own_key
    for start in (0, 1, 255, 256, 257, 599, 600, 601):
        assert list(found.entries(start)) == [
            (number, str(number).encode()) for number in range(start, 600)
        ]


def test_a_lone_append_costs_one_sync(tmp_path: Path) -> None:
    """Latency: an idle log waits for the disk once and for no timer."""
    disk = FaultyDisk()
    with open_log(tmp_path, disk) as log:
        for expected in range(1, 6):
            before = disk.syncs["journal"]
            log.append(b"entry")
            assert disk.syncs["journal"] - before == 1, expected


def test_appends_that_arrive_during_a_sync_share_the_next(tmp_path: Path) -> None:
    """Throughput: many callers, few syncs."""
    disk = FaultyDisk()
    started, release = threading.Event(), threading.Event()

    def slow(operation: str, path: Path) -> None:
        if operation == "sync" and path.parent.name == "journal" and log.size == 0:
            started.set()
            release.wait()

    with open_log(tmp_path, disk) as log:
        before = disk.syncs["journal"]
        disk.fault = slow
        first = log.submit(b"first")
        started.wait()
        with ThreadPoolExecutor(64) as pool:
            others: list[Future[Future[Receipt]]] = [
                pool.submit(log.submit, str(number).encode()) for number in range(64)
            ]
            waiting = [other.result() for other in others]
        release.set()
        receipts = [first.result(), *(future.result() for future in waiting)]
        assert disk.syncs["journal"] - before == 2
    assert sorted(receipt.index for receipt in receipts) == list(range(65))
    for receipt in receipts:
        verify_receipt(receipt.entry, receipt.proof, SIGNER.vkey)


def test_nothing_is_signed_before_the_journal_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint over what a crash takes back would be a fork."""
    events: list[str] = []
    disk = FaultyDisk()
    sign = Signer.sign

    def recording(signer: Signer, text: bytes) -> bytes:
        events.append("sign")
        return sign(signer, text)

    with open_log(tmp_path, disk) as log:
        monkeypatch.setattr(Signer, "sign", recording)
        disk.fault = lambda operation, path: (
            events.append(operation) if path.parent.name == "journal" else None
        )
        log.append(b"entry")
        assert events == ["write", "sync", "sign"]


def test_checkpoints_of_receipts_extend_one_another(tmp_path: Path) -> None:
    """Every caller sees a prefix of one history, whatever ran at the same time."""
    with open_log(tmp_path, publish_every=0) as log, ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(log.append, [str(number).encode() for number in range(400)]))
    entries = entries_of(tmp_path)
    tree = Tree()
    for entry in entries:
        tree.append(leaf_hash(entry))
    heads = {
        (head.size, head.root)
        for head in (
            open_checkpoint(TlogProof.parse(receipt.proof).checkpoint, VERIFIER)
            for receipt in receipts
        )
    }
    last = open_checkpoint((tmp_path / "public/checkpoint").read_text(), VERIFIER)
    for size, root in heads:
        proof = consistency_proof(size, last.size, tree.node)
        check_consistency(size, last.size, proof, root, last.root)
    assert sorted(receipt.index for receipt in receipts) == list(range(400))
    assert all(entries[receipt.index] == receipt.entry for receipt in receipts)


def test_an_entry_of_65_535_bytes_fits_and_a_longer_one_does_not(tmp_path: Path) -> None:
    """The bundle's 16-bit prefix says no more; the log goes on after the refusal."""
    with open_log(tmp_path) as log:
        with pytest.raises(EvidenceError, match="longer than 65535 bytes"):
            log.append(bytes(LONGEST_ENTRY + 1))
        assert log.append(bytes(LONGEST_ENTRY)).index == 0
    assert entries_of(tmp_path) == [bytes(LONGEST_ENTRY)]


def test_a_second_opener_gets_one_clear_sentence(tmp_path: Path) -> None:
    """Two writers would fork the log."""
    with open_log(tmp_path):
        with pytest.raises(EvidenceError, match="another process has this log open"):
            open_log(tmp_path)
        with pytest.raises(EvidenceError, match="another process has this log open"):
            Log.open(tmp_path / "public", tmp_path / "other", SIGNER)
    open_log(tmp_path).close()


def test_a_second_process_is_refused_too(tmp_path: Path) -> None:
    """The lock is the system's, not the interpreter's."""
    SIGNER.save(tmp_path / "key")
    script = (
        "import sys; from pathlib import Path; from landbridge.evidence import Log, Signer\n"
        "place = Path(sys.argv[1])\n"
        "Log.open(place / 'public', place / 'state', Signer.load(place / 'key'))\n"
    )
    with open_log(tmp_path):
        ran = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert "another process has this log open" in ran.stderr


def test_another_log_s_key_is_refused(tmp_path: Path) -> None:
    """A log has one signer for life."""
    open_log(tmp_path).close()
    with pytest.raises(EvidenceError, match="not the verifier key that was expected"):
        Log.open(tmp_path / "public", tmp_path / "state", Signer.create(SIGNER.name))


def test_a_closed_log_takes_nothing_and_closes_twice(tmp_path: Path) -> None:
    """Shutting down is an answer, not a crash."""
    log = open_log(tmp_path)
    log.append(b"entry")
    log.close()
    log.close()
    with pytest.raises(LandbridgeError, match="SHUTTING_DOWN"):
        log.append(b"late")
    assert entries_of(tmp_path) == [b"entry"]


def test_closing_answers_everybody_who_waits(tmp_path: Path) -> None:
    """An entry that was accepted gets its receipt even while the log shuts down."""
    log = open_log(tmp_path)
    waiting = [log.submit(str(number).encode()) for number in range(3000)]
    log.close()
    assert [future.result(timeout=0).index for future in waiting] == list(range(3000))
    assert len(entries_of(tmp_path)) == 3000


def test_a_waiting_receipt_cannot_be_cancelled(tmp_path: Path) -> None:
    """A caller who goes away does not take the entry along."""
    with open_log(tmp_path) as log:
        future = log.submit(b"entry")
        assert not future.cancel()
        assert future.result().index == 0


def test_the_journal_lets_go_of_what_is_published(tmp_path: Path) -> None:
    """The state folder does not grow with the log."""
    with open_log(tmp_path, publish_every=0, segment_size=2000) as log:
        for number in range(300):
            for future in [log.submit(bytes(100)) for _ in range(5)]:
                future.result()
            assert log.size == 5 * (number + 1)
            # How far the publisher is depends on the machine; that it drops what it did does not.
            while log._published < log.size:
                time.sleep(0.001)
    # Once it is closed: the publisher removes files while it runs.
    held = sum(path.stat().st_size for path in (tmp_path / "state/journal").iterdir())
    assert held < 1500 * 100
    with open_log(tmp_path, segment_size=2000) as log:
        assert log.size == 1500
    assert entries_of(tmp_path) == [bytes(100)] * 1500


def test_memory_holds_the_unpublished_part_alone(tmp_path: Path) -> None:
    """A gateway that runs for a year must not hold a year's entries."""
    with open_log(tmp_path) as log:
        for future in [log.submit(bytes(50)) for _ in range(3000)]:
            future.result()
        log.close()
        assert len(log._tail) == 3000 % 256
        assert sum(len(row) for row in log._tree._levels) < 3 * 256


def test_the_journal_belongs_to_one_log(tmp_path: Path) -> None:
    """A state folder that was copied to another log must not feed it."""
    open_log(tmp_path).close()
    (tmp_path / "public").rename(tmp_path / "old")
    with pytest.raises(EvidenceError, match="a log with another key"):
        Log.open(tmp_path / "public", tmp_path / "state", Signer.create("nyc.example/other"))
