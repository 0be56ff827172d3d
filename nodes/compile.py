"""From a typed question to the SQL that this node runs: step (8) of a question's life.

Identifiers come from the contract, literals become bound parameters, and no expression of the
result can raise on data: loading held every number against its bounds and clamped it to a narrower
clip interval, casts happen only to such numbers, there is no division by a column.

What the engine's table holds beside the contract's columns (see `nodes.load`): `__unit`, the
protected unit as a dense integer; `__rank`, a row's random place among its unit's rows;
`__c_<column>`, the index of the value in the column's declared domain, or any number for each value
of a column whose values are found by selection; `__k_<column>`, the value
clamped, where the clip interval is narrower than the bounds; by `cell_key` also `__key` and
`__unit_key`, the record keys of the row and of its unit.

The engine adds `__row`, a row's place in the table from 0, by which a statement can be about a
range of rows and read no others.

Tables are joined on the unit's own column: `__unit` numbers the units of one table and means
nothing in another. Each part keeps its own bound on `__rank`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import combinations
from math import prod
from typing import Final, assert_never

from landbridge.submission.randomised import Clamped
from nodes.dialects.dialect import DUCKDB, Dialect
from policies.bounds import Interval
from policies.cell_key import KEYS
from policies.contract import Column, Contract, Method, Type, Value
from policies.disclosure import Axis, Mechanism, ReleasePlan
from policies.keys import edges
from policies.protection import largest_needed
from policies.quantiles import Layout
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
    Membership,
    Not,
    Operator,
    Predicate,
    Prefix,
    Relation,
    Span,
    Sum,
    Truncated,
    Units,
    Whole,
)
from policies.selection import MAXIMUM_FOUND

Parameter = int | float | str | bool
UNIT: Final = '"__unit"'

MAXIMUM_SPELT = 64
"""Values of a domain that a statement names one by one."""
LISTED_BUCKETS = 12
"""Buckets whose edges a row is compared with one after the other."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SELECT: a row per non-empty cell, keys as domain indices, then measures in grid steps.

    By `cell_key` and `exact` the keys (by `exact` those of `ReleasePlan.table`) are followed by
    GROUPING() of all keys (`exact` with keys only, which has the margins too), the units in the
    cell, and per measure the fields of `policies.protection.Part`, its largest unit totals last.
    `rows` is the most there can be.
    """

    sql: str
    parameters: tuple[Parameter, ...]
    rows: int


def compile_question(
    plan: ReleasePlan, contract: Contract, codes: Sequence[int] = (), dialect: Dialect = DUCKDB
) -> Statement:
    """The statement whose rows are the exact, bounded cells of `plan.plain`, which is not empty.

    `codes` are those of the selected values of an axis whose values are found in the data; that key
    comes back as a code.
    """
    return Writer(contract, dialect).statement(plan, codes)


def compile_selection(
    plan: ReleasePlan, contract: Contract, dialect: Dialect = DUCKDB
) -> Statement:
    """The statement whose rows are, per value of the plan's open axis, code, value and units.

    A unit votes for at most `plan.selection.votes` values, those of its rows with the lowest ranks.
    """
    return Writer(contract, dialect).selection(plan)


def compile_histograms(
    plan: ReleasePlan, contract: Contract, codes: Sequence[int] = (), dialect: Dialect = DUCKDB
) -> tuple[Statement, ...]:
    """One statement per histogram of the plan, in its order; `codes` as in `compile_question`.

    Each has a row per cell and bin that is not empty: keys as domain indices, the bin, its rows.
    """
    return tuple(
        Writer(contract, dialect).histogram(plan, codes, mechanism.measure.of, mechanism.layout)
        for mechanism in plan.mechanisms
        if isinstance(mechanism.measure, Histogram) and mechanism.layout is not None
    )


@dataclass(slots=True)
class Writer:
    """SQL about one contract; collects parameters in the order in which their places stand."""

    contract: Contract
    dialect: Dialect = DUCKDB
    parameters: list[Parameter] = field(default_factory=list)

    def statement(self, plan: ReleasePlan, codes: Sequence[int]) -> Statement:
        """The whole SELECT."""
        if plan.terms.tabular:
            return self.tabular(plan)
        keys = [self.key(axis) for axis in plan.axes]
        # By place: a key with parameters cannot be written twice.
        grouped = ", ".join(str(place + 1) for place in range(len(keys)))
        lone = len(keys) == 1 and self.dialect.looks_up
        alone = self.spelt(plan.axes[0].key) if lone else None
        if alone is not None:
            # DuckDB groups by one text column through its stored dictionary, which is faster than
            # by an integer; with two keys the integers are faster.
            grouped = quoted_name(alone.name)
            places = ", ".join(self.bound(str(value)) for value in plan.axes[0].values)
            keys = [f"list_position([{places}], {grouped}) - 1"]
        measures = [self.measure(mechanism) for mechanism in plan.plain]
        sql = f"SELECT {', '.join(keys + measures)} FROM {self.source()}"
        sql += self.counting(plan, self.selected(plan, codes))
        if keys:
            sql += f" GROUP BY {grouped}"
        return Statement(sql, tuple(self.parameters), plan.cells)

    def selected(self, plan: ReleasePlan, codes: Sequence[int]) -> list[str]:
        """Of an axis whose values are found: rows with a selected one, or NULL where it counts."""
        found = []
        for axis in plan.axes:
            if axis.found:
                code = quoted_name(f"__c_{axis.key.column}")
                parts = [f"{code} IS NULL"] if axis.null_last else []
                if codes:
                    parts.append(f"{code} IN ({', '.join(self.bound(each) for each in codes)})")
                found.append(f"({' OR '.join(parts) or 'FALSE'})")
        return found

    def selection(self, plan: ReleasePlan) -> Statement:
        """First per unit and value, where one unit can have more rows than votes."""
        assert plan.selection is not None
        (axis,) = (axis for axis in plan.axes if axis.found)
        name, code = quoted_name(axis.key.column), quoted_name(f"__c_{axis.key.column}")
        rows = f"FROM {self.source()}{self.counting(plan, [f'{code} IS NOT NULL'])}"
        if self.contract.disclosure.rows_per_unit <= plan.selection.votes:
            shown = self.dialect.any_of(name)
            sql = f"SELECT {code}, {shown}, count(DISTINCT {UNIT}) {rows} GROUP BY {code}"
        else:
            votes = self.dialect.first_of(
                [f'{code} AS "code"', f'{self.dialect.any_of(name)} AS "value"'],
                f"{rows} GROUP BY {UNIT}, {code}",
                UNIT,
                'min("__rank")',
                self.bound(plan.selection.votes),
            )
            sql = (
                f'SELECT "code", {self.dialect.any_of(chr(34) + "value" + chr(34))}, count(*) '
                f'FROM ({votes}){self.dialect.derived} GROUP BY "code"'
            )
        return Statement(sql, tuple(self.parameters), MAXIMUM_FOUND)

    def counting(self, plan: ReleasePlan, more: Sequence[str] = ()) -> str:
        """Which rows count, as a WHERE clause; `more` conditions and their parameters are first."""
        conditions = [*more, *self.ranks()]
        if plan.question.where is not None:
            conditions.append(self.predicate(plan.question.where))
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def histogram(
        self, plan: ReleasePlan, codes: Sequence[int], of: Expression, layout: Layout
    ) -> Statement:
        """Rows per cell and bin; the bin is between the first and the last one for any data."""
        names = [f'"key_{place}"' for place in range(len(plan.axes))]
        inner = [f"{self.key(axis)} AS {name}" for axis, name in zip(plan.axes, names, strict=True)]
        inner.append(f'{self.expression(of, whole=layout.span.whole)} AS "value"')
        counting = self.counting(plan, self.selected(plan, codes))
        source = f"SELECT {', '.join(inner)} FROM {self.source()}{counting}"
        low, high = layout.span.low_units, layout.span.high_units
        # The places of the bin stand before those of the source.
        outer = Writer(self.contract, self.dialect)
        if not self.dialect.positional:
            outer.parameters = self.parameters
        # NaN is greatest in SQL: clamped before the cast, which it would make fail.
        steps = f"least({outer.bound(high)}, greatest({outer.bound(low)}, "
        steps += (
            '"value"))'
            if layout.span.whole
            else (self.dialect.steps('"value"', outer.bound(layout.span.step)) + "))")
        )
        index = self.dialect.quotient(
            f"(CAST({steps} AS BIGINT) - {outer.bound(low)})", outer.bound(layout.width)
        )
        sql = f"SELECT {', '.join([*names, index])}, count(*) FROM ({source}){self.dialect.derived}"
        sql += f' WHERE "value" IS NOT NULL GROUP BY {", ".join([*names, str(len(names) + 1)])}'
        parameters = tuple(self.parameters)
        if self.dialect.positional:
            parameters = (*outer.parameters, *parameters)
        return Statement(sql, parameters, plan.cells * layout.bins)

    def source(self) -> str:
        """The table, or the tables joined on the unit."""
        first, *others = (quoted_name(part.id) for part in self.contract.each)
        unit = "" if self.contract.unit is None else quoted_name(self.contract.unit)
        return first + "".join(f" JOIN {other} USING ({unit})" for other in others)

    def ranks(self) -> list[str]:
        """For each table the condition that keeps a unit's part bounded."""
        return [
            f"{self.own(part, '__rank')} <= {self.bound(part.disclosure.rows_per_unit)}"
            for part in self.contract.each
            if part.unit is not None
        ]

    def own(self, part: Contract, name: str) -> str:
        """A column that loading added to that part's table."""
        return (
            f"{quoted_name(part.id)}.{quoted_name(name)}"
            if self.contract.parts
            else quoted_name(name)
        )

    def tabular(self, plan: ReleasePlan) -> Statement:
        """First per unit, then per cell: rules look at how units share a cell."""
        margins = plan.terms.method is Method.EXACT
        # `exact` is asked for its whole table, whatever is shown of it.
        axes = plan.table if margins else plan.axes
        keys = [self.key(axis) for axis in axes]  # plain columns, without parameters
        margins = margins and bool(keys)
        most = largest_needed(plan.terms)
        places = range(len(plan.mechanisms))
        inner = [*keys, 'count(*) AS "rows"']
        outer = [*keys, "count(*)"]
        if margins:
            inner.insert(len(keys), f'{self.dialect.grouping(keys)} AS "level"')
            outer.insert(len(keys), '"level"')
        for place, mechanism in zip(places, plan.mechanisms, strict=True):
            inner += self.part(place, mechanism, keyed=plan.terms.method is Method.CELL_KEY)
            value = "count(*)" if isinstance(mechanism.measure, Units) else f'sum("value_{place}")'
            outer += [
                f'count(CASE WHEN "counted_{place}" > 0 THEN 1 END)',
                f"coalesce({value}, 0)",
                f'coalesce(sum("key_{place}") % {KEYS}, 0)',
                f'count(CASE WHEN "counted_{place}" < "rows" THEN 1 END)',
                f'coalesce(sum(abs("value_{place}")), 0)',
                f'coalesce(sum("counted_{place}"), 0)',
                *(
                    f"coalesce({self.nth_largest(place, rank, most)}, 0)"
                    for rank in range(1, most + 1)
                ),
            ]
        sql = f"SELECT {', '.join(inner)} FROM {self.source()}"
        if plan.question.where is not None:
            sql += f" WHERE {self.predicate(plan.question.where)}"
        if margins:
            sets = (part for size in range(len(keys) + 1) for part in combinations(keys, size))
            grouped = ", ".join(f"({', '.join([*part, UNIT])})" for part in sets)
            sql += f" GROUP BY GROUPING SETS ({grouped})"
        else:
            sql += f" GROUP BY {', '.join([*keys, UNIT])}"
        cell = [*keys, *(['"level"'] if margins else [])]
        if self.dialect.ranks and most:
            sql = self.ranked(sql, cell, len(plan.mechanisms))
        sql = f"SELECT {', '.join(outer)} FROM ({sql}){self.dialect.derived}"
        if keys:
            sql += f" GROUP BY {', '.join(cell)}"
        most_rows = prod(len(axis) + 1 for axis in axes) if margins else plan.cells
        return Statement(sql, tuple(self.parameters), most_rows)

    def nth_largest(self, place: int, rank: int, most: int) -> str:
        """The largest of the units' totals, and so on, of the measure in that place."""
        return self.dialect.nth_largest(f'abs("value_{place}")', rank, most, f'"rank_{place}"')

    def ranked(self, sql: str, cell: Sequence[str], measures: int) -> str:
        """The units' totals, each with its rank in its cell."""
        partition = f"PARTITION BY {', '.join(cell)} " if cell else ""
        ranks = [
            f'row_number() OVER ({partition}ORDER BY abs("value_{place}") DESC NULLS LAST) '
            f'AS "rank_{place}"'
            for place in range(measures)
        ]
        return f"SELECT *, {', '.join(ranks)} FROM ({sql}){self.dialect.derived}"

    def part(self, place: int, mechanism: Mechanism, *, keyed: bool) -> list[str]:
        """What one unit adds to a measure in one cell: rows that count, value and keys."""
        match mechanism.measure:
            case Count(None) | Units() | Histogram():  # the plan refused histograms
                present = ""
            case Count(of) | Sum(of):
                assert of is not None
                present = self.present(of)  # a plain column: the plan refused everything else
        counted = f"count(CASE WHEN {present} THEN 1 END)" if present else "count(*)"
        key = f'sum(CASE WHEN {present} THEN "__key" END)' if present else 'sum("__key")'
        if isinstance(mechanism.measure, Units):
            value, key = "1", 'min("__unit_key")'
        elif isinstance(mechanism.measure, Sum):
            value = self.measure(mechanism)
        else:
            value = counted
        return [
            f'{counted} AS "counted_{place}"',
            # 2^32 rows of 2^31 steps fit; the cast makes the largest cheap to find.
            f'CAST({value} AS BIGINT) AS "value_{place}"',
            f'{key if keyed else "0"} AS "key_{place}"',
        ]

    def key(self, axis: Axis) -> str:
        """The index of the row's value among the axis's, NULL for NULL, for any data."""
        match axis.key:
            case Whole(column):
                return quoted_name(column, "__c_")
            case Truncated(column, span):
                return self.span_index(self.contract.by_name[column], span, axis)
            case Bucketed() as bucketed:
                return self.bucket(bucketed)
            case _:
                assert_never(axis.key)

    def bucket(self, key: Bucketed) -> str:
        """How many of the edges a number has reached; NaN is greatest in SQL."""
        name, ends = quoted_name(key.column), edges(key)
        first = f"CASE WHEN {name} IS NULL THEN NULL WHEN {name} < {self.bound(key.low)} THEN 0"
        if key.count <= LISTED_BUCKETS:
            cases = [
                f"WHEN {name} < {self.bound(edge)} THEN {number}"
                for number, edge in enumerate(ends[1:], start=1)
            ]
            return f"{first} {' '.join(cases)} ELSE {key.count + 1} END"
        first += f" WHEN {name} >= {self.bound(key.high)} THEN {key.count + 1}"
        # The nearest edge is found by reckoning, which may be wrong between two edges alone, where
        # both say the same: the number has reached the one or has not reached the other.
        nearest = self.nearest_edge(name, key)
        listed = [self.bound(edge) for edge in ends]
        edge = self.dialect.element(listed, self.nearest_edge(name, key))
        return f"{first} ELSE {nearest} + CASE WHEN {name} < {edge} THEN 0 ELSE 1 END END"

    def nearest_edge(self, name: str, key: Bucketed) -> str:
        """The number, from 0, of the edge next to a number that lies between the ends."""
        width = (key.high - key.low) / key.count
        # Clamped all the same before the cast.
        clamped = f"least({self.bound(float(key.count))}, greatest({self.bound(0.0)}, "
        above = f"CAST({name} AS {self.double}) - {self.bound(key.low)} + {self.bound(width / 2)}"
        return f"CAST({clamped}floor(({above}) / {self.bound(width)}))) AS INTEGER)"

    def span_index(self, column: Column, span: Span, axis: Axis) -> str:
        """How many spans after the first; days outside the declared period are its ends."""
        assert column.period is not None  # reviewed
        first, last = column.period
        name = f"CAST({quoted_name(column.name)} AS DATE)"
        start = axis.values[0]
        assert isinstance(start, date)
        # Parameters are bound in the order in which their places stand.
        origin = f"CAST({self.bound(start.isoformat())} AS DATE)"
        # Clamped before anything is computed, so that no infinite or far-away day is.
        day = (
            f"greatest(CAST({self.bound(first.isoformat())} AS DATE), "
            f"least(CAST({self.bound(last.isoformat())} AS DATE), {name}))"
        )
        if span in (Span.DAY, Span.WEEK):
            days = self.dialect.days(origin, day)
            index = self.dialect.quotient(days, "7" if span is Span.WEEK else "1")
        else:
            index = self.dialect.spans(span, origin, day)
        return f"CASE WHEN {quoted_name(column.name)} IS NULL THEN NULL ELSE {index} END"

    def spelt(self, key: GroupKey) -> Column | None:
        """The column, where a group is looked up in the domain once it is made, not row by row."""
        column = self.contract.by_name[key.column]
        plain = isinstance(key, Whole) and column.type is Type.TEXT
        return column if plain and 0 < len(column.domain) <= MAXIMUM_SPELT else None

    def bound(self, value: Parameter) -> str:
        """A place for a parameter."""
        self.parameters.append(value)
        return self.dialect.place(len(self.parameters), value)

    @property
    def double(self) -> str:
        """The engine's type of 64-bit floats."""
        return self.dialect.types[Type.NUMBER]

    def measure(self, mechanism: Mechanism) -> str:
        """One aggregate, a whole number of grid steps and never NULL."""
        match mechanism.measure:
            case Count(of):
                return self.count(of)
            case Units():
                # A joined row has its unit in every part.
                return f"count(DISTINCT {self.own(self.contract.each[0], '__unit')})"
            case Sum(of):
                assert mechanism.span is not None
                return self.sum(of, mechanism.span, mechanism)
            case Histogram():
                raise AssertionError("a histogram has a statement of its own")
            case _:
                assert_never(mechanism.measure)

    def count(self, of: Expression | None) -> str:
        """Rows, or those in which the expression has a value."""
        match of:
            case None:
                return "count(*)"
            case ColumnOf(column):
                return f"count({quoted_name(column)})"
            case _:
                return f"count(CASE WHEN {self.present(of)} THEN 1 END)"

    def sum(self, of: Expression, span: Interval, mechanism: Mechanism) -> str:
        """A sum of whole grid steps above the centre."""
        total = f"coalesce(sum({self.steps(of, span)}), 0)"
        if mechanism.centre_units and isinstance(mechanism.counted, Count):
            # Once for the cell: in whole numbers it is the same as once for each row.
            total += f" - {self.bound(mechanism.centre_units)} * {self.count(mechanism.counted.of)}"
        return total

    def steps(self, of: Expression, span: Interval) -> str:
        """The expression's value in one row, in whole grid steps; NULL where it has none."""
        steps = self.expression(of, whole=span.whole)
        if span.whole:
            return steps
        return f"CAST({self.dialect.steps(steps, self.bound(span.step))} AS BIGINT)"

    def expression(self, expression: Expression, *, whole: bool) -> str:
        """Arithmetic over clamped columns, in 64-bit integers or in doubles."""
        match expression:
            case Constant(value):
                return f"CAST({self.bound(value)} AS {'BIGINT' if whole else self.double})"
            case ColumnOf(name):
                column = self.contract.by_name[name]
                if isinstance(column.randomised, Clamped):
                    return self.counted_as(column, column.randomised, whole=whole)
                return self.clamped(column, whole=whole)
            case Case(when, then, otherwise):
                words = (
                    f"CASE WHEN {self.predicate(when)} THEN {self.expression(then, whole=whole)}"
                )
                if otherwise is not None:
                    words += f" ELSE {self.expression(otherwise, whole=whole)}"
                return f"{words} END"
            case Arithmetic(operator, left, right):
                first = self.expression(left, whole=whole)
                second = self.expression(right, whole=whole)
                if operator is Operator.MULTIPLY:
                    return self.dialect.product(first, second, whole=whole)
                return f"({first} {operator} {second})"
            case _:
                assert_never(expression)

    def present(self, expression: Expression) -> str:
        """Whether an expression of `policies.canonical`'s counting form has a value."""
        match expression:
            case Constant():
                return "TRUE"
            case ColumnOf(name):
                return f"{quoted_name(name)} IS NOT NULL"
            case Arithmetic(_, left, right):
                return f"({self.present(left)} AND {self.present(right)})"
            case Case(when, then, otherwise):
                # In the order of their places, for the parameters.
                first = f"CASE WHEN {self.predicate(when)} THEN {self.present(then)}"
                return f"{first} ELSE {self.present(otherwise) if otherwise else 'FALSE'} END"
            case _:
                assert_never(expression)

    def counted_as(self, column: Column, how: Clamped, *, whole: bool) -> str:
        """What a report counts as, so that a sum is unbiased; `landbridge.submission.randomised`.

        A BIGINT or a DOUBLE within `how.ends` for any data.
        """
        name = quoted_name(column.name)
        kind = "BIGINT" if whole else self.double
        low, high = how.ends

        def number(value: float) -> str:
            return f"CAST({self.bound(int(value) if whole else float(value))} AS {kind})"

        # In the order of their places. NaN is greatest in SQL, so it counts as the upper end.
        return (
            f"CASE WHEN {name} <= {number(how.low)} THEN {number(low)} "
            f"WHEN {name} >= {number(how.high)} THEN {number(high)} "
            f"ELSE CAST({name} AS {kind}) END"
        )

    def clamped(self, column: Column, *, whole: bool) -> str:
        """The column inside its clip interval, as a BIGINT or a DOUBLE; NULL stays NULL."""
        assert column.clip is not None  # an expression without bounds was refused
        name = quoted_name(column.name, "__k_" if column.clipped else "")
        # Integers are stored as BIGINT, numbers as DOUBLE; whole expressions hold integers only.
        return name if whole or column.type is Type.NUMBER else f"CAST({name} AS {self.double})"

    def predicate(self, predicate: Predicate) -> str:
        """A condition in three-valued logic."""
        match predicate:
            case All(of):
                return "(" + " AND ".join(self.predicate(part) for part in of) + ")"
            case AnyOf(of):
                return "(" + " OR ".join(self.predicate(part) for part in of) + ")"
            case Not(inner):
                return f"(NOT {self.predicate(inner)})"
            case Comparison(name, relation, literal):
                return self.comparison(self.contract.by_name[name], relation, literal)
            case Membership(name, literals):
                return self.membership(self.contract.by_name[name], literals)
            case IsNull(name):
                return f"({quoted_name(name)} IS NULL)"
            case Prefix(name, text):
                return self.dialect.starts_with(quoted_name(name), self.bound(text))
            case _:
                assert_never(predicate)

    def comparison(self, column: Column, relation: Relation, literal: Value) -> str:
        """Text with a declared domain is compared by its index, which is faster."""
        if column.type is Type.TEXT and column.domain:
            name = quoted_name(column.name, "__c_")
            return f"({name} {relation} {self.bound(_code(column, literal))})"
        return f"({quoted_name(column.name)} {relation} {self.literal(column, literal)})"

    def membership(self, column: Column, literals: tuple[Value, ...]) -> str:
        """IN, with the same short cut."""
        if column.type is Type.TEXT and column.domain:
            places = ", ".join(self.bound(_code(column, literal)) for literal in literals)
            return f"({quoted_name(column.name, '__c_')} IN ({places}))"
        places = ", ".join(self.literal(column, literal) for literal in literals)
        return f"({quoted_name(column.name)} IN ({places}))"

    def literal(self, column: Column, literal: Value) -> str:
        """A parameter in the column's type."""
        match literal:
            case datetime():
                kind = self.dialect.types[Type.TIMESTAMP]
                return f"CAST({self.bound(literal.isoformat(sep=' '))} AS {kind})"
            case date():
                return f"CAST({self.bound(literal.isoformat())} AS DATE)"
            case bool() | int() | float() | str():
                place = self.bound(literal)
                if column.type in (Type.INTEGER, Type.NUMBER):
                    return f"CAST({place} AS {self.dialect.types[column.type]})"
                return place
            case _:
                assert_never(literal)


def _code(column: Column, literal: Value) -> int:
    """The literal's index in the domain; -1, which no row has, where it is not in there."""
    try:
        return column.domain.index(literal)
    except ValueError:
        return -1


def quoted_name(identifier: str, prefix: str = "") -> str:
    """A quoted identifier; contracts admit only [a-z][a-z0-9_]*, so there is nothing to escape.

    "table.column" of a joined contract becomes two; `prefix` stands before the column.
    """
    table, dot, column = identifier.rpartition(".")
    return f'"{table}"."{prefix}{column}"' if dot else f'"{prefix}{column}"'
