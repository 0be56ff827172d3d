"""Members are looked at again as soon as one of them may be waiting for it, and else in peace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway import refreshing
from gateway.departments import Departments
from gateway.refreshing import Now, Refreshing

LONG = 60.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "REST_SECONDS", 0.001)
    monkeypatch.setattr(refreshing, "LATE_SECONDS", 0.001)
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", LONG)


class Looks:
    """Counts rounds, of which the first so many get through to nobody."""

    def __init__(self, lost: int = 0) -> None:
        self._lost = lost
        self.count = 0
        self.came = threading.Semaphore(0)

    def look(self, _: Now) -> bool:
        """One round."""
        self.count += 1
        self.came.release()
        return self.count > self._lost

    def came_within(self, rounds: int, seconds: float = 20.0) -> bool:
        """Whether so many more came."""
        return all(self.came.acquire(timeout=seconds) for _ in range(rounds))


@contextmanager
def going(
    looks: Looks, *, settled: bool, overdue: Callable[[float, set[object]], bool]
) -> Iterator[Refreshing]:
    """Rounds for the block."""
    found = Refreshing(looks.look, overdue, _defect, name="test", settled=settled)
    try:
        yield found
    finally:
        found.close()


def _defect(failure: BaseException) -> None:
    raise failure


def _nobody(_seconds: float, _seen: set[object]) -> bool:
    return False


def test_a_round_that_got_through_to_everybody_is_followed_by_none_for_a_while() -> None:
    """Nor is there one at once where everybody was heard just before."""
    looks = Looks()
    with going(looks, settled=True, overdue=_nobody):
        assert not looks.came_within(1, seconds=0.2)


def test_a_round_that_did_not_is_followed_by_others_until_one_does() -> None:
    """A node whose log could not be looked at lets everybody wait, and nobody says so."""
    looks = Looks(lost=5)
    with going(looks, settled=False, overdue=_nobody):
        assert looks.came_within(6)
        assert not looks.came_within(1, seconds=0.2)


def test_a_member_that_stays_away_is_not_looked_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until somebody asks it."""
    monkeypatch.setattr(refreshing, "SOON_ROUNDS", 3)
    looks = Looks(lost=1_000)
    with going(looks, settled=False, overdue=_nobody) as rounds:
        assert looks.came_within(3)
        assert not looks.came_within(1, seconds=0.2)
        rounds.wake()
        assert looks.came_within(1 + 3)
        assert not looks.came_within(1, seconds=0.2)


def test_a_question_that_waits_is_a_reason_to_look_once() -> None:
    """It may be a long one, too."""
    departments = Departments((), lambda _: pytest.fail("nobody is connected to"), print)
    looks = Looks()
    with going(looks, settled=True, overdue=departments.waited_for.overdue):
        with departments.waited_for.one():
            assert looks.came_within(1)
            assert not looks.came_within(1, seconds=0.2)
        with departments.waited_for.one():
            assert looks.came_within(1)
