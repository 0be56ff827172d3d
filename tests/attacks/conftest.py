"""The three worlds, started once for all attacks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

import landbridge.testing
from landbridge.federation.process import loaded_anew
from tests.attacks.worlds import PEOPLE, World, lay, temporary

Worlds = tuple[World, World, World]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """D, D' and D'': six processes, with temporary files of their own to look into."""
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "tmp").mkdir()
    with ExitStack() as ends:

        def start(name: str) -> World:
            running = landbridge.testing.federation(
                lay(folder, name), state=folder / f"{name}-state"
            )
            return World(name, ends.enter_context(running))

        # Nothing of the attacked processes is shared with others, nor are their arguments.
        with loaded_anew(), temporary(folder / "tmp"), ThreadPoolExecutor(2) as pool:
            rare, mild, gone = pool.map(start, PEOPLE)
        for world in (rare, mild, gone):
            ends.callback(world.close)
        yield rare, mild, gone


@pytest.fixture(scope="session")
def rare(worlds: Worlds) -> World:
    """World D alone."""
    return worlds[0]
