"""The watches of a gateway that is gone are carried on here, where several share a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.cases.tenure import Tenure
from gateway.watches.evaluator import Evaluator
from gateway.watches.store import Watch, WatchStore
from gateway.watches.telling import Telling


class WatchHolding:
    """Takes over by the leases of `gateway.cases.tenure`; `size` is of this gateway's log, which
    lies in `log`.
    """

    def __init__(
        self,
        tenure: Tenure,
        store: WatchStore,
        telling: Telling,
        evaluator: Evaluator,
        size: Callable[[], int],
        log: Path,
        tell: Callable[[str], None],
    ) -> None:
        self._tenure = tenure
        self._store = store
        self._telling = telling
        self._evaluator = evaluator
        self._size = size
        self._log = log
        self._tell = tell
        # Of a round that failed behind the database, which says already that they are ours.
        self._untold: set[str] = set()
        self._taken: list[Watch] = []

    def go(self) -> int:
        """One round; gives the number of watches that were taken over."""
        taken, untold = self._store.take_over(self._tenure.ended, self._size())
        if taken:
            self._tell(f"{len(taken)} watches of a gateway that is gone are carried on here")
        self._untold |= untold
        self._taken += taken
        if self._untold:
            self._telling.recover(self._log, self._untold)
            self._untold.clear()
        while self._taken:
            self._evaluator.take_up(self._taken.pop())
        return len(taken)
