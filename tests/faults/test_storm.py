"""Processes are killed while callers ask; afterwards everything that must hold does."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from landbridge.federation.running import Federation
from tests.faults import town
from tests.faults.nursery import Nursery
from tests.faults.storm import Storm

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("LANDBRIDGE_KILLS", "6"))
SEED = int(os.environ.get("LANDBRIDGE_SEED", "0")) or secrets.randbelow(1 << 32)


def test_nothing_that_must_hold_breaks_whoever_is_killed_when(
    tmp_path: Path, nursery: Nursery
) -> None:
    """Kill -9 of gateway and nodes, in recovery too; LANDBRIDGE_SEED=... plays it again."""
    print(f"LANDBRIDGE_SEED={SEED}")  # noqa: T201 - shown when it fails
    folder, state = town.write(tmp_path / "town"), tmp_path / "state"
    with Federation.up(folder, state=state, spawn=nursery.spawn) as running:
        town.fix_port(running)
        storm = Storm(running, SEED)
        storm.blow(KILLS)
        assert storm.findings() == []
        assert storm.kills.total() >= KILLS
