"""Who is on the way to the log, and whether it pays to wait for them.

A sync and a signature cost the same for one entry and for a hundred. Where many requests are under
way, a commit that waits a moment has more of them to share in it; where few are, waiting is a delay
for nothing. PostgreSQL's `commit_delay` and `commit_siblings` decide in the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

SIBLINGS: Final = 8
"""So many others must be under way, or nobody is waited for."""

LINGER_SECONDS: Final = 0.005
"""How long at most: little beside what a request takes where so many are served at a time."""


class Coming:
    """Counts the requests that are under way, each of which will leave an entry.

    A request is inside `with coming:` from before it is decided until its entry is durable. Safe to
    share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> None:
        with self._lock:
            self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self.count -= 1

    @contextmanager
    def away(self) -> Iterator[None]:
        """Inside, a request that is on its way does not count: it waits for something else."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()

    def worth_waiting(self, arrived: int) -> bool:
        """Whether enough others are on the way when so many have arrived."""
        return self.count - arrived >= SIBLINGS
