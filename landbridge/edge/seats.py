"""Who may go on now, where many wait: fair among organisations, and among callers of one.

A seat is a right to run: one of a server's calls, or one of an engine's workers. Anybody takes one
of the open seats, so that whoever is alone has all of them. Beyond them some are kept for callers
who hold none, and some for organisations that hold none: however many slow requests one caller
sends, another's quick one sits down at once. Those who wait are seated in the order of how many
seats their organisation holds, then they themselves, then of their coming.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from landbridge.errors import error


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a seat is taken for; the server itself is nobody."""

    organisation: str = ""
    caller: str = ""


NOBODY: Final = Who()


@dataclass(frozen=True, slots=True)
class Most:
    """How many of one caller, and of one organisation, may sit or wait at a time."""

    caller: int
    organisation: int


@dataclass(eq=False, slots=True)
class _Waiting:
    who: Who
    number: int
    seated: threading.Event = field(default_factory=threading.Event)


class Seats:
    """So many `open` seats, and `kept` more for callers who hold none, and again as many for
    organisations that hold none. Safe to share between threads; `clock` gives seconds.
    """

    def __init__(
        self,
        open: int,  # noqa: A002 - what they are called
        kept: int,
        most: Most | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open
        self._kept = kept
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        # All below is guarded by _lock. `_here` counts those who sit and those who wait.
        self._sitting: Counter[Who | str] = Counter()
        self._here: Counter[Who | str] = Counter()
        self._taken = 0
        self._coming = 0
        self._waiting: list[_Waiting] = []

    @property
    def all(self) -> int:
        """How many can sit at a time, those included who have kept seats."""
        return self._open + 2 * self._kept

    @contextmanager
    def taken(
        self,
        who: Who,
        seconds: float,
        away: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Iterator[None]:
        """A seat until the end of the block; what waiting takes is spent inside `away()`.

        Raises DEADLINE when none comes within `seconds`, and TOO_MANY_AT_ONCE at once for who has
        too many here.
        """
        until = self._clock() + seconds
        waiting = self._come(who)
        if waiting is not None:
            with away():
                seated = waiting.seated.wait(max(0.0, until - self._clock()))
            if not seated and self._given_up(waiting):
                raise error("DEADLINE")
        try:
            yield
        finally:
            self._leave(who)

    def crowded(self, who: Who) -> bool:
        """Whether one more of theirs would be refused."""
        with self._lock:
            return self._too_many(who)

    def _too_many(self, who: Who) -> bool:
        # Asked of what may not be there, which a Counter would not keep.
        most, here = self._most, self._here
        return most is not None and (
            here[who] >= most.caller or here[who.organisation] >= most.organisation
        )

    def _come(self, who: Who) -> _Waiting | None:
        """None for who sits already."""
        with self._lock:
            if self._too_many(who):
                raise error("TOO_MANY_AT_ONCE", rule="limits.calls")
            self._here[who] += 1
            self._here[who.organisation] += 1
            if not self._waiting and self._may_sit(who):
                self._sit(who)
                return None
            self._coming += 1
            waiting = _Waiting(who, self._coming)
            self._waiting.append(waiting)
            self._seat()
            return waiting

    def _given_up(self, waiting: _Waiting) -> bool:
        """False for who was seated in the last moment."""
        with self._lock:
            if waiting.seated.is_set():
                return False
            self._waiting.remove(waiting)
            self._gone(waiting.who)
            return True

    def _leave(self, who: Who) -> None:
        with self._lock:
            self._taken -= 1
            for key in (who, who.organisation):
                self._sitting[key] -= 1
                if not self._sitting[key]:
                    del self._sitting[key]
            self._gone(who)
            self._seat()

    def _gone(self, who: Who) -> None:
        for key in (who, who.organisation):
            self._here[key] -= 1
            if not self._here[key]:
                del self._here[key]

    def _seat(self) -> None:
        """Seats everybody who may sit, the next one first."""
        while self._waiting:
            able = [each for each in self._waiting if self._may_sit(each.who)]
            if not able:
                return
            chosen = min(able, key=self._turn)
            self._waiting.remove(chosen)
            self._sit(chosen.who)
            chosen.seated.set()

    def _turn(self, waiting: _Waiting) -> tuple[int, int, int]:
        who = waiting.who
        return self._sitting[who.organisation], self._sitting[who], waiting.number

    def _may_sit(self, who: Who) -> bool:
        if self._taken < self._open:
            return True
        if self._taken < self._open + self._kept and not self._sitting[who]:
            return True
        return self._taken < self.all and not self._sitting[who.organisation]

    def _sit(self, who: Who) -> None:
        self._taken += 1
        self._sitting[who] += 1
        self._sitting[who.organisation] += 1
