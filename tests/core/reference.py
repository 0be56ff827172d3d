"""What a question means, in plain Python over rows: the independent second opinion.

Written from the definition of the algebra, row by row and with SQL's three-valued logic; it shares
no code with the compiler.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from policies.bounds import interval
from policies.contract import Contract
from policies.question import (
    All,
    AnyOf,
    Arithmetic,
    Bucketed,
    Case,
    ColumnOf,
    Comparison,
    Constant,
    Count,
    Expression,
    GroupKey,
    Histogram,
    IsNull,
    Measure,
    Membership,
    Not,
    Operator,
    Predicate,
    Prefix,
    Question,
    Relation,
    Span,
    Sum,
    Truncated,
    Units,
    Whole,
)
from tests.people import COLUMNS, Row

_RELATIONS = {
    Relation.EQUAL: operator.eq,
    Relation.NOT_EQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.LESS_OR_EQUAL: operator.le,
    Relation.GREATER: operator.gt,
    Relation.GREATER_OR_EQUAL: operator.ge,
}
_OPERATORS = {
    Operator.ADD: operator.add,
    Operator.SUBTRACT: operator.sub,
    Operator.MULTIPLY: operator.mul,
}


def truth(predicate: Predicate, row: Mapping[str, Any]) -> bool | None:
    """TRUE, FALSE or (None) unknown."""
    match predicate:
        case Comparison(column, relation, literal):
            value = row[column]
            return None if value is None else bool(_RELATIONS[relation](value, literal))
        case Membership(column, literals):
            value = row[column]
            return None if value is None else value in literals
        case IsNull(column):
            return row[column] is None
        case Prefix(column, text):
            value = row[column]
            return None if value is None else str(value).startswith(text)
        case Not(inner):
            found = truth(inner, row)
            return None if found is None else not found
        case All(of):
            parts = [truth(part, row) for part in of]
            return False if False in parts else None if None in parts else True
        case AnyOf(of):
            parts = [truth(part, row) for part in of]
            return True if True in parts else None if None in parts else False


def value(expression: Expression, row: Mapping[str, Any], contract: Contract) -> Any:
    """The expression's value for one row, columns clamped; None where a column is."""
    match expression:
        case Constant(number):
            return number
        case ColumnOf(name):
            found, clip = row[name], contract.by_name[name].clip
            if found is None or clip is None:
                return found
            return min(max(found, clip.low), clip.high)
        case Case(when, then, otherwise):
            if truth(when, row) is True:
                return value(then, row, contract)
            return None if otherwise is None else value(otherwise, row, contract)
        case Arithmetic(sign, left, right):
            first, second = value(left, row, contract), value(right, row, contract)
            return None if first is None or second is None else _OPERATORS[sign](first, second)


def key_value(key: GroupKey, row: Mapping[str, Any]) -> Any:
    """The group that a row belongs to."""
    found = row[key.column]
    if found is None:
        return None
    match key:
        case Whole():
            return found
        case Truncated(_, span):
            return {
                Span.DAY: found,
                Span.WEEK: found - timedelta(days=found.weekday()),
                Span.MONTH: date(found.year, found.month, 1),
                Span.QUARTER: date(found.year, [1, 4, 7, 10][(found.month - 1) // 3], 1),
                Span.YEAR: date(found.year, 1, 1),
            }[span]
        case Bucketed(_, low, high, count):
            # Decimal arithmetic, on what the caller wrote: as one would with pencil and paper.
            ends = Decimal(repr(low)), Decimal(repr(high))
            width = ends[1] - ends[0]
            return sum(found >= float(ends[0] + width * n / count) for n in range(count + 1))


def answer(
    question: Question, rows: Sequence[Row], contract: Contract
) -> dict[tuple[Any, ...], list[float]]:
    """Every measure of every non-empty cell, exact; sums on the grid of their expression."""
    return answer_named(question, [dict(zip(COLUMNS, row, strict=True)) for row in rows], contract)


def answer_named(
    question: Question, rows: Sequence[Mapping[str, Any]], contract: Contract
) -> dict[tuple[Any, ...], list[float]]:
    """The same for rows whose values have names."""
    cells: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for named in rows:
        if question.where is None or truth(question.where, named) is True:
            key = tuple(key_value(part, named) for part in question.group_by)
            cells.setdefault(key, []).append(named)
    return {
        key: [_measured(measure, part, contract) for measure in question.measures]
        for key, part in cells.items()
    }


def _measured(measure: Measure, rows: Sequence[Mapping[str, Any]], contract: Contract) -> float:
    match measure:
        case Count(None):
            return len(rows)
        case Histogram():
            raise AssertionError("tests/quantiles has a reference of its own")
        case Units():
            return len({row["person_id"] for row in rows})
        case Count(of):
            assert of is not None
            return sum(value(of, row, contract) is not None for row in rows)
        case Sum(of):
            step = interval(of, contract).step
            found = [value(of, row, contract) for row in rows]
            return float(sum(round(number / step) * step for number in found if number is not None))
