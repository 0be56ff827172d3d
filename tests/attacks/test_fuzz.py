"""Requests that no client of ours would send, to every method of both servers."""

from __future__ import annotations

import os

import pytest

from tests.attacks.conftest import Worlds
from tests.attacks.messages import fuzz

pytestmark = pytest.mark.journey

SEED = int(os.environ.get("LANDBRIDGE_SEED", "20261127"))
EACH = 6


def test_no_message_is_more_than_a_status_of_the_catalogue(worlds: Worlds) -> None:
    """No fault, no bare status, no trace of a stack: and the processes are the same afterwards."""
    world = worlds[2]
    found = fuzz(world, SEED, EACH)
    assert not found.wrong, found.wrong[:5]
    # Not vacuous: requests come as far as answers, and to many a refusal.
    assert found.ends["OK"] > 10
    assert len(found.ends) > 12, found.ends
    assert world.ask("SELECT count(*) FROM people", "honest").code == "OK"
