"""The calls of a server, each of which takes a seat once its caller is known.

gRPC gives a call a thread before anybody knows who it is from, so there are more threads than
seats, and whoever has many requests here waits for a seat or is refused, while threads are left for
others. A call belongs to its thread from `begun` on; what no call has begun (watches that are
evaluated, cases that go on) takes no seat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Final

from landbridge.edge.seats import NOBODY, Most, Seats, Who
from landbridge.errors import error
from landbridge.identity.caller import Caller

THREADS: Final = 8
"""For every open seat."""
OF_CALLER: Final = 4
OF_ORGANISATION: Final = 6
"""So many requests for every open seat may be here at a time; then threads are left for others."""


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
        self._seats = Seats(calls, max(1, calls // 4), most)
        self._here = _Here()

    @property
    def who(self) -> Who:
        """Whom this thread works for."""
        return self._here.who

    @contextmanager
    def begun(self, seconds: Callable[[], float], listened: Callable[[], bool]) -> Iterator[None]:
        """A call on this thread, with what is left of its time and whether anybody listens."""
        here = self._here
        here.call = (seconds, listened)
        try:
            yield
        finally:
            here.call, here.who = None, NOBODY

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
                seconds, listened = here.call
                held.enter_context(self._seats.taken(who, seconds(), away))
                here.who = who
                held.callback(leave)
                if not listened():
                    raise error("DEADLINE")  # its caller left while it waited: nothing begins

            def leave() -> None:
                here.who = NOBODY

            yield Seat(take)


class _Here(threading.local):
    """What this thread does."""

    call: tuple[Callable[[], float], Callable[[], bool]] | None = None
    who: Who = NOBODY
