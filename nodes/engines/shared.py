"""An engine whose workers are shared fairly among those who ask.

One caller alone has all workers that the settings name. When they hold them all, another caller,
and another organisation, each find one more: slow questions of one are not waited for by others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from landbridge.edge.seats import Seats, Who
from nodes.engines.engine import Cell, Engine, Parameter

KEPT = 1
"""Workers more for a caller who holds none, and as many for an organisation that holds none."""


class SharedEngine:
    """An engine with as many workers as there are seats; `who` says whom this thread works for."""

    def __init__(self, engine: Engine, seats: Seats, who: Callable[[], Who]) -> None:
        self._engine = engine
        self.dialect = engine.dialect
        self._seats = seats
        self._who = who

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """As the engine does, with a seat; the time for it is part of `timeout`."""
        with seated(self._seats, self._who(), timeout) as left:
            return self._engine.run(sql, parameters, timeout=left, maximum_rows=maximum_rows)

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """As the engine does, with a seat; the time for it is part of `timeout`."""
        with seated(self._seats, self._who(), timeout) as left:
            return self._engine.columns(sql, parameters, timeout=left, maximum_rows=maximum_rows)

    def close(self) -> None:
        """Ends the engine."""
        self._engine.close()


@contextmanager
def seated(seats: Seats, who: Who, timeout: float) -> Iterator[float]:
    """A seat, and what is left of `timeout` seconds then; raises DEADLINE where none comes."""
    until = time.monotonic() + timeout
    with seats.taken(who, timeout):
        yield until - time.monotonic()
