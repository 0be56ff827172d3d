"""How long a log may go on without its witnesses. Pure: sizes and times go in.

A quorum of 0 waits for nobody. With a quorum of n, an entry must stand under a checkpoint that n
witnesses cosigned before `limit` seconds have passed since it was logged; and what a start finds on
its disk must be cosigned before anything is answered, because a disk cannot tell whether it is the
newest one there was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final

_COARSENESS: Final = 1.0
"""In seconds: entries that come closer together count as logged with the first of them."""


@dataclass(slots=True)
class Quorum:
    """`needed` witnesses within `limit` seconds. Not thread-safe."""

    needed: int
    limit: float
    _covered: int = -1
    _uncovered: deque[tuple[int, float]] = field(default_factory=deque)

    def started(self, size: int) -> None:
        """A log of that many entries was found on disk; how old they are, nobody knows."""
        self._uncovered.clear()
        self._add(size, -inf)

    def grew(self, size: int, now: float) -> None:
        """The log has that many entries now."""
        if self._uncovered and now - self._uncovered[-1][1] < _COARSENESS:
            self._uncovered[-1] = (size, self._uncovered[-1][1])
        else:
            self._add(size, now)

    def cosigned(self, sizes: Iterable[int]) -> None:
        """The sizes that the witnesses cosigned last, one for each that did."""
        ranked = sorted(sizes, reverse=True)
        if len(ranked) >= self.needed > 0:
            self._covered = max(self._covered, ranked[self.needed - 1])
        while self._uncovered and self._uncovered[0][0] <= self._covered:
            self._uncovered.popleft()

    def overdue(self, now: float) -> bool:
        """Whether an entry has waited for longer than the limit."""
        return bool(self._uncovered) and now - self._uncovered[0][1] > self.limit

    def _add(self, size: int, now: float) -> None:
        if self.needed:
            self._uncovered.append((size, now))
