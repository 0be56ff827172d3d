"""A PostgreSQL server for the tests of cases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.postgresql import serving


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server of our own."""
    with serving() as server:
        yield f"postgresql+psycopg://test@/postgres?host={server.folder}"


@pytest.fixture
def emptied(postgres: str) -> str:
    """The address of a database with nothing in it."""
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres
