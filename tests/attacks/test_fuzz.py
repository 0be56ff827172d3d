"""Requests that no client of ours would send, to every method of all servers, sockets included."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.attacks.conftest import Worlds
from tests.attacks.messages import GATEWAY, NODE, OFFICERS, fuzz

pytestmark = pytest.mark.journey

SEED = int(os.environ.get("LANDBRIDGE_SEED", "20261127"))
EACH = 6


def test_no_service_is_left_out() -> None:
    """One that is added has to be named, or it would never get what it should not."""
    protos = Path(__file__).parents[2] / "proto" / "landbridge" / "v1"
    there = {
        name
        for proto in protos.glob("*.proto")
        for name in re.findall(r"^service (\w+)", proto.read_text("utf-8"), re.MULTILINE)
    }
    named = [
        *(name for side in (GATEWAY, NODE, OFFICERS) for names in side.values() for name in names),
    ]
    assert set(named) == there
    assert len(named) == len(there)


def test_no_message_is_more_than_a_status_of_the_catalogue(worlds: Worlds) -> None:
    """No fault, no bare status, no trace of a stack: and the processes are the same afterwards."""
    world = worlds[2]
    found = fuzz(world, SEED, EACH)
    assert not found.wrong, found.wrong[:5]
    # Not vacuous: requests come as far as answers, and to many a refusal.
    assert found.ends["OK"] > 10
    assert len(found.ends) > 12, found.ends
    assert world.ask("SELECT count(*) FROM people", "honest").code == "OK"
