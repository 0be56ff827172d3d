"""One at a time per key, and nobody waits longer than they said."""

from __future__ import annotations

import threading

import pytest

from landbridge.edge.turns import Turns
from landbridge.errors import DeadlineExceeded


def test_who_waits_too_long_is_told_and_holds_nobody_up() -> None:
    """A slow question must not use up the time of everybody who asks the same."""
    turns = Turns()
    with (
        turns.turn(b"a"),
        turns.turn(b"b", 0),
        pytest.raises(DeadlineExceeded),
        turns.turn(b"a", 0.01),
    ):
        raise AssertionError("two had the same turn")
    with turns.turn(b"a", 0):
        pass
    assert not turns._held


def test_one_after_the_other() -> None:
    """Eight threads, one counter without a lock of its own."""
    turns, inside, most = Turns(), [], []

    def enter() -> None:
        for _ in range(200):
            with turns.turn(b"a", 60):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) == 1_600
