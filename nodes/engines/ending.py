"""A run that nobody waits for any more is ended, a moment later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

GRACE_SECONDS: Final = 0.05
"""What ends by itself within this is let be: a new worker costs more than most questions."""


class Ending:
    """How one run is ended by `end`: at most once, and never when it is over already."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._over = False
        self._timer: threading.Timer | None = None

    def soon(self) -> None:
        """Ends it after `GRACE_SECONDS`, unless it is over by then; returns at once."""
        with self._lock:
            if self._timer is None and not self._over:
                self._timer = threading.Timer(GRACE_SECONDS, self._now)
                self._timer.daemon = True
                try:
                    self._timer.start()
                except RuntimeError:  # the system gives no thread now, and nobody waits
                    self._end()

    def over(self) -> None:
        """The run is over; when this returns, it will not be ended any more."""
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()

    def _now(self) -> None:
        with self._lock:
            if not self._over:
                self._end()
