"""The typed question: the closed algebra of what can be asked of one contract.

A question is what crosses the wire instead of SQL. Its cells are the product of the declared
domains of the grouping columns; each measure gives one number per cell, and every measure is
additive over rows, so that the answers of several departments add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from policies.contract import Value


class Operator(StrEnum):
    """Arithmetic inside an aggregate; division is not in the algebra, it can fail on data."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"


class Relation(StrEnum):
    """Comparison of a column with a literal."""

    EQUAL = "="
    NOT_EQUAL = "<>"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """The value of a column in one row."""

    column: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal number."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two expressions and an operator; NULL where either is."""

    operator: Operator
    left: Expression
    right: Expression


Expression = ColumnOf | Constant | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """`column relation literal`, NULL where the column is."""

    column: str
    relation: Relation
    literal: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """`column IN (literals)`, NULL where the column is."""

    column: str
    literals: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """The column has no value; never NULL itself."""

    column: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """The text of the column starts with these characters."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class All:
    """AND."""

    of: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """OR."""

    of: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    of: Predicate


Predicate = Comparison | Membership | IsNull | Prefix | All | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Count:
    """Rows, or rows in which the expression has a value."""

    of: Expression | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of a bounded expression; NULL adds nothing."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Units:
    """Distinct protected units."""


Measure = Count | Sum | Units


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one contract; see `policies.canonical` for the one spelling it has."""

    contract: str
    measures: tuple[Measure, ...]
    group_by: tuple[str, ...] = ()
    where: Predicate | None = None


def columns_of(expression: Expression) -> Iterator[str]:
    """Names of the columns in an expression, left to right."""
    match expression:
        case ColumnOf(column):
            yield column
        case Constant():
            return
        case Arithmetic(_, left, right):
            yield from columns_of(left)
            yield from columns_of(right)
        case _:
            assert_never(expression)


def conditions(predicate: Predicate) -> Iterator[Comparison | Membership | IsNull | Prefix]:
    """The leaves of a predicate, left to right."""
    match predicate:
        case All(of) | AnyOf(of):
            for part in of:
                yield from conditions(part)
        case Not(inner):
            yield from conditions(inner)
        case Comparison() | Membership() | IsNull() | Prefix():
            yield predicate
        case _:
            assert_never(predicate)


def measured(measure: Measure) -> Iterator[str]:
    """Names of the columns that a measure reads."""
    match measure:
        case Count(None) | Units():
            return
        case Count(of) | Sum(of):
            if of is not None:
                yield from columns_of(of)
        case _:
            assert_never(measure)
