"""The typed question: the closed algebra of what can be asked of one contract.

A question is what crosses the wire instead of SQL. Its cells are the product of the declared
domains of the grouping columns; each measure gives one number per cell (a histogram gives several),
and every measure is additive over rows, so that the answers of several departments add up.
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


@dataclass(frozen=True, slots=True)
class Case:
    """`then` where the condition is true, else `otherwise` (None: NULL)."""

    when: Predicate
    then: Expression
    otherwise: Expression | None = None


Expression = ColumnOf | Constant | Arithmetic | Case


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


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows have a bounded expression in each of its bins; see `policies.quantiles`.

    Quantiles are computed of it after release. A row in which the expression is NULL is in no bin.
    """

    of: Expression


Measure = Count | Sum | Units | Histogram


class Span(StrEnum):
    """The units that a date or timestamp can be cut off to; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Whole:
    """A grouping column as it is; its domain is declared."""

    column: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """A date or timestamp, cut off to a unit; the contract declares from when to when."""

    column: str
    span: Span


@dataclass(frozen=True, slots=True)
class Bucketed:
    """A number's bucket: 0 under `low`, 1 to `count` divide [low, high), `count` + 1 the rest."""

    column: str
    low: float
    high: float
    count: int


GroupKey = Whole | Truncated | Bucketed


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one contract; see `policies.canonical` for the one spelling it has.

    `joined` are further contracts of the same department, joined to the first on the protected
    unit; then columns are named "contract.column".
    """

    contract: str
    measures: tuple[Measure, ...]
    group_by: tuple[GroupKey, ...] = ()
    where: Predicate | None = None
    joined: tuple[str, ...] = ()

    @property
    def contracts(self) -> tuple[str, ...]:
        """Every contract that is asked, the first one first."""
        return (self.contract, *self.joined)


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
        case Case(_, then, otherwise):
            yield from columns_of(then)
            if otherwise is not None:
                yield from columns_of(otherwise)
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


def cases_of(expression: Expression) -> Iterator[Predicate]:
    """The conditions inside an expression, left to right."""
    match expression:
        case ColumnOf() | Constant():
            return
        case Arithmetic(_, left, right):
            yield from cases_of(left)
            yield from cases_of(right)
        case Case(when, then, otherwise):
            yield when
            yield from cases_of(then)
            if otherwise is not None:
                yield from cases_of(otherwise)
        case _:
            assert_never(expression)


def measured(measure: Measure) -> Iterator[str]:
    """Names of the columns that a measure reads."""
    match measure:
        case Count(None) | Units():
            return
        case Count(of) | Sum(of) | Histogram(of):
            if of is not None:
                yield from columns_of(of)
        case _:
            assert_never(measure)
