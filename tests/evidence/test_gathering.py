"""Where many requests are under way they share a sync; where few are, nobody waits for anybody.

The time for which the log waits is set so long here that a log which waits in vain would hang.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from landbridge.edge.record import Recorder
from landbridge.errors import Unavailable
from landbridge.evidence import Log, Signer, SubjectKey
from landbridge.evidence import log as log_module
from landbridge.evidence.gathering import LINGER_SECONDS, SIBLINGS
from tests.evidence.faulty_disk import FaultyDisk

FOR_EVER = 3_600.0


@pytest.fixture
def disk() -> FaultyDisk:
    """A disk that counts its syncs."""
    return FaultyDisk()


@pytest.fixture
def log(tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch) -> Log:
    """A log that would wait for ever."""
    monkeypatch.setattr(log_module, "LINGER_SECONDS", FOR_EVER)
    signer = Signer.create("nyc.example/gateway")
    return Log.open(tmp_path / "public", tmp_path / "state", signer, disk=disk, publish_every=1e6)


def recorder(log: Log) -> Recorder:
    """A recorder over it."""
    return Recorder(log, SubjectKey.create(), "ab" * 32, time.time)


def test_a_lone_request_waits_for_nobody(log: Log) -> None:
    """One caller pays one sync and no delay."""
    recording = recorder(log)
    for _ in range(3):
        with recording.request("query") as draft:
            draft.answered(b"42")
    log.close()


def test_few_requests_wait_for_nobody(log: Log) -> None:
    """One that takes minutes must not hold up the few others."""
    with ExitStack() as others:
        for _ in range(SIBLINGS - 1):
            others.enter_context(log.coming)
        with recorder(log).request("query") as draft:
            draft.answered(b"42")
    log.close()


def test_many_requests_share_one_sync_when_all_have_come(log: Log, disk: FaultyDisk) -> None:
    """The last to come ends the waiting, and each has its own entry and receipt."""
    before = disk.syncs["journal"]
    written = threading.Event()
    disk.fault = lambda operation, _: written.set() if operation == "write" else None
    with ExitStack() as coming, ExitStack() as gone:
        for _ in range(6):
            coming.enter_context(log.coming)
        for _ in range(10 * SIBLINGS):
            gone.enter_context(log.coming)
        entries = [log.submit(b"%d" % number) for number in range(5)]
        assert not written.wait(0.2)
        gone.close()
        entries.append(log.submit(b"the last"))
        assert [entry.result().index for entry in entries] == list(range(6))
    assert disk.syncs["journal"] - before == 1
    log.close()


def test_requests_at_once_are_all_counted_and_all_answered(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes when few are left is not waited for, and nobody is forgotten.

    Who was told leaves the count a moment later, of which the log hears when its own time is over.
    """
    monkeypatch.setattr(log_module, "LINGER_SECONDS", LINGER_SECONDS)
    number = 3 * SIBLINGS
    begun = threading.Barrier(number)
    recording = recorder(log)

    def ask(_: int) -> int:
        with recording.request("query") as draft:
            begun.wait()
            return draft.answered(b"42").receipt.index

    with ThreadPoolExecutor(number) as callers:
        assert sorted(callers.map(ask, range(number))) == list(range(number))
    assert log.coming.count == 0
    log.close()


def test_a_request_that_fails_is_not_waited_for(log: Log) -> None:
    """Whatever ends a request takes it off the count."""
    recording = recorder(log)
    for _ in range(SIBLINGS + 1):
        with pytest.raises(ValueError, match="defect"), recording.request("query"):
            raise ValueError("defect")
    assert log.coming.count == 0
    log.close()


def test_waiting_ends_with_the_log(log: Log) -> None:
    """A server that stops does not wait for requests that never come."""
    with ExitStack() as others:
        for _ in range(SIBLINGS + 1):
            others.enter_context(log.coming)
        entry = log.submit(b"entry")
        assert not entry.done()
        log.close()
        assert entry.result().index == 0
    with pytest.raises(Unavailable):
        log.append(b"late")
