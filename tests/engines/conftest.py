"""Servers that the tests of engines share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import spark
from tests.engines.places import Database
from tests.postgresql import Server, serving
from tests.spark import Cluster


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Spark cluster."""
    with spark.serving() as found:
        yield found


_NAMES = (f"department_{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def database(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Database]:
    """Makes databases, each of its own department."""
    folder: Path = tmp_path_factory.mktemp("stores")
    return lambda: Database(server, next(_NAMES), folder)
