"""How workers share the tests: what has a fixture in common stays together, the longest goes first.

`pytest -n 2` gives each worker one unit after the other. A unit is a file, so that its federation
starts once; a folder where several files ask one federation. A long unit that starts last leaves
the other worker idle, so the long ones start first, in the order below; the rest follows in the
order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/attacks", "tests/journeys")
"""Folders whose files share what takes seconds to start."""

LONGEST_FIRST: tuple[str, ...] = ("tests/attacks",)
"""Units of more than ten seconds on a quiet machine, the longest first."""


def unit(test: str) -> str:
    """What a test (its node id, from the root of the tree) is given to a worker with."""
    file = test.split("::", 1)[0]
    folder = next((each for each in TOGETHER if file.startswith(f"{each}/")), None)
    return folder or file


def ordered(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests, the longest units first; within a unit as they were."""
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    return sorted(items, key=lambda item: rank.get(unit(item.nodeid), len(rank)))


class Units(LoadScopeScheduling):  # type: ignore[misc]
    """Gives workers whole units in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        # Its own order, by the number of tests, says nothing about how long they take.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
