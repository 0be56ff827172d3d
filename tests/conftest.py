"""What several rooms of tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from landbridge.federation.process import forking
from tests.evidence.schema import problems
from tests.people import document, write
from tests.sharing import ordered
from tests.simulator import FederationSimulator

# No test fails because a machine is slow.
settings.register_profile("landbridge", deadline=None)
settings.load_profile("landbridge")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers take the longest first; by hand the order is pytest's."""
    if hasattr(config, "workerinput"):
        items[:] = ordered(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """What `-n` alone means here; another `--dist` is what it says."""
    from tests.workers import Units  # one process needs no pytest-xdist

    return Units(config, log) if config.option.dist == "load" else None


@pytest.fixture(scope="session", autouse=True)
def forked_servers() -> Iterator[None]:
    """A server of a test's federation is a process of its own, and need not be loaded anew."""
    with forking():
        yield


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
            ends.callback(_require_schema, made)
            return made

        yield make


def _require_schema(made: FederationSimulator) -> None:
    """Whatever a test made a federation log is what the schema says."""
    for log in (made.log, *(node.log for node in made.nodes.values())):
        for entry in log.entries:
            assert problems(entry.to_bytes()) == []
