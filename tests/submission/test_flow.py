"""The gateway's memory is bounded by counting, and one caller's haste is their own."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest

from gateway.flow import BURST, STREAMS_PER_CALLER, Credits, Paces, Places
from landbridge.errors import Unavailable


def test_a_slow_department_holds_its_sender_back() -> None:
    """No more is under way than the limit, however much the sender has; then it waits."""
    held = Credits(limit=1_000)
    sent: list[int] = []

    def send() -> None:
        for _ in range(50):
            if not held.take(300):
                return
            sent.append(300)

    sender = threading.Thread(target=send)
    sender.start()
    for done in range(1, 11):
        for _ in range(10_000):
            if len(sent) >= done + 2:
                break
            time.sleep(0.001)
        assert len(sent) == done + 2  # three are under way, and not a fourth
        assert sum(sent) - (done - 1) * 300 <= 1_000
        held.give_back(300)
    held.end()
    sender.join(10)
    assert not sender.is_alive()
    assert held.most <= 1_000


def test_a_batch_larger_than_the_limit_goes_alone() -> None:
    """It would wait for ever otherwise."""
    held = Credits(limit=10)
    assert held.take(100)
    assert held.most == 100


def test_a_caller_in_haste_waits_and_nobody_else_does() -> None:
    """After what may be sent at once, as long as it takes at the caller's rate."""
    now = [0.0]
    paces = Paces(lambda: now[0], bytes_per_second=100, batches_per_second=10)
    for _ in range(int(10 * BURST)):
        assert paces.delay(("o", "fast"), 1) == 0
    assert paces.delay(("o", "fast"), 1) == pytest.approx(0.1)
    assert paces.delay(("o", "other"), 1) == 0
    assert paces.delay(("o", "large"), 500) == pytest.approx(3.0)
    now[0] = 10.0
    assert paces.delay(("o", "fast"), 1) == 0


def test_streams_are_places_that_run_out() -> None:
    """Per caller, per department, and in all: questions keep their threads."""
    paces = Paces(lambda: 0.0)
    with ExitStack() as open_ones:
        for _ in range(STREAMS_PER_CALLER):
            open_ones.enter_context(paces.stream(("o", "a")))
        with pytest.raises(Unavailable, match="TOO_BUSY"):
            open_ones.enter_context(paces.stream(("o", "a")))
        open_ones.enter_context(paces.stream(("o", "b")))
    with paces.stream(("o", "a")):
        pass
    places = Places(whole=3, department=2)
    held = [places.place("slow"), places.place("slow")]
    for each in held:
        each.__enter__()
    with pytest.raises(Unavailable, match="TOO_BUSY"):
        places.place("slow").__enter__()
    with places.place("quick"), pytest.raises(Unavailable, match="TOO_BUSY"):
        places.place("third").__enter__()
    held[0].__exit__(None, None, None)
    with places.place("slow"):
        pass
