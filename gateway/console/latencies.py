"""How long calls took lately: the last thousand of each method, in memory only."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one method: how many calls are looked at, their median and 95th percentile in ms."""

    method: str
    calls: int
    median: float
    most: float


class Latencies:
    """Told of every call's end; see `landbridge.edge.observing.Ended`. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, deque[float]] = {}

    def ended(self, method: str, seconds: float) -> None:
        """A call of that method took so long."""
        with self._lock:
            self._kept.setdefault(method, deque(maxlen=KEPT)).append(seconds * 1_000)

    def summary(self) -> list[Latency]:
        """One for each method that was called, by its name."""
        with self._lock:
            kept = {method: sorted(times) for method, times in self._kept.items()}
        return [
            Latency(method, len(times), _at(times, 0.5), _at(times, 0.95))
            for method, times in sorted(kept.items())
        ]


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
