"""Stations that serve in the order of arrival, told of arrivals in the order of time.

Then no more is needed than when each server is free next: what somebody waits is told by those who
came before (Lindley 1952; Kiefer and Wolfowitz 1955 for several servers). Tests hold it against the
formulas of Erlang and of Pollaczek and Khinchine.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence


class Station:
    """`servers` at a time; whoever arrives is told when they are done."""

    def __init__(self, servers: int = 1) -> None:
        if servers < 1:
            raise ValueError("A station has at least one server.")
        self._free = [0.0] * servers
        self.busy = 0.0
        """Seconds of service that were given."""

    def done(self, arrives: float, service: float) -> float:
        """When it is done that arrives then, not before whoever arrived last."""
        ends = max(arrives, self._free[0]) + service
        heapq.heapreplace(self._free, ends)
        self.busy += service
        return ends


class Commits:
    """A log: a commit takes everybody who came before it began, and the next begins after it."""

    def __init__(self, sync: float) -> None:
        self._sync = sync
        self._begins = self._ends = 0.0

    def done(self, arrives: float) -> float:
        """When its entry is on disk, of what arrives then."""
        if arrives > self._begins:
            self._begins = max(arrives, self._ends)
            self._ends = self._begins + self._sync
        return self._ends


def quantile(values: Sequence[float], share: float) -> float:
    """The value under which that share of them lies; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
