"""Federations whose tables are linked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.linked.world import Make, federation
from tests.simulator import FederationSimulator


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Make]:
    """Makes federations in memory, as `tests.linked.world.federation`."""
    with ExitStack() as ends:

        def make(*departments: str, **more: Any) -> FederationSimulator:
            made = federation(tmp_path, departments, **more)
            ends.callback(made.close)
            return made

        yield make
