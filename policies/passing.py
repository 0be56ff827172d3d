"""Which values of a column a filter lets through, by its own words; data is not looked at.

Only conditions joined by AND that are about this one column say something here, in SQL's
three-valued logic. What other conditions exclude is left in, and is an empty cell like any other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, assert_never

from policies.contract import Column, Value
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
    conditions,
)

_RELATIONS: Final[dict[Relation, Callable[[Any, Any], bool]]] = {
    Relation.EQUAL: operator.eq,
    Relation.NOT_EQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.LESS_OR_EQUAL: operator.le,
    Relation.GREATER: operator.gt,
    Relation.GREATER_OR_EQUAL: operator.ge,
}


def passing(where: Predicate | None, column: Column) -> tuple[int, ...]:
    """The places of the column's values that can pass in its domain, NULL after the last."""
    parts = () if where is None else where.of if isinstance(where, All) else (where,)
    own = [part for part in parts if all(leaf.column == column.name for leaf in conditions(part))]
    values = (*column.domain, *([None] if column.nullable else []))
    return tuple(
        place for place, value in enumerate(values) if all(_holds(part, value) for part in own)
    )


def _holds(predicate: Predicate, value: Value | None) -> bool | None:
    """Whether it is true of the value; None for unknown."""
    match predicate:
        case All(of):
            found = [_holds(part, value) for part in of]
            return False if False in found else None if None in found else True
        case AnyOf(of):
            found = [_holds(part, value) for part in of]
            return True if True in found else None if None in found else False
        case Not(inner):
            known = _holds(inner, value)
            return None if known is None else not known
        case IsNull():
            return value is None
        case Comparison(_, relation, literal):
            return None if value is None else _RELATIONS[relation](*_alike(value, literal))
        case Membership(_, literals):
            return None if value is None else value in literals
        case Prefix(_, text):
            return None if value is None else str(value).startswith(text)
        case _:
            assert_never(predicate)


def _alike(value: Value, literal: Value) -> tuple[object, object]:
    """Both as they are compared: the reader has made the literal one of the column's type."""
    if isinstance(value, datetime) != isinstance(literal, datetime):
        return _midnight(value), _midnight(literal)
    return value, literal


def _midnight(value: Value) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC, no tzinfo
    return value
