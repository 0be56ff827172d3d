"""One at a time per key; nothing is kept for a key that nobody holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from landbridge.errors import error


class Turns:
    """Makes threads with the same key wait for one another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[bytes, tuple[threading.Lock, int]] = {}

    @contextmanager
    def turn(self, key: bytes, seconds: float | None = None) -> Iterator[None]:
        """The block runs when no other block of the key does.

        Raises DEADLINE when that is not so within `seconds`; without them it waits.
        """
        with self._lock:
            lock, users = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = (lock, users + 1)
        try:
            if not lock.acquire(timeout=-1 if seconds is None else max(0.0, seconds)):
                raise error("DEADLINE")
            try:
                yield
            finally:
                lock.release()
        finally:
            with self._lock:
                lock, users = self._held[key]
                if users == 1:
                    del self._held[key]
                else:
                    self._held[key] = (lock, users - 1)
