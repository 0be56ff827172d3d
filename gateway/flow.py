"""How much of others' records the gateway holds, and how fast one caller hands them in: bounded.

What is under way to a department counts until its result is back. A sender who has used up what
may be under way is not read from, so that gRPC's own flow control holds them back: nobody is
refused, and nothing is stored for them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from landbridge.errors import error

UNDER_WAY: Final = 4 * 1024 * 1024
"""Bytes of one stream; a batch may be larger than what is left only when it is alone."""
BYTES_PER_SECOND: Final = 16 * 1024 * 1024
BATCHES_PER_SECOND: Final = 200
"""Of one caller, over all their streams; for two seconds they may be ahead of it."""
BURST: Final = 2.0
STREAMS_PER_CALLER: Final = 2
CALLERS: Final = 10_000
"""Remembered; the one that was longest silent goes first, and with it nothing but its haste."""


class Credits:
    """What one stream has under way; `most` is the highest that it ever was."""

    def __init__(self, limit: int = UNDER_WAY) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._under_way = 0
        self._ended = False
        self.most = 0

    def take(self, size: int) -> bool:
        """Waits until so many bytes may be sent on; False where the stream has ended."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or not self._under_way or self._under_way + size <= self._limit
            )
            if self._ended:
                return False
            self._under_way += size
            self.most = max(self.most, self._under_way)
            return True

    def give_back(self, size: int) -> None:
        """A result came."""
        with self._changed:
            self._under_way -= size
            self._changed.notify_all()

    def end(self) -> None:
        """Lets whoever waits go."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@dataclass(slots=True)
class _Bucket:
    """What a caller may still send at once, in bytes and batches."""

    at: float
    bytes: float = BYTES_PER_SECOND * BURST
    batches: float = BATCHES_PER_SECOND * BURST
    streams: int = 0


class Paces:
    """How fast each caller may go: whoever is faster waits. Safe for many threads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        bytes_per_second: float = BYTES_PER_SECOND,
        batches_per_second: float = BATCHES_PER_SECOND,
    ) -> None:
        self._clock = clock
        self._rates = (bytes_per_second, batches_per_second)
        self._lock = threading.Lock()
        self._callers: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    @contextmanager
    def stream(self, caller: tuple[str, str]) -> Iterator[None]:
        """One stream of that caller; raises TOO_BUSY where they have enough of them."""
        with self._lock:
            bucket = self._of(caller)
            if bucket.streams >= STREAMS_PER_CALLER:
                raise error(
                    "TOO_BUSY",
                    f"One caller hands in over {STREAMS_PER_CALLER} streams at a time.",
                    rule="submit.streams",
                )
            bucket.streams += 1
        try:
            yield
        finally:
            with self._lock:
                bucket.streams -= 1

    def delay(self, caller: tuple[str, str], size: int) -> float:
        """Counts a batch of so many bytes; for how many seconds its sender has to wait now."""
        with self._lock:
            bucket = self._of(caller)
            bucket.bytes -= size
            bucket.batches -= 1
            behind = (-bucket.bytes / self._rates[0], -bucket.batches / self._rates[1])
            return max(0.0, *behind)

    def _of(self, caller: tuple[str, str]) -> _Bucket:
        now = self._clock()
        bucket = self._callers.get(caller)
        if bucket is None:
            bucket = _Bucket(now, self._rates[0] * BURST, self._rates[1] * BURST)
            self._callers[caller] = bucket
            while len(self._callers) > CALLERS:
                oldest = next(iter(self._callers))
                if self._callers[oldest].streams:
                    self._callers.move_to_end(oldest)
                    break
                del self._callers[oldest]
        self._callers.move_to_end(caller)
        passed = max(0.0, now - bucket.at)
        bucket.at = now
        bucket.bytes = min(bucket.bytes + passed * self._rates[0], self._rates[0] * BURST)
        bucket.batches = min(bucket.batches + passed * self._rates[1], self._rates[1] * BURST)
        return bucket


class Places:
    """How many streams there are at all, and to one department: a slow one takes no other's."""

    def __init__(self, whole: int, department: int) -> None:
        self._whole = whole
        self._department = department
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    @contextmanager
    def place(self, department: str) -> Iterator[None]:
        """One of them; raises TOO_BUSY."""
        with self._lock:
            here = self._taken.get(department, 0)
            if here >= self._department or sum(self._taken.values()) >= self._whole:
                raise error("TOO_BUSY", rule="submit.streams")
            self._taken[department] = here + 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[department] -= 1
