"""Whoever looks a row of the table up finds what holds it, and finds it there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.attacks import statements, test_statements
from tests.attacks.rows import BY, ROWS, STATEMENTS, WAITS

TESTS = Path(__file__).parents[1]
NUMBERS = frozenset((
    1, 2, 3, 4, 6, 7, 11, 12, 13, 14, 15, 17, 19, 20, 21, 22, 24, 25, 27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 42, 44, 45, 47, 48, 49, 50, 52, 54, 55, 56, 57, 58, 60, 61, 63, 64, 65, 66, 67,
    68, 70, 71, 72, 73, 74, 75, 76, 78, 79, 80, 81, 82, 83, 85, 86, 87, 88, 89, 91, 92, 93, 94, 95,
    97, 98, 99, 100, 102, 104,
))  # fmt: skip
"""The rows of the table, which has gaps."""


@cache
def functions(file: str) -> frozenset[str]:
    """The tests in a file under tests/, which pytest would collect."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def numbered() -> set[int]:
    """The rows that have statements."""
    texts = (
        *test_statements.REFUSED, *test_statements.NOISY, *statements.REFUSED, *statements.NOISY,
    )  # fmt: skip
    return {int(found[0]) for text in texts if (found := re.match(r"\d+", text))}


def test_every_row_of_the_table_is_here() -> None:
    """No row is forgotten, and none is made up."""
    assert set(ROWS) == NUMBERS
    assert len({row.name for row in ROWS.values()}) == len(ROWS)
    assert set(WAITS) <= NUMBERS
    assert set(BY) == NUMBERS


@pytest.mark.parametrize("number", sorted(NUMBERS))
def test_a_row_is_held_or_says_what_it_waits_for(number: int) -> None:
    """A row without tests and statements says which feature it needs."""
    assert ROWS[number].held_by or number in numbered() or WAITS.get(number)


@pytest.mark.parametrize(
    "named", sorted({name for row in ROWS.values() for name in row.held_by} | set(STATEMENTS))
)
def test_a_named_test_exists(named: str) -> None:
    """A test that was renamed or removed leaves a hole in the map, and this says where."""
    file, _, function = named.partition("::")
    assert function in functions(file)


def test_every_statement_belongs_to_a_row() -> None:
    """A number that the table does not have is a slip of the pen."""
    assert numbered() <= NUMBERS
