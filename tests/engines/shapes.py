"""Contracts with the values that engines disagree about, rows to fit, and questions about them.

Halves of a step, numbers too small to be multiplied, whole numbers past 2^31, texts that locales
order differently, moments with microseconds, the ends of months and years, NULL everywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from policies import odcs
from policies.contract import Column, Contract, Type
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
from tests import people
from tests.policies.documents import column

WORDS = ("Ä", "a", "B", "é", "zz", "_", "a b", "日本", "'", "\\", "$1", ":p1", "?", '"q"', "%")
FIRST, LAST = date(2023, 12, 30), date(2025, 3, 1)
TINY = (5e-324, 1e-310, 1e-160, -1e-200, 1e-30)


@dataclass(frozen=True)
class Shape:
    """A column: how the contract has it, and its values."""

    name: str
    property: dict[str, Any]
    values: st.SearchStrategy[Any]


def _integers(name: str, low: int, high: int, clip: list[int] | None, **more: Any) -> Shape:
    extra: dict[str, Any] = {"clip": clip} if clip else {}
    return Shape(
        name,
        column(
            name, "integer", logicalTypeOptions={"minimum": low, "maximum": high}, **extra, **more
        ),
        st.integers(low, high) | st.sampled_from([low, high]),
    )


def _near(value: float) -> tuple[float, float, float]:
    """The double, and its neighbours."""
    return math.nextafter(value, -math.inf), value, math.nextafter(value, math.inf)


def _numbers(name: str, step: float, reach: float) -> Shape:
    halves = st.integers(-1000, 1000).map(lambda n: max(-reach, min(reach, (n + 0.5) * step)))
    near = halves.flatmap(lambda half: st.sampled_from(_near(half)))
    return Shape(
        name,
        column(
            name, "number", logicalTypeOptions={"minimum": -reach, "maximum": reach}, step=step,
            clip=[-reach / 2, reach],
        ),
        st.floats(-reach, reach)
        | near.filter(lambda x: abs(x) <= reach)
        | st.sampled_from([0.0, -0.0, *TINY, -reach, reach]).filter(lambda x: abs(x) <= reach),
    )  # fmt: skip


_DAYS = st.dates(FIRST - timedelta(400), LAST + timedelta(400)) | st.sampled_from(
    [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29), date(2024, 12, 30), FIRST, LAST]
)
_MOMENTS = st.datetimes(
    datetime.fromisoformat("2022-01-01"), datetime.fromisoformat("2026-01-01")
) | st.sampled_from(
    [
        datetime.fromisoformat(text)
        for text in ("2024-02-29T23:59:59.999999", "2024-01-01", "2023-12-31T23:00:00")
    ]
)
_PERIOD = [FIRST.isoformat(), LAST.isoformat()]
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)

SHAPES: tuple[Callable[[str], Shape], ...] = (
    lambda name: _integers(name, -(2**53), 2**53, [-(2**40), 2**31]),
    lambda name: _integers(name, -3, 12, None, groupable=True),
    lambda name: _numbers(name, 1.0, 1000.0),
    lambda name: _numbers(name, 0.1, 50.0),
    lambda name: _numbers(name, 1e-9, 1.0),
    lambda name: Shape(
        name,
        column(name, "string", enum=[{"value": word} for word in WORDS]),
        st.sampled_from(WORDS),
    ),
    lambda name: Shape(name, column(name, "string"), _TEXT | st.sampled_from(WORDS)),
    lambda name: Shape(name, column(name, "boolean"), st.booleans()),
    lambda name: Shape(name, column(name, "date", period=_PERIOD), _DAYS),
    lambda name: Shape(name, column(name, "timestamp", period=_PERIOD), _MOMENTS),
)


def contract_of(shapes: Sequence[Shape], **terms: Any) -> Contract:
    """The contract `people` with these columns, besides the unit."""
    tree = json.loads(people.document(**{"landbridgeRowsPerUnit": 4, **terms}))
    tree["schema"][0]["properties"] = [
        column("person_id", "string", "sealed", required=True),
        *(shape.property for shape in shapes),
    ]
    return odcs.read(json.dumps(tree).encode(), "people")


@st.composite
def tables(draw: st.DrawFn, most_rows: int = 30) -> tuple[Contract, list[tuple[Any, ...]]]:
    """A contract and rows that keep it."""
    chosen = draw(st.lists(st.sampled_from(SHAPES), min_size=3, max_size=6))
    shapes = [make(f"c{place}") for place, make in enumerate(chosen)]
    rows = draw(
        st.lists(
            st.tuples(*(st.none() | shape.values for shape in shapes)),
            max_size=most_rows,
        )
    )
    # No unit has more rows than count, for which of them count is drawn by lot.
    return contract_of(shapes), [(f"u{n // 3}", *row) for n, row in enumerate(rows)]


def questions(contract: Contract) -> st.SearchStrategy[Question]:
    """What may be asked of it, and some that may not."""
    numeric = [c for c in contract.columns if c.type in (Type.INTEGER, Type.NUMBER)]
    constants: st.SearchStrategy[Expression] = st.builds(
        Constant,
        st.integers(-9, 9)
        | st.sampled_from([0.5, 0.1, -1.5, 1e-9, 2.675])
        | st.sampled_from([1e-100, 1e-200]),
    )
    leaves = constants
    if numeric:
        leaves = st.sampled_from(numeric).map(lambda c: ColumnOf(c.name)) | constants
    conditions = st.recursive(
        st.sampled_from(contract.columns).flatmap(_condition),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=4,
    )
    expressions: st.SearchStrategy[Expression] = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Arithmetic, st.sampled_from(Operator), inner, inner),
            st.builds(Case, conditions, inner, st.none() | inner),
        ),
        max_leaves=6,
    )
    measures: st.SearchStrategy[Measure] = st.one_of(
        st.builds(Sum, expressions),
        st.builds(Count, st.none() | expressions),
        st.builds(Histogram, expressions),
        st.builds(Units),
    )
    keys = st.sampled_from(contract.columns).flatmap(_key)
    return st.builds(
        Question,
        st.just("people"),
        st.lists(measures, min_size=1, max_size=3).map(tuple),
        st.lists(keys, max_size=2, unique_by=lambda key: key.column).map(tuple),
        st.none() | conditions,
    )


def _literals(of: Column) -> st.SearchStrategy[Any]:
    match of.type:
        case Type.INTEGER:
            return st.integers(-20, 20) | st.sampled_from([2**40, -(2**53), 2**31])
        case Type.NUMBER:
            return st.floats(-60, 60) | st.sampled_from([0.0, 0.05, -0.5, 1e-300])
        case Type.TEXT:
            return st.sampled_from([*WORDS, "", "A", "z", "ZZ"])
        case Type.BOOLEAN:
            return st.booleans()
        case Type.DATE:
            return _DAYS
        case Type.TIMESTAMP:
            return _MOMENTS


def _condition(of: Column) -> st.SearchStrategy[Predicate]:
    values = _literals(of)
    text = of.type is Type.TEXT
    relations = list(Relation)
    if text or of.type is Type.BOOLEAN:
        relations = [Relation.EQUAL, Relation.NOT_EQUAL]
    found: list[st.SearchStrategy[Predicate]] = [
        st.builds(Comparison, st.just(of.name), st.sampled_from(relations), values),
        st.builds(
            Membership, st.just(of.name), st.lists(values, min_size=1, max_size=3).map(tuple)
        ),
        st.just(IsNull(of.name)),
    ]
    if text:
        found.append(st.builds(Prefix, st.just(of.name), st.sampled_from([*WORDS, "a "])))
    return st.one_of(found)


def _key(of: Column) -> st.SearchStrategy[GroupKey]:
    if of.period is not None:
        return st.builds(Truncated, st.just(of.name), st.sampled_from(Span))
    if of.domain:
        return st.just(Whole(of.name))
    return st.builds(
        Bucketed,
        st.just(of.name),
        st.sampled_from([-20.0, 0.0, -0.3]),
        st.sampled_from([0.1, 45.0, 1e6]),
        st.integers(1, 7) | st.just(40),
    )


def awkward(**terms: Any) -> tuple[Contract, list[tuple[Any, ...]]]:
    """A table with a column of every shape, and rows in which every odd value meets others."""
    shapes = [make(f"c{place}") for place, make in enumerate(SHAPES)]
    halves = [near for n in (-3, -1, 0, 1, 6) for near in _near(n + 0.5)]
    odd: list[Sequence[Any]] = [
        [-(2**53), 2**53, -(2**40) - 1, 2**31, 2**31 - 1, 0, None],
        [-3, 12, 0, None, 7],
        [*halves, *TINY, -0.0, 1000.0, None],
        [*(half / 10 for half in halves), -50.0, *TINY, None],
        [*(half * 1e-9 for half in halves), 1.0, -1.0, None, *TINY],
        [*WORDS, None],
        [*WORDS, "", "A", "z" * 20, "a\u0301", None],
        [True, None, False],
        [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29), FIRST, LAST, None, *_days()],
        [*map(datetime.fromisoformat, _TEXTS), None],
    ]
    rows = [
        (f"u{number // 4}", *(values[number * (place + 1) % len(values)]
                              for place, values in enumerate(odd)))
        for number in range(120)
    ]  # fmt: skip
    return contract_of(shapes, **terms), rows


_TEXTS = (
    "2024-02-29T23:59:59.999999", "2024-01-01T00:00:00", "2023-12-31T23:59:59.000001",
    "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2024-07-01T12:00:00.5",
)  # fmt: skip


def _days() -> list[date]:
    return [date(2024, month, day) for month in (1, 3, 4, 6, 7, 10, 12) for day in (1, 30)]


def about_the_awkward(contract: Contract) -> list[Question]:
    """A question for everything that engines could see differently."""
    named = [column.name for column in contract.columns]
    number = {name: ColumnOf(name) for name in named}
    a, b, c, d, e = (number[f"c{place}"] for place in range(5))
    times, less, plus = Operator.MULTIPLY, Operator.SUBTRACT, Operator.ADD
    tall: Expression = c
    for factor in (d, e, c, Constant(0.5), d):
        tall = Arithmetic(times, Arithmetic(plus, tall, factor), factor)
    sums: tuple[Expression, ...] = (
        a, b, c, d, e, tall,
        Arithmetic(times, c, d),
        Arithmetic(times, e, e),
        Arithmetic(times, Arithmetic(less, c, d), Constant(1e-200)),
        Arithmetic(plus, Arithmetic(times, b, Constant(3)), Constant(-7)),
        Case(Comparison("c6", Relation.EQUAL, "a"), c, Constant(0)),
        Case(IsNull("c7"), d),
    )  # fmt: skip
    keys: tuple[tuple[GroupKey, ...], ...] = (
        (),
        (Whole("c5"), Whole("c7")),
        (Whole("c1"),),
        *((Truncated(name, span),) for name in ("c8", "c9") for span in Span),
        (Bucketed("c2", -1.5, 2.5, 4), Whole("c7")),
        (Bucketed("c4", 0.0, 1e-8, 7),),
        (Bucketed("c0", -20.0, 1e6, 3),),
        (Bucketed("c3", -0.3, 0.4, 7),),
        (Bucketed("c3", -0.5, 0.5, 100),),
    )
    conditions: tuple[Predicate | None, ...] = (
        None,
        *(Comparison("c6", Relation.NOT_EQUAL, word) for word in (*WORDS, "", "á")),
        *(Prefix("c6", word) for word in WORDS),
        *(Comparison("c5", Relation.EQUAL, word) for word in WORDS),
        Membership("c6", WORDS),
        Not(Membership("c0", (2**53, 0))),
        Comparison("c2", Relation.GREATER, 5e-324),
        Comparison("c8", Relation.LESS, date(2024, 2, 29)),
        Comparison("c9", Relation.GREATER_OR_EQUAL, datetime.fromisoformat(_TEXTS[2])),
        AnyOf((Comparison("c7", Relation.EQUAL, False), IsNull("c3"))),
    )
    found = [
        Question("people", tuple(Sum(each) for each in sums)),
        Question("people", tuple(Count(each) for each in sums)),
    ]
    found += [Question("people", (Histogram(each),)) for each in sums]
    found += [Question("people", (Count(), Sum(d), Units(), Histogram(c)), by) for by in keys]
    # Conditions are asked about together: one statement counts for each.
    together = [Count(Case(where, Constant(1))) for where in conditions if where is not None]
    found += [Question("people", tuple(together[at::5])) for at in range(5)]
    return found + [Question("people", (Count(), Units()), (), where) for where in conditions[:9]]
