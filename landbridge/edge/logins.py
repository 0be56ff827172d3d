"""How many quick refusals get an entry of their own: the first few a minute; the rest are counted.

An entry costs a sync of the disk. Without a limit, whoever cannot log in, or sends far more than is
answered, could make everybody else wait for theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

EACH: Final = 10
"""Entries a minute for each cause."""
WINDOW: Final = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason, and whose requests were refused for it; nobody's where nobody was identified.

    `kind` is that of the entry.
    """

    reason: str
    organisation: str = ""
    kind: str = "refused_login"


class RefusedLogins:
    """The count of one process. Safe to share between threads; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._begun: dict[Cause, tuple[float, int]] = {}
        self._counted: dict[Cause, int] = {}

    def admit(self, reason: Cause) -> bool:
        """Whether this refusal gets an entry of its own; counts it if not."""
        with self._lock:
            now = self._clock()
            begun, entries = self._begun.get(reason, (now, 0))
            # A clock that was set back must not silence the log until it has caught up.
            if not 0 <= now - begun < WINDOW:
                begun, entries = now, 0
            if entries < EACH:
                self._begun[reason] = (begun, entries + 1)
                return True
            self._counted[reason] = self._counted.get(reason, 0) + 1
            return False

    def count(self, reason: Cause) -> None:
        """One that gets no entry of its own."""
        with self._lock:
            self._counted[reason] = self._counted.get(reason, 0) + 1

    def take(self) -> dict[Cause, int]:
        """What was counted since the last time, by cause; it is the taker's to write down."""
        with self._lock:
            counted, self._counted = self._counted, {}
            return counted

    def give_back(self, reason: Cause, count: int) -> None:
        """What could not be written is counted with what comes."""
        with self._lock:
            self._counted[reason] = self._counted.get(reason, 0) + count
