"""A log that may have been put back signs nothing new before its witness has come once."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from landbridge.edge.first_look import FirstLook
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, Unavailable
from landbridge.evidence import Entry, Log, Signer, SubjectKey
from landbridge.evidence.cosignature import Cosigner, WitnessKey
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness_memory import Reply, Witness
from tests.evidence.faulty_disk import FaultyDisk

SIGNER = Signer.create("town/library")
COSIGNER = Cosigner.create("town/gateway/witness")


def opened(place: Path) -> tuple[Log, Oversight]:
    """The log, before a witness that comes by itself."""
    key = WitnessKey.parse(COSIGNER.vkey)
    oversight = Oversight(Verifier.parse(SIGNER.vkey), {key: None}, tell=lambda _: None)
    log = Log.open(
        place / "public", place / "state", SIGNER, disk=FaultyDisk(), oversight=oversight,
        publish_every=0.001,
    )  # fmt: skip
    return log, oversight


def visit(log: Log, witness: Witness) -> None:
    """The gateway's round, once everything is published."""
    while log._published < log.size:
        time.sleep(0.001)
    reply: Reply | None = None
    while body := log.next_request("town/gateway/witness", reply):
        reply = witness.add_checkpoint(body)


def held(log: Log, oversight: Oversight, seconds: float = 10.0) -> tuple[Recorder, FirstLook]:
    """A server's recorder, whose start waits for the look."""
    look = FirstLook()
    recorder = Recorder(log, SubjectKey.create(), "ab" * 32, time.time, first_look=look)

    def begin() -> None:
        with suppress(Unavailable):
            recorder.starting().event("start", program="p", digests={"a": "b"})

    look.begin(begin, oversight.looked, seconds)
    return recorder, look


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """The gateway's memory of the log."""
    key = Verifier.parse(SIGNER.vkey)
    return Witness.open(tmp_path / "witness", COSIGNER, [key], clock=time.time, disk=FaultyDisk())


def test_a_log_that_was_put_back_is_stopped_before_it_signs_anything(
    tmp_path: Path, witness: Witness
) -> None:
    """The start itself would be the fork: one index, two entries, both under its own signature."""
    log, _ = opened(tmp_path / "live")
    log.append(Entry(kind="stop", time="2026-01-01T00:00:00.000000Z").to_bytes())
    log.close()
    shutil.copytree(tmp_path / "live", tmp_path / "yesterday")
    log, _ = opened(tmp_path / "live")
    log.append(Entry(kind="stop", time="2026-01-02T00:00:00.000000Z").to_bytes())
    visit(log, witness)
    log.close()
    log, oversight = opened(tmp_path / "yesterday")
    before = log.checkpoint()
    recorder, look = held(log, oversight)
    refusals: list[str] = []

    def ask() -> None:
        try:
            recorder.event("stop")
        except LandbridgeError as refused:
            refusals.append(refused.reason)

    asking = threading.Thread(target=ask)
    asking.start()
    visit(log, witness)
    asking.join()
    assert refusals == ["LOG_CONTRADICTED"]
    assert log.checkpoint() == before
    look.end()
    log.close()


def test_an_honest_log_begins_with_its_witness_and_keeps_the_order(
    tmp_path: Path, witness: Witness
) -> None:
    """What was asked meanwhile is answered after the start, not before it and not never."""
    log, oversight = opened(tmp_path / "live")
    recorder, look = held(log, oversight)
    asking = threading.Thread(target=lambda: recorder.event("stop"))
    asking.start()
    assert log.size == 0
    visit(log, witness)
    asking.join()
    assert look.end()
    log.close()
    assert log.size == 2


def test_a_witness_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """With quorum 0 a department whose gateway is away still serves."""
    log, oversight = opened(tmp_path / "live")
    recorder, _ = held(log, oversight, seconds=0.2)
    recorder.event("stop")
    log.close()
    assert log.size == 2


def test_a_server_that_ends_before_it_began_leaves_nothing(tmp_path: Path) -> None:
    """Neither a start nor a stop; who waited is told that it ends."""
    log, oversight = opened(tmp_path / "live")
    recorder, look = held(log, oversight)
    reasons: list[str] = []

    def ask() -> None:
        try:
            recorder.event("stop")
        except LandbridgeError as refused:
            reasons.append(refused.reason)

    asking = threading.Thread(target=ask)
    asking.start()
    assert not look.end()
    asking.join()
    log.close()
    assert (reasons, log.size) == (["SHUTTING_DOWN"], 0)
