"""What the gateway looks at again and again, each by a thread of its own.

A node that starts late, with new contracts or with an old log, a new member and a changed policy
are known within seconds. A node that begins again lets everybody wait until its log was looked at,
so a round that did not get through to everybody is followed by another one soon; so is a question
that was not answered, and one that is waited for longer than usual.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from landbridge.edge.interceptor import Report
from landbridge.errors import LandbridgeError

REFRESH_SECONDS = 5.0
"""Between two rounds when all is well."""
REST_SECONDS = 1.0
"""Between two rounds at the least, however often one is wanted; an operator's is at once."""
SOON_ROUNDS: Final = 60
"""So many come soon after one another while somebody is not heard; more when one is wanted."""
LATE_SECONDS: Final = 1.0
"""A reply that takes longer may wait for a look."""


@dataclass(frozen=True, slots=True)
class Now:
    """`at_once`: an operator wants it; `stopping` is set when the round should end early."""

    at_once: bool
    stopping: threading.Event


class Refreshing:
    """Calls `look` round after round, which says whether it got through to everybody.

    `overdue` is asked every second whether something new is waited for longer than so many seconds.
    `settled`: everybody was heard just before.
    """

    def __init__(
        self,
        look: Callable[[Now], bool],
        overdue: Callable[[float, set[object]], bool],
        report: Report,
        *,
        name: str,
        settled: bool,
    ) -> None:
        self._look = look
        self._overdue = overdue
        self._late: set[object] = set()
        self._report = report
        self._settled = settled
        self._left = SOON_ROUNDS
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._rested = threading.Event()
        self._at_once = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Looks at once; never waits, so that a signal may call it."""
        self._at_once = True
        self._wake.set()
        self._rested.set()

    def wake(self) -> None:
        """The next round comes soon; never waits."""
        self._wake.set()

    def close(self) -> None:
        """Returns when it looks no more."""
        self._stopping.set()
        self._wake.set()
        self._rested.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._await_next()
            if self._stopping.is_set():
                return
            at_once, self._at_once = self._at_once, False
            try:
                self._settled = self._look(Now(at_once, self._stopping))
            except LandbridgeError:
                self._settled = False  # the log is shut or broken, which is said elsewhere
            except Exception as defect:  # noqa: BLE001 - the next round must come whatever happened
                self._report(defect)
            self._rested.wait(min(REST_SECONDS, REFRESH_SECONDS))
            self._rested.clear()

    def _await_next(self) -> None:
        """Returns when a round is wanted, or its time has come."""
        if not self._settled and self._left > 0 and not self._wake.is_set():
            self._left -= 1
            return
        if self._wanted():
            self._left = SOON_ROUNDS
        self._wake.clear()

    def _wanted(self) -> bool:
        """Waits for that; False when it did not happen before the time came."""
        end = time.monotonic() + REFRESH_SECONDS
        while (left := end - time.monotonic()) > 0:
            if self._wake.wait(min(LATE_SECONDS, left)):
                return True
            if self._overdue(LATE_SECONDS, self._late):
                return True
        return False
