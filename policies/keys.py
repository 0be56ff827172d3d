"""Grouping keys: which finitely many values each one has. Contracts decide; where an owner lets a
column's values be found in the data, the noisy selection of `policies.selection` does.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import assert_never

from landbridge.errors import error
from policies.contract import Column, Contract, Method, Type, Value
from policies.question import Bucketed, GroupKey, Span, Truncated, Whole

MAXIMUM_BUCKETS = 1_000
MAXIMUM_SPANS = 10_000
NARROWEST = 2.0**-40
"""Of a bucket's width beside its ends: with less, edges could fall together."""


def is_open(key: GroupKey, contract: Contract) -> bool:
    """Whether the key's values are found in the data, by `policies.selection`."""
    found = isinstance(key, Whole) and contract.by_name[key.column].discovered
    return found and contract.disclosure.method is Method.DP


def values_of(key: GroupKey, contract: Contract) -> tuple[Value, ...]:
    """The key's values in order, NULL left out; none yet where they are found in the data.

    Raises UNDECLARED_DOMAIN or INVALID_QUESTION, naming the column and what would pass.
    """
    column = contract.by_name[key.column]
    match key:
        case Whole():
            if not column.domain and not is_open(key, contract):
                raise _undeclared(column, contract)
            return column.domain
        case Truncated(_, span):
            return tuple(starts(column, span))
        case Bucketed(_, low, high, count):
            if column.type not in (Type.INTEGER, Type.NUMBER):
                raise error("INVALID_QUESTION", f"width_bucket takes a number; {column.name} is "
                            f"{column.type}.")  # fmt: skip
            ends = -(2.0**52) < low < high < 2.0**52 and 1 <= count <= MAXIMUM_BUCKETS
            if not ends or (high - low) / count < NARROWEST * max(1.0, abs(low), abs(high)):
                raise error(
                    "INVALID_QUESTION",
                    "width_bucket takes a lower end, a larger upper end and from 1 to "
                    f"{MAXIMUM_BUCKETS} buckets.",
                    hint="Write width_bucket(column, 0, 100, 10).",
                )
            return tuple(range(count + 2))
        case _:
            assert_never(key)


def edges(key: Bucketed) -> tuple[float, ...]:
    """The `count` + 1 edges of the buckets, from `low` to `high`: bucket n is [n-1, n) of them.

    Each is the double nearest to what a caller gets with pencil and paper from the ends as they are
    written: -10 to 47 in 5 has an edge at 1.4, and so 1.4 is in the bucket that begins there. Sums
    and quotients of doubles would put it on either side.
    """
    low, high = Fraction(repr(key.low)), Fraction(repr(key.high))
    return tuple(float(low + (high - low) * n / key.count) for n in range(key.count + 1))


def starts(column: Column, span: Span) -> list[date]:
    """The first day of every span of the column's declared period."""
    if column.type not in (Type.DATE, Type.TIMESTAMP):
        raise error(
            "INVALID_QUESTION", f"date_trunc takes a date or time; {column.name} is {column.type}."
        )
    if column.period is None:
        raise error(
            "UNDECLARED_DOMAIN",
            f"Column {column.name} has no declared period, so it cannot be cut off to a {span}.",
            hint="Its owner can declare one.",
        )
    first, last = column.period
    found = [truncated(first, span)]
    while found[-1] != truncated(last, span):
        found.append(_next(found[-1], span))
        if len(found) > MAXIMUM_SPANS:
            raise error("TOO_MANY_CELLS", f"Column {column.name} has too many a {span}.")
    return found


def truncated(day: date, span: Span) -> date:
    """The first day of the span that the day lies in."""
    match span:
        case Span.DAY:
            return day
        case Span.WEEK:
            return day - timedelta(days=day.weekday())
        case Span.MONTH:
            return day.replace(day=1)
        case Span.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Span.YEAR:
            return day.replace(month=1, day=1)
        case _:
            assert_never(span)


def _next(start: date, span: Span) -> date:
    days = {Span.DAY: 1, Span.WEEK: 7, Span.MONTH: 31, Span.QUARTER: 92, Span.YEAR: 366}[span]
    return truncated(start + timedelta(days=days), span)


def _undeclared(column: Column, contract: Contract) -> Exception:
    others = [
        other.name
        for other in contract.columns
        if (other.domain or other.discovered)
        and other.level <= column.level
        and other.name != contract.unit
    ]
    number = column.type in (Type.INTEGER, Type.NUMBER)
    return error(
        "UNDECLARED_DOMAIN",
        f"Column {column.name} has no declared domain, so it cannot be grouped by.",
        hint=f"width_bucket({column.name}, low, high, n) makes buckets of it."
        if number
        else f"These columns can: {', '.join(others) or 'none'}.",
    )
