"""A gateway among others on one database: it holds what it carries on, and takes over from others.

Without others, on a file of its own, nothing of this runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from gateway.cases.driver import Driver
from gateway.cases.recording import Recording
from gateway.cases.tenure import LEASE_SECONDS, RENEW_SECONDS, Tenure
from landbridge.errors import LandbridgeError

_AT_ONCE = 500
"""Cases that are taken up in one query."""


class Holding:
    """One thread that renews the lease and looks for leases that ended.

    `size` gives the number of entries of this gateway's log, which lies in `log`; `others` takes
    over what else than cases a gateway that is gone has carried on, and says how many.
    """

    def __init__(
        self,
        tenure: Tenure,
        recording: Recording,
        driver: Driver,
        size: Callable[[], int],
        log: Path,
        tell: Callable[[str], None],
        report: Callable[[BaseException], None],
        others: Callable[[], int] = lambda: 0,
        every: float = RENEW_SECONDS,
    ) -> None:
        self._tenure = tenure
        self._recording = recording
        self._driver = driver
        self._size = size
        self._log = log
        self._tell = tell
        self._report = report
        self._others = others
        self._every = every
        self._taken: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="case-lease", daemon=True)

    def start(self) -> None:
        """Begins to look; the lease is held already."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more; the cases stay held until `Tenure.leave`, or the lease ends."""
        self._stopping.set()
        self._thread.join()

    def go(self) -> int:
        """One round; gives how much was taken over."""
        self._tenure.renew()
        taken = self._tenure.take_over(self._size())
        if taken:
            self._tell(f"{len(taken)} cases of a gateway that is gone are carried on here")
        # What was begun and not shown for so long was left by one that died in between.
        self._taken += [*taken, *self._recording.left(self._driver.now() - LEASE_SECONDS)]
        while self._taken:  # some can be left of a round that failed
            some = self._taken[:_AT_ONCE]
            self._recording.recover(self._log, some)
            self._driver.take_up(some)
            del self._taken[: len(some)]
        return len(taken) + self._others()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            try:
                self.go()
            except LandbridgeError as failed:
                self._report(failed)  # the database or the log is away; the next round tries
            except Exception as defect:  # noqa: BLE001 - the lease must be renewed whatever happened
                self._report(defect)
