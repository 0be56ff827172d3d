"""Several processes of one gateway: dealt out to, kept alive, ended together, each with its log."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

import landbridge
import landbridge.testing
from gateway.settings import read
from landbridge.edge.settings import SettingsInvalid
from landbridge.edge.state import log_signer
from landbridge.evidence.audit import verify_folder
from landbridge.federation.running import Federation
from tests.operating.town import PURPOSE, write

CALLERS = 24
"""All of them at one of two workers by chance: once in 2^23 runs, by either."""


@pytest.mark.journey
def test_two_workers_share_callers_and_one_that_is_killed_comes_back(tmp_path: Path) -> None:
    """Nobody starts the second one by hand; what each has answered is in its own verified log."""
    town = write(tmp_path / "town")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_GATEWAY__WORKERS", "2")
        with landbridge.testing.federation(town, state=tmp_path / "state") as running:
            parent = running.process_id()
            state = running.state / "gateway"
            first, second = _children(parent)
            assert _answered(running, CALLERS) == CALLERS
            os.kill(second, signal.SIGKILL)
            logs = {"first": running.log(), "second": state / "workers" / "2" / "log"}
            while _kinds(logs["second"])["start"] < 2:
                time.sleep(0.2)
            now = _children(parent)
            assert len(now) == 2
            assert first in now
            assert _answered(running, CALLERS, 100) == CALLERS
        # Both have ended by now, in order: everything is published.
        assert not any(Path(f"/proc/{pid}").exists() for pid in now)
        kinds = {name: _kinds(log) for name, log in logs.items()}
        assert sum(found["query"] for found in kinds.values()) == 2 * CALLERS
        assert all(found["query"] for found in kinds.values())
        assert kinds["second"]["start"] == 2
        assert kinds["first"]["stop"] == kinds["second"]["stop"] == 1
        own = log_signer(state / "workers" / "2", "").vkey
        assert "/gateway/worker2+" in own


def test_what_cannot_be_shared_is_said_before_anything_starts(tmp_path: Path) -> None:
    """A port that the system chooses is each one's own; a replica is one process."""
    file = tmp_path / "gateway.toml"
    file.write_text('replica = "second"\nworkers = 2\nlisten_flight = "127.0.0.1:0"\n')
    with pytest.raises(SettingsInvalid) as invalid:
        read(file)
    assert "listen_flight need a port" in str(invalid.value)
    assert "a replica is one process" in str(invalid.value)


def _kinds(log: Path) -> Counter[str]:
    """What a published log holds, verified."""
    return Counter(json.loads(entry)["kind"] for _, entry in verify_folder(log).entries())


def _children(parent: int) -> list[int]:
    """The workers that are up, the first one first: it alone is no replica."""
    found = []
    for thread in Path(f"/proc/{parent}/task").iterdir():
        found += [int(each) for each in (thread / "children").read_text().split()]
    # Not by their numbers, which begin again at the system's largest.
    return sorted(found, key=lambda pid: b"REPLICA=" in Path(f"/proc/{pid}/environ").read_bytes())


def _answered(running: Federation, callers: int, beyond: int = 0) -> int:
    """So many callers, each with a connection of its own and a question of its own."""
    count = 0
    for number in range(callers):
        with landbridge.connect(
            running.address, token=running.token("planner"), ca=running.ca
        ) as client:
            sql = f"SELECT count(*) AS n FROM loans WHERE days < {beyond + number + 1}"
            count += len(client.query(sql, purpose=PURPOSE, epsilon=0.5).rows())
    return count
