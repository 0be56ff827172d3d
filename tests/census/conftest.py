"""Worlds with two departments that measure together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.census.world import World, world

Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes worlds, each in a folder of its own."""
    with ExitStack() as ends:
        made = iter(range(100))

        def one(**more: Any) -> World:
            return ends.enter_context(world(tmp_path / str(next(made)), **more))

        yield one
