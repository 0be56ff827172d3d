"""What several rooms of tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.people import document, write
from tests.simulator import FederationSimulator

# No test fails because a machine is slow.
settings.register_profile("landbridge", deadline=None)
settings.load_profile("landbridge")


@pytest.fixture
def simulate(tmp_path: Path) -> Iterator[Callable[..., FederationSimulator]]:
    """Makes federations in memory: `simulate({"north": rows, ...}, **terms)`."""
    with ExitStack() as ends:

        def make(
            rows: dict[str, Any], *, documents: Any = None, contract: Any = None, **more: Any
        ) -> FederationSimulator:
            place = tmp_path / f"federation{len(list(tmp_path.glob('federation*')))}"
            place.mkdir()
            files = {name: write(part, place / f"{name}.csv") for name, part in rows.items()}
            made = FederationSimulator(
                place, files, documents or document(**(contract or {})), **more
            )
            ends.callback(made.close)
            return made

        yield make
