"""A server whose witness comes by itself signs nothing new before the witness has come once.

A state folder that was put back to yesterday's copy agrees with itself in every byte. Whoever signs
on it has forked the log before anybody could say so. So everything that would leave an entry waits
for the first look, or for so long that a witness who is there would have come.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from landbridge.errors import error

SECONDS: Final = 10.0
"""Two rounds of a gateway; who does not come within them is away, and nobody is waited for."""


class FirstLook:
    """Holds requests until the log was looked at and the server's start is logged."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._ended = threading.Event()
        self._begun = False
        self._thread: threading.Thread | None = None

    def require(self) -> None:
        """Returns once the server has begun; raises SHUTTING_DOWN when it ends before."""
        self._over.wait()
        if not self._begun:
            raise error("SHUTTING_DOWN")

    def begin(
        self,
        begin: Callable[[], None],
        looked: Callable[[float], bool] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Begins, by `begin`: at once without `looked`, else on a thread of its own after it.

        `looked` returns when somebody looked, or after so many seconds, and whether they did.
        """
        if looked is None:
            self._go(begin)
            return

        def wait() -> None:
            for _ in range(int(seconds / 0.1)):
                if looked(0.1) or self._ended.is_set():
                    break
            if self._ended.is_set():
                self._over.set()
            else:
                self._go(begin)

        self._thread = threading.Thread(target=wait, name="first-look", daemon=True)
        self._thread.start()

    def end(self) -> bool:
        """Begins no more; whether the server had begun, so that its end belongs into the log."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        return self._begun

    def _go(self, begin: Callable[[], None]) -> None:
        try:
            begin()
        finally:
            self._begun = True
            self._over.set()
