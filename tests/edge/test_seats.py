"""However many wait, the next to go on is somebody who has little; who has too many is told so."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.edge.seats import Most, Seats, Who
from landbridge.errors import LandbridgeError

WHO = st.builds(Who, st.sampled_from("xyz"), st.sampled_from("abc"))
STEPS = st.lists(st.tuples(WHO, st.integers(0, 5)), max_size=60)


@given(STEPS, st.integers(1, 4), st.integers(1, 2))
def test_seats_are_kept_for_whoever_has_none(
    steps: list[tuple[Who, int]], seats: int, kept: int
) -> None:
    """Every coming and going: alone one has all open seats; a newcomer sits beside any crowd."""
    place = Seats(seats, kept)
    sitting: list[tuple[Who, ExitStack]] = []
    for who, step in steps:
        if step == 0 and sitting:
            sitting.pop()[1].close()
            continue
        callers = Counter(each for each, _ in sitting)
        organisations = Counter(each.organisation for each, _ in sitting)
        wanted = (
            len(sitting) < seats
            or (len(sitting) < seats + kept and not callers[who])
            or (len(sitting) < place.all and not organisations[who.organisation])
        )
        held = ExitStack()
        if wanted:
            held.enter_context(place.taken(who, 0))
            sitting.append((who, held))
        else:
            with pytest.raises(LandbridgeError, match="DEADLINE"):
                held.enter_context(place.taken(who, 0))
        assert len(sitting) <= place.all
    for _, held in sitting:
        held.close()
    # Nothing is kept of anybody who left.
    assert not place._here
    assert not place._sitting
    assert not place._taken


def test_whoever_holds_least_is_seated_next() -> None:
    """A caller with a hundred waiting requests does not stand before a colleague's first one."""
    place = Seats(2, 0)
    crowd, colleague, other = Who("x", "a"), Who("x", "b"), Who("y", "c")
    order: list[Who] = []

    def come(who: Who) -> threading.Thread:
        def sit() -> None:
            with place.taken(who, 60):
                order.append(who)

        before = len(place._waiting)
        thread = threading.Thread(target=sit)
        thread.start()
        while len(place._waiting) == before:
            time.sleep(0.001)
        return thread

    with place.taken(crowd, 0):
        with place.taken(crowd, 0):
            threads = [come(each) for each in (crowd, crowd, colleague, other)]
        # One seat is free now, and goes from one to the next.
        for thread in threads:
            thread.join()
    assert order == [other, colleague, crowd, crowd]


def test_who_has_too_many_here_is_told_and_others_are_not() -> None:
    """A cap for a caller, and one for an organisation: waiting costs a thread of the server."""
    place = Seats(1, 1, Most(caller=2, organisation=3))
    with ExitStack() as held:
        held.enter_context(place.taken(Who("x", "a"), 0))
        waiting = threading.Thread(
            target=lambda: held.enter_context(place.taken(Who("x", "a"), 60)), daemon=True
        )
        waiting.start()
        while not place._waiting:
            time.sleep(0.001)
        with (
            pytest.raises(LandbridgeError, match="TOO_MANY_AT_ONCE"),
            place.taken(Who("x", "a"), 0),
        ):
            pass
        held.enter_context(place.taken(Who("x", "b"), 0))
        with (
            pytest.raises(LandbridgeError, match="TOO_MANY_AT_ONCE"),
            place.taken(Who("x", "c"), 0),
        ):
            pass
        with place.taken(Who("y", "a"), 0):
            pass  # it is nobody's fault but theirs
    waiting.join()


def test_no_seat_is_lost_among_threads() -> None:
    """Those who gave up in the very moment that they were seated leave their seat behind."""
    place = Seats(2, 1)
    most = 0
    now: list[int] = []
    ends: Counter[str] = Counter()
    lock = threading.Lock()

    def go(number: int) -> None:
        nonlocal most
        for turn in range(100):
            try:
                with place.taken(Who(str(number % 3), str(number)), 0.0005 * (turn % 3)):
                    with lock:
                        now.append(number)
                        most = max(most, len(now))
                    with lock:
                        now.remove(number)
            except LandbridgeError as refusal:
                with lock:
                    ends[refusal.reason] += 1

    threads = [threading.Thread(target=go, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= place.all
    assert set(ends) <= {"DEADLINE"}
    assert not place._taken
    assert not place._here
