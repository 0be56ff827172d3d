"""The calls of a server, each of which takes a seat once its caller is known.

gRPC gives a call a thread before anybody knows who it is from, so there are more threads than
seats, and whoever has many requests here waits for a seat or is refused, while threads are left for
others. A call belongs to its thread from `begun` on; what no call has begun (watches that are
evaluated, cases that go on) takes no seat.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from hashlib import sha256
from typing import Final

from landbridge.edge.seats import NOBODY, Most, Seats, Who
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller

THREADS: Final = 8
"""For every open seat."""
OF_CALLER: Final = 4
OF_ORGANISATION: Final = 6
"""So many requests for every open seat may be here at a time; then threads are left for others."""


MEMORY: Final = 1_000
"""Callers who had too many here."""


def _nobody(organisation: str) -> None:
    """Counts nothing."""
    del organisation


def _digest(shown: str) -> bytes:
    """In its place, so that no token lies here."""
    return sha256(shown.encode(errors="replace")).digest()


class Seat:
    """That of one request, taken when its caller is known; until then it is nobody's."""

    def __init__(self, take: Callable[[Who], None]) -> None:
        self._take = take

    def take(self, caller: Caller) -> None:
        """Waits for it; raises TOO_MANY_AT_ONCE, and DEADLINE where the call ends before."""
        self._take(Who(caller.organisation, caller.subject))


class Calls:
    """Those of one server, which has so many open seats."""

    def __init__(self, calls: int) -> None:
        most = Most(OF_CALLER * calls, OF_ORGANISATION * calls)
        self.threads = THREADS * calls
        self.turned_away: Callable[[str], None] = _nobody
        self._known = threading.Lock()
        # What was shown by callers who had too many here, each with who that was.
        self._refused: OrderedDict[bytes, Who] = OrderedDict()
        self._seats = Seats(calls, max(1, calls // 4), most)
        self._here = _Here()

    @property
    def who(self) -> Who:
        """Whom this thread works for."""
        return self._here.who

    @contextmanager
    def begun(
        self, seconds: Callable[[], float], listened: Callable[[], bool], shown: str = ""
    ) -> Iterator[None]:
        """A call on this thread, with what is left of its time and whether anybody listens.

        `shown` is what its caller said of who they are, unread.
        """
        here = self._here
        here.call = (seconds, listened, shown)
        try:
            yield
        finally:
            here.call, here.who = None, NOBODY

    def crowded(self, shown: str) -> bool:
        """Whether who shows this was refused for too many requests here, and still has them.

        It names somebody to refuse and nobody to serve, so it is not read again. Counts it.
        """
        if not shown or not self._refused:
            return False
        with self._known:
            who = self._refused.get(_digest(shown))
        if who is None or not self._seats.crowded(who):
            return False
        self.turned_away(who.organisation)
        return True

    def _remember(self, shown: str, who: Who) -> None:
        with self._known:
            self._refused[_digest(shown)] = who
            while len(self._refused) > MEMORY:
                self._refused.popitem(last=False)

    @contextmanager
    def seat(
        self, away: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Iterator[Seat]:
        """The seat of a request of this thread's call; `away()` is held while it is waited for."""
        here = self._here
        with ExitStack() as held:

            def take(who: Who) -> None:
                if here.call is None or here.who is not NOBODY:
                    return  # no call, or it has its seat
                seconds, listened, shown = here.call
                try:
                    held.enter_context(self._seats.taken(who, seconds(), away))
                except LandbridgeError as refused:
                    if refused.reason == "TOO_MANY_AT_ONCE" and shown:
                        self._remember(shown, who)
                    raise
                here.who = who
                held.callback(leave)
                if not listened():
                    raise error("DEADLINE")  # its caller left while it waited: nothing begins

            def leave() -> None:
                here.who = NOBODY

            yield Seat(take)


class _Here(threading.local):
    """What this thread does."""

    call: tuple[Callable[[], float], Callable[[], bool], str] | None = None
    who: Who = NOBODY
