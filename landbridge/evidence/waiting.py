"""Who waits for an entry to be durable, and how they are told.

A bare lock is the cheapest way for a thread to wait for another: one wake-up, and nothing to take
once it is awake. A future's condition makes every waiter queue for a second lock.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from landbridge.evidence.receipt import Receipt


class Waiting:
    """One entry, and the thread that waits for its receipt."""

    __slots__ = ("_done", "_outcome", "entry", "leaf")

    def __init__(self, entry: bytes, leaf: bytes) -> None:
        self.entry = entry
        self.leaf = leaf
        self._done = threading.Lock()
        self._done.acquire()
        self._outcome: Receipt | BaseException | None = None

    @property
    def told(self) -> bool:
        """Whether there is an outcome."""
        return self._outcome is not None

    def tell(self, outcome: Receipt | BaseException) -> None:
        """The receipt, or why there is none; once."""
        self._outcome = outcome
        self._done.release()

    def result(self) -> Receipt:
        """Waits; the one thread that does calls it once."""
        self._done.acquire()
        if isinstance(self._outcome, Receipt):
            return self._outcome
        assert self._outcome is not None  # told before the lock was let go
        raise self._outcome


class Promised(Waiting):
    """The same for who does not wait: the future is fulfilled."""

    __slots__ = ("future",)

    def __init__(self, entry: bytes, leaf: bytes) -> None:
        super().__init__(entry, leaf)
        self.future: Future[Receipt] = Future()
        self.future.set_running_or_notify_cancel()

    def tell(self, outcome: Receipt | BaseException) -> None:
        """As `Waiting.tell`."""
        super().tell(outcome)
        if isinstance(outcome, Receipt):
            self.future.set_result(outcome)
        else:
            self.future.set_exception(outcome)
