"""What a filter excludes by its words is no cell, and nothing needs to hide behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.errors import InvalidQuestion
from landbridge.levels import Level
from policies.contract import Column, Type
from policies.passing import passing
from policies.question import (
    All,
    AnyOf,
    Comparison,
    IsNull,
    Membership,
    Not,
    Predicate,
    Prefix,
    Relation,
)
from tests.disclosure.terms import exact, federation
from tests.people import crowd

COLOUR = Column("c", Type.TEXT, Level.OPEN, domain=("blue", "black", "red"), nullable=True)
BLUE = Comparison("c", Relation.EQUAL, "blue")
OTHER = Comparison("d", Relation.EQUAL, "blue")


@pytest.mark.parametrize(
    ("where", "through"),
    [
        (None, (0, 1, 2, 3)),
        (BLUE, (0,)),
        (Not(BLUE), (1, 2)),
        (Comparison("c", Relation.NOT_EQUAL, "blue"), (1, 2)),
        (Membership("c", ("red", "green")), (2,)),
        (Not(Membership("c", ("red",))), (0, 1)),
        (IsNull("c"), (3,)),
        (Not(IsNull("c")), (0, 1, 2)),
        (Prefix("c", "bl"), (0, 1)),
        (AnyOf((BLUE, IsNull("c"))), (0, 3)),
        (AnyOf((BLUE, OTHER)), (0, 1, 2, 3)),
        (OTHER, (0, 1, 2, 3)),
        (All((Prefix("c", "bl"), Not(BLUE), OTHER)), (1,)),
        (All((BLUE, IsNull("c"))), ()),
        (Not(All((BLUE, Prefix("c", "b")))), (1, 2)),
    ],
)
def test_values_pass_as_in_sql(where: Predicate | None, through: tuple[int, ...]) -> None:
    """Three-valued, of this column alone; what says nothing about it lets everything through."""
    assert passing(where, COLOUR) == through


def test_a_filter_on_a_column_of_the_table_is_answered(tmp_path: Path) -> None:
    """There are no men among women, for everybody to see: no small cell, nothing withheld."""
    north = federation(tmp_path, crowd(300), exact(landbridgeExactBy=["sex", "district"]))
    women = sum(row[4] == "F" for row in crowd(300))
    assert north.query("SELECT count(*) FROM people WHERE sex = 'F'").rows() == [(women,)]
    rows = north.query("SELECT sex, count(*) FROM people WHERE sex = 'F' GROUP BY sex").rows()
    assert rows == [("F", women), ("M", None)]


def test_a_filter_that_lets_nothing_through_is_answered_with_nothing(tmp_path: Path) -> None:
    """A contradiction is a table without cells."""
    north = federation(tmp_path, crowd(300), exact(landbridgeExactBy=["sex"]))
    found = north.query("SELECT count(*) FROM people WHERE sex = 'F' AND sex = 'M'").rows()
    assert found == [(None,)]


def test_other_columns_than_the_table_s_are_refused(tmp_path: Path) -> None:
    """They would make other sums of the same people, which nobody holds against these."""
    north = federation(tmp_path, crowd(300), exact())
    with pytest.raises(InvalidQuestion, match="no exact numbers by member") as refused:
        north.query("SELECT member, count(*) FROM people GROUP BY member")
    assert "district, sex or diagnosis" in str(refused.value.hint)
