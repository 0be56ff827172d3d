"""A call takes a seat when its caller is known, one, and leaves it when its entry is written."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from landbridge.edge.calls import OF_CALLER, Calls
from landbridge.edge.seats import NOBODY, Who
from landbridge.errors import LandbridgeError
from landbridge.identity.caller import Caller
from landbridge.levels import Level

ALICE = Caller("alice", "x", "client", Level.OPEN, frozenset(), "t1", 2e9, "")


def test_one_call_has_one_seat_however_often_it_says_who_asks() -> None:
    """A request within a request must not wait for itself."""
    calls = Calls(1)
    with calls.begun(lambda: 1.0, lambda: True):
        with calls.seat() as seat, calls.seat() as inner:
            assert calls.who is NOBODY
            seat.take(ALICE)
            seat.take(ALICE)
            inner.take(ALICE)
            assert calls.who == Who("x", "alice")
            assert calls._seats._taken == 1
        assert calls.who is NOBODY
        assert not calls._seats._taken


def test_what_no_call_began_takes_no_seat() -> None:
    """A watch is evaluated, whatever its owner does at the door meanwhile."""
    calls = Calls(1)
    with calls.seat() as seat:
        seat.take(ALICE)
        assert not calls._seats._taken
        assert calls.who is NOBODY


def test_who_left_while_they_waited_is_not_worked_for() -> None:
    """A stream that is reset at once costs no engine: nothing begins, and the seat is free."""
    calls = Calls(1)
    with (
        calls.begun(lambda: 1.0, lambda: False),
        pytest.raises(LandbridgeError, match="DEADLINE"),
        calls.seat() as seat,
    ):
        seat.take(ALICE)
    assert not calls._seats._taken


def test_a_thread_is_left_for_others_whatever_one_caller_sends() -> None:
    """One organisation's requests, waiting or running, are fewer than the server's threads."""
    calls = Calls(2)
    ends: list[str] = []
    with ExitStack() as held:

        def come() -> None:
            try:
                with calls.begun(lambda: 0.3, lambda: True), calls.seat() as seat:
                    seat.take(ALICE)
                    ends.append("seated")
            except LandbridgeError as refusal:
                ends.append(refusal.reason)

        for _ in range(2):  # the open seats
            held.enter_context(calls._seats.taken(Who("x", "alice"), 0))
        threads = [threading.Thread(target=come) for _ in range(calls.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ends.count("TOO_MANY_AT_ONCE") >= calls.threads - (OF_CALLER * 2 - 2)
    assert set(ends) == {"TOO_MANY_AT_ONCE", "DEADLINE"}
