"""Statements are parsed once and planned every time: what is remembered is a text and no table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.engines.database import (
    LONGEST_KEPT,
    MOST_KEPT,
    Connection,
    NotOneSelect,
    Parsed,
    open_for_loading,
    select,
)

SQL = "SELECT year, name FROM planes WHERE id = $1"


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[Connection]:
    """A table that can be made another one."""
    (tmp_path / "spill").mkdir()
    connection = open_for_loading(str(tmp_path / "planes.duckdb"), spill=str(tmp_path / "spill"))
    connection.execute("CREATE TABLE planes AS SELECT 1 AS id, 1999 AS year, 'old' AS name")
    yield connection
    connection.close()


class Counting:
    """A connection that counts what it parses."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.parsed = 0

    def extract_statements(self, text: str) -> object:
        """As the connection does."""
        self.parsed += 1
        return self.connection.extract_statements(text)


def test_a_text_is_parsed_once_and_sees_the_table_as_it_is_now(planes: Connection) -> None:
    """Changed rows, other columns in another order and of another type: nothing of the old plan."""
    counting = Counting(planes)
    parsed = Parsed(counting)  # type: ignore[arg-type]

    def ask() -> object:
        return select(planes, SQL, [1], maximum_rows=2, parsed=parsed)

    assert [ask() for _ in range(3)] == [[(1999, "old")]] * 3
    assert counting.parsed == 2  # BEGIN, and the text
    planes.execute("UPDATE planes SET year = 2001")
    assert ask() == [(2001, "old")]
    planes.execute("DROP TABLE planes")
    planes.execute("CREATE TABLE planes AS SELECT 'new' AS name, 1 AS id, 'MMXX' AS year")
    assert ask() == [("MMXX", "new")]
    assert select(planes, SQL, [2], maximum_rows=2, parsed=parsed) == []
    assert counting.parsed == 2


def test_a_run_with_remembered_statements_writes_nothing(planes: Connection) -> None:
    """It is read-only as before, and no run sees another's transaction."""
    parsed = Parsed(planes)
    with pytest.raises(NotOneSelect):
        parsed.select("DELETE FROM planes")
    for _ in range(2):
        with pytest.raises(NotOneSelect):
            select(planes, f"{SQL}; SELECT 1", [1], maximum_rows=2, parsed=parsed)
        assert select(planes, SQL, [1], maximum_rows=2, parsed=parsed) == [(1999, "old")]


def test_the_memory_is_bounded(planes: Connection) -> None:
    """By number and by length: texts that come once push nothing out for ever."""
    counting = Counting(planes)
    parsed = Parsed(counting)  # type: ignore[arg-type]
    for number in range(MOST_KEPT + 1):
        parsed.select(f"SELECT {number}")
    long = f"SELECT '{'x' * LONGEST_KEPT}'"
    before = counting.parsed
    for text in (f"SELECT {MOST_KEPT}", "SELECT 1"):
        parsed.select(text)
    assert counting.parsed == before
    for text in ("SELECT 0", long, long):
        parsed.select(text)
    assert counting.parsed == before + 3
