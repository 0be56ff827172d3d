"""Reports that wait: on a device until they can be sent, at departments until collected."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from landbridge.census.outbox import CensusOutbox
from landbridge.errors import LandbridgeError, error
from nodes.census_store import Arrived, CensusStore, Settled
from tests.census.conftest import Make
from tests.census.world import MINIMUM, OWNER, SECOND


def silent(_: Any) -> None:
    """A department that is not there."""
    raise error("SHUTTING_DOWN")


@pytest.mark.parametrize("away", [OWNER, SECOND])
def test_a_device_without_a_connection_keeps_its_shares(
    make: Make, tmp_path: Path, away: str
) -> None:
    """One department is away: everything waits, sealed; later it all counts, once."""
    world, queue = make(), tmp_path / "queue"
    assert world.contribute("persons", 9, 9, queue=queue).reasons == ("", "")
    world.nodes[away].before = silent
    kept = world.contribute("persons", *[9] * MINIMUM, queue=queue)
    assert (kept.reasons, kept.waiting) == ((), MINIMUM)
    assert queue.stat().st_mode & 0o777 == 0o600
    world.nodes[away].before = None
    sent = world.contribute("persons", queue=queue)
    assert (sent.reasons, sent.waiting) == (("",) * MINIMUM, 0)
    assert world.collect("persons").rows()[0][:2] == (MINIMUM + 2, 9 * (MINIMUM + 2))


def test_nothing_on_the_device_tells_a_value(make: Make, tmp_path: Path) -> None:
    """Only whoever has a department's key can open a share, and one share is noise."""
    world, queue = make(), tmp_path / "queue"
    world.contribute("heating", "gas", queue=queue)
    world.nodes[OWNER].before = silent
    world.contribute("heating", "wood", queue=queue)
    with sqlite3.connect(queue) as file:
        ((report,),) = file.execute("SELECT report FROM waiting").fetchall()
    file.close()
    assert b"wood" not in report
    with pytest.raises(LandbridgeError, match="queue"):
        CensusOutbox(tmp_path)  # a folder


def test_a_first_time_without_a_connection_is_said(make: Make, tmp_path: Path) -> None:
    """Nobody has told this device whom to seal to, so nothing can wait."""
    world = make()
    world.nodes[OWNER].before = silent
    with pytest.raises(LandbridgeError) as failed:
        world.contribute("persons", 3, queue=tmp_path / "queue")
    assert failed.value.status == "UNAVAILABLE"


def test_a_report_that_is_final_leaves_the_queue_and_takes_no_other_with_it(
    make: Make, tmp_path: Path
) -> None:
    """One that opens nowhere is refused by itself; what stands behind it goes on."""
    world, queue = make(), tmp_path / "queue"
    world.contribute("persons", 1, queue=queue)
    outbox = CensusOutbox(queue)
    (spoilt,) = world.split("persons").reports([5])
    spoilt.owner_share = spoilt.owner_share[:-1] + bytes([spoilt.owner_share[-1] ^ 1])
    outbox.put("household", "persons", [spoilt])
    outbox.close()
    sent = world.contribute("persons", 2, queue=queue)
    assert (sent.reasons, sent.waiting) == (("REPORT_UNREADABLE", ""), 0)


def test_a_department_that_is_full_says_so_and_the_report_waits(make: Make, tmp_path: Path) -> None:
    """Nobody collects: the disk is not filled, what was kept stays; collecting makes room."""
    world, queue = make(), tmp_path / "queue"
    for name in (OWNER, SECOND):
        world.nodes[name].census._most = MINIMUM  # the stores' own bound, a million
    assert world.contribute("persons", *[9] * MINIMUM, queue=queue).accepted == MINIMUM
    full = world.contribute("persons", 3, queue=queue)
    assert (full.reasons, full.waiting) == (("REPORTS_FULL",), 1)
    assert world.contribute("heating", "gas").reasons == ("",)  # another measurement has its own
    assert world.collect("persons").rows()[0][:2] == (MINIMUM, 9 * MINIMUM)
    later = world.contribute("persons", queue=queue)
    assert (later.reasons, later.waiting) == (("",), 0)


def test_what_was_refused_takes_no_room(tmp_path: Path) -> None:
    """A flood of invalid reports could shut everybody out until the next collection otherwise."""
    store = CensusStore(tmp_path / "census.sqlite", lambda: 1e9, most=3)
    task = bytes(32)

    def arrived(number: int) -> Arrived:
        return Arrived(number.to_bytes(16, "big"), b"", b"share")

    assert store.keep(task, "a", 0, [arrived(n) for n in range(4)]) == ["", "", "", "REPORTS_FULL"]
    store.settle(task, [Settled(arrived(0).id, b"", "REPORT_INVALID")])
    assert store.keep(task, "a", 0, [arrived(3), arrived(1), arrived(4)]) == [
        "", "", "REPORTS_FULL",
    ]  # fmt: skip
    store.close()
