"""How often somebody may ask: a bucket of tokens each, and one for all who have no name yet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

REMEMBERED: Final = 10_000


class Limits:
    """`burst` requests at once, `rate` a second after that. Safe for many threads.

    Who was not seen for the longest is forgotten first; they begin with a full bucket again.
    """

    def __init__(self, burst: int, rate: float, clock: Callable[[], float]) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, who: str) -> bool:
        """Whether they may ask now; counts it if so."""
        now = self._clock()
        with self._lock:
            left, at = self._buckets.pop(who, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            allowed = left >= 1
            self._buckets[who] = (left - 1 if allowed else left, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
            return allowed
