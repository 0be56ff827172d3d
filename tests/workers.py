"""The scheduler of pytest's workers: what `tests.sharing` says, as pytest-xdist asks it."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.sharing import unit


class Units(LoadScopeScheduling):  # type: ignore[misc]
    """Gives workers whole units in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        # Its own order, by the number of tests, says nothing about how long they take.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
