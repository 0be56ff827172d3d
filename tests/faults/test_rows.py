"""Whoever looks a fault up finds what holds it, and finds it there."""

from __future__ import annotations

import pytest

from tests.attacks.test_rows import functions
from tests.faults.rows import BY, INVARIANTS, ROWS, WAITS


def test_every_row_of_the_table_is_here() -> None:
    """No row is forgotten, and none is made up."""
    assert set(ROWS) == set(range(1, 33))
    assert len({row.name for row in ROWS.values()}) == len(ROWS)
    assert set(WAITS) <= set(ROWS)
    assert set(BY) == set(ROWS)
    assert list(INVARIANTS) == [f"I{number}" for number in range(1, 11)]


@pytest.mark.parametrize("number", sorted(ROWS))
def test_a_row_is_held_or_says_what_it_waits_for(number: int) -> None:
    """A fault without a test says why."""
    assert ROWS[number].held_by or WAITS.get(number)


@pytest.mark.parametrize("named", sorted({name for row in ROWS.values() for name in row.held_by}))
def test_a_named_test_exists(named: str) -> None:
    """A test that was renamed or removed leaves a hole in the map, and this says where."""
    file, _, function = named.partition("::")
    assert function in functions(file)
