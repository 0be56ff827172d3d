"""The replies that somebody waits for at the gateway.

A node that began again lets everybody wait until its log was looked at, so what takes longer than
usual is a reason to look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class WaitedFor:
    """Noted by any thread, without a lock: the operations on the dictionary are atomic."""

    def __init__(self) -> None:
        self._since: dict[object, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """Somebody waits for a reply as long as the block runs."""
        call = object()
        self._since[call] = time.monotonic()
        try:
            yield
        finally:
            self._since.pop(call, None)

    def overdue(self, seconds: float, seen: set[object]) -> bool:
        """Whether a reply that is not in `seen` is waited for longer than that; adds it there.

        Forgets in `seen` whom nobody waits for any more.
        """
        now = time.monotonic()
        late = {call for call, since in self._since.copy().items() if now - since > seconds}
        fresh = bool(late - seen)
        seen.clear()
        seen.update(late)
        return fresh
