"""What the gateway, as their witness, has seen of the departments' logs.

A department whose log was put back or has two histories proves nothing by it any more: its answers
are not asked for, and none is taken that its log claims to have held before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from landbridge.evidence.checkpoint import Checkpoint


class Sight(Protocol):
    """Asked before and after a question."""

    def trusted(self, department: str) -> bool:
        """Whether its log has shown one history only, as far as anybody looked."""
        ...

    def sizes(self, departments: Iterable[str]) -> Mapping[str, int]:
        """How many entries of each log were seen; what is logged from now on comes after them."""
        ...


class Unwatched:
    """The sight of a gateway that watches nobody."""

    def trusted(self, department: str) -> bool:
        """Nothing is known against anybody."""
        del department
        return True

    def sizes(self, departments: Iterable[str]) -> Mapping[str, int]:
        """Nothing was seen."""
        return dict.fromkeys(departments, 0)


class Watched:
    """What the rounds found; safe to share between threads.

    `latest` gives the last checkpoint that was cosigned of the log of that name.
    """

    def __init__(self, federation: str, latest: Callable[[str], Checkpoint | None]) -> None:
        self._federation = federation
        self._latest = latest
        self._contradicted: frozenset[str] = frozenset()

    def trusted(self, department: str) -> bool:
        """As `Sight.trusted`."""
        return department not in self._contradicted

    def sizes(self, departments: Iterable[str]) -> Mapping[str, int]:
        """As `Sight.sizes`."""
        found = {}
        for name in departments:
            checkpoint = self._latest(f"{self._federation}/{name}")
            found[name] = 0 if checkpoint is None else checkpoint.size
        return found

    def found(self, department: str, *, contradicted: bool) -> None:
        """What a round found. One thread calls it."""
        others = self._contradicted - {department}
        self._contradicted = others | {department} if contradicted else others
