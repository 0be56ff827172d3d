"""Six pitfalls, by name: where engines differ, a table with those values, and cells worked out.

What is expected was reckoned by hand or stands as plain Python; nothing of it is an engine's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

from nodes.engines.engine import Engine
from policies.canonical import canonical
from policies.disclosure import ReleasePlan
from policies.question import (
    Arithmetic,
    Bucketed,
    Case,
    ColumnOf,
    Comparison,
    Constant,
    Count,
    GroupKey,
    Histogram,
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
    Whole,
)
from tests.engines.cells import cells, planned
from tests.engines.shapes import Shape, contract_of
from tests.policies.documents import column

_BIG = 2**40


def _shape(name: str, kind: str, **more: Any) -> Shape:
    return Shape(name, column(name, kind, **more), st.none())


def _bounds(low: float, high: float) -> dict[str, Any]:
    return {"logicalTypeOptions": {"minimum": low, "maximum": high}}


CONTRACT = contract_of(
    [
        _shape("flag", "boolean"),
        _shape("whole", "integer", **_bounds(-5_000, 5_000)),
        _shape("big", "integer", **_bounds(-_BIG, _BIG)),
        _shape("tenth", "number", step=0.1, **_bounds(-100, 100)),
        _shape("small", "number", step=1e-9, **_bounds(-1, 1)),
        _shape("word", "string"),
        _shape("at", "timestamp", period=["2023-12-01", "2024-12-31"]),
    ]
)
_MOMENT = datetime.fromisoformat
ROWS: list[tuple[Any, ...]] = [
    ("u0", True, -5_000, _BIG, 0.25, 1e-200, "a", _MOMENT("2023-12-31T23:59:59.999999")),
    ("u1", False, -1, _BIG, -0.25, -1e-200, "A", _MOMENT("2024-01-01T00:00:00")),
    ("u2", None, 0, _BIG - 1, 0.15, 5e-324, "á", _MOMENT("2024-02-29T12:00:00")),
    ("u3", None, 7, -1, 0.05, None, "a\u0301", _MOMENT("2024-12-30T00:00:00")),
    ("u4", False, None, None, None, 1.0, "a ", _MOMENT("2024-12-31T23:59:59")),
    ("u5", None, 5_000, 2**31, -99.95, 0.0, "_a", None),
    ("u6", None, -7, 2**31, 100.0, -1.0, None, _MOMENT("1999-12-31T23:59:59")),
]
_WORDS = [row[6] for row in ROWS]


def _cells(engine: Engine, question: Question) -> tuple[ReleasePlan, list[tuple[Any, ...]]]:
    plan = planned(question, CONTRACT)
    assert plan is not None, question
    (found,) = cells(plan, CONTRACT, engine)
    return plan, found


def _by_key(engine: Engine, key: GroupKey, where: Predicate | None = None) -> dict[Any, int]:
    """Rows of each cell."""
    plan, found = _cells(engine, Question("people", (Count(),), (key,), where))
    (axis,) = plan.axes
    return {None if code is None else axis.values[code]: count for code, count in found}


def _number(engine: Engine, measure: Measure) -> tuple[float, float]:
    """What the one measure adds up to, and the step of its grid."""
    plan, (row,) = _cells(engine, Question("people", (measure,)))
    (mechanism,) = plan.plain
    return float(row[0] * mechanism.step), mechanism.step


def _count(engine: Engine, *conditions: Predicate) -> list[int]:
    """Rows for which each of the conditions holds, in one statement."""
    measures = tuple(Count(Case(each, Constant(1))) for each in conditions)
    plan, (row,) = _cells(engine, Question("people", measures))
    found = {mechanism.measure: cell for mechanism, cell in zip(plan.plain, row, strict=True)}
    known = canonical(Question("people", measures), CONTRACT).measures
    assert set(known) == set(found)
    return [
        found[canonical(Question("people", (each,)), CONTRACT).measures[0]] for each in measures
    ]


def _bins(engine: Engine, name: str, steps: Callable[[Any], int]) -> None:
    """Each value is in the bin that its steps say; `steps` is by hand."""
    plan, found = _cells(engine, Question("people", (Histogram(ColumnOf(name)),)))
    layout = plan.mechanisms[0].layout
    assert layout is not None
    place = CONTRACT.columns.index(CONTRACT.by_name[name])
    values = [row[place] for row in ROWS if row[place] is not None]
    expected = Counter((steps(value) - layout.low_units) // layout.width for value in values)
    assert dict(found) == dict(expected)


def nulls(engine: Engine) -> None:
    """NULL is a cell of its own, in no range, and neither true nor false."""
    assert _by_key(engine, Whole("flag")) == {None: 4, False: 2, True: 1}
    assert _count(
        engine,
        Comparison("whole", Relation.GREATER, -6_000),
        Not(Comparison("whole", Relation.GREATER, 0)),
        Not(Membership("whole", (7, 5_000))),
    ) == [6, 4, 4]


def division(engine: Engine) -> None:
    """Bins of whole numbers round down, under zero too, and never to a fraction.

    So do buckets: 0.15 and 0.05 lie on edges, of few buckets and of many.
    """
    _bins(engine, "whole", lambda value: value)
    few, many = (Bucketed("tenth", -0.25, 0.25, count) for count in (10, 20))
    assert _by_key(engine, few) == {None: 1, 0: 1, 1: 1, 7: 1, 9: 1, 11: 2}
    assert _by_key(engine, many) == {None: 1, 0: 1, 1: 1, 13: 1, 17: 1, 21: 2}


def overflow(engine: Engine) -> None:
    """Sums pass 2^32 whole; a product that is too small for a double is zero and no error."""
    total, step = _number(engine, Sum(ColumnOf("big")))
    assert (total, step) == (3 * _BIG + 2**32, 512)  # on a grid of 512, so that -1 is nothing
    squared = Arithmetic(Operator.MULTIPLY, ColumnOf("small"), ColumnOf("small"))
    total, step = _number(engine, Sum(squared))
    assert abs(total - 2) <= step
    assert _count(engine, Comparison("small", Relation.GREATER, 0.0)) == [3]


def timestamps(engine: Engine) -> None:
    """In no time zone, to the microsecond; weeks are those of ISO 8601; outside is the end."""
    assert _by_key(engine, Truncated("at", Span.MONTH)) == {
        None: 1, date(2023, 12, 1): 2, date(2024, 1, 1): 1, date(2024, 2, 1): 1,
        date(2024, 12, 1): 2,
    }  # fmt: skip
    assert _by_key(engine, Truncated("at", Span.WEEK)) == {
        None: 1, date(2023, 11, 27): 1, date(2023, 12, 25): 1, date(2024, 1, 1): 1,
        date(2024, 2, 26): 1, date(2024, 12, 30): 2,
    }  # fmt: skip
    late = Comparison("at", Relation.GREATER, _MOMENT("2023-12-31T23:59:59.999998"))
    assert _count(engine, late) == [5]


def collations(engine: Engine) -> None:
    """Texts are their code points: no case, accent, normal form or blank is the same as another."""
    words = [word for word in _WORDS if word is not None]
    assert _count(engine, *(Comparison("word", Relation.EQUAL, word) for word in words)) == [1] * 6
    assert _count(engine, *(Prefix("word", start) for start in ("a", "A", "_", "%", "á", ""))) == [
        sum(word.startswith(start) for word in words) for start in ("a", "A", "_", "%", "á", "")
    ]


_TENTHS: Mapping[float, int] = {0.25: 3, -0.25: -3, 0.15: 1, 0.05: 1, -99.95: -1000, 100.0: 1000}
"""By hand: halves go away from zero; 0.15 / 0.1 is 1.4999999999999998, -99.95 / 0.1 is -999.5."""


def quantiles(engine: Engine) -> None:
    """A value belongs to the grid step next to it, and its bin begins at a step, not after one."""
    _bins(engine, "tenth", lambda value: _TENTHS[value])


PITFALLS: Mapping[str, Callable[[Engine], None]] = {
    "null ordering": nulls,
    "integer division": division,
    "overflow": overflow,
    "timestamps": timestamps,
    "collations": collations,
    "quantile definitions": quantiles,
}


def require(engine: Engine, name: str) -> None:
    """What is expected there is what the engine says."""
    PITFALLS[name](engine)
