"""From a typed question to the SQL that this node runs: step (8) of a question's life.

Identifiers come from the contract, literals become bound parameters, and no expression of the
result can raise on data: loading held every number against its bounds and clamped it to a narrower
clip interval, casts happen only to such numbers, there is no division by a column.

What the engine's table holds beside the contract's columns (see `nodes.load`): `__unit`, the
protected unit as a dense integer; `__rank`, a row's random place among its unit's rows;
`__c_<column>`, the index of the value in the column's declared domain; `__k_<column>`, the value
clamped, where the clip interval is narrower than the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import assert_never

from policies.bounds import Interval
from policies.contract import Column, Contract, Type, Value
from policies.disclosure import Mechanism, ReleasePlan
from policies.question import (
    All,
    AnyOf,
    Arithmetic,
    ColumnOf,
    Comparison,
    Constant,
    Count,
    Expression,
    IsNull,
    Membership,
    Not,
    Predicate,
    Prefix,
    Relation,
    Sum,
    Units,
    columns_of,
)

Parameter = int | float | str | bool

MAXIMUM_SPELT = 64
"""Values of a domain that a statement names one by one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SELECT: a row per non-empty cell, keys as domain indices, then measures in grid steps."""

    sql: str
    parameters: tuple[Parameter, ...]


def compile_question(plan: ReleasePlan, contract: Contract) -> Statement:
    """The statement whose rows are the exact, bounded cells of `plan`."""
    return _Writer(contract).statement(plan)


@dataclass(slots=True)
class _Writer:
    """Collects parameters in the order in which their places are written."""

    contract: Contract
    parameters: list[Parameter] = field(default_factory=list)

    def statement(self, plan: ReleasePlan) -> Statement:
        """The whole SELECT."""
        keys = [_name(f"__c_{axis.column}") for axis in plan.axes]
        grouped = ", ".join(keys)
        if len(plan.axes) == 1 and self.spelt(self.contract.by_name[plan.axes[0].column]):
            # DuckDB groups by one text column through its stored dictionary, which is faster than
            # by an integer; with two keys the integers are faster.
            grouped = _name(plan.axes[0].column)
            places = ", ".join(self.bound(str(value)) for value in plan.axes[0].values)
            keys = [f"list_position([{places}], {grouped}) - 1"]
        measures = [self.measure(mechanism) for mechanism in plan.mechanisms]
        sql = f"SELECT {', '.join(keys + measures)} FROM {_name(self.contract.id)}"
        conditions = []
        if self.contract.unit is not None:
            conditions.append(f'"__rank" <= {self.bound(self.contract.disclosure.rows_per_unit)}')
        if plan.question.where is not None:
            conditions.append(self.predicate(plan.question.where))
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        if keys:
            sql += f" GROUP BY {grouped}"
        return Statement(sql, tuple(self.parameters))

    @staticmethod
    def spelt(column: Column) -> bool:
        """Whether a group is looked up in the domain once it is made, and not row by row before."""
        return column.type is Type.TEXT and len(column.domain) <= MAXIMUM_SPELT

    def bound(self, value: Parameter) -> str:
        """A place for a parameter."""
        self.parameters.append(value)
        return "?"

    def measure(self, mechanism: Mechanism) -> str:
        """One aggregate, a whole number of grid steps and never NULL."""
        match mechanism.measure:
            case Count(of):
                return self.count(of)
            case Units():
                return 'count(DISTINCT "__unit")'
            case Sum(of):
                assert mechanism.span is not None
                return self.sum(of, mechanism.span, mechanism)
            case _:
                assert_never(mechanism.measure)

    @staticmethod
    def count(of: Expression | None) -> str:
        """Rows, or those in which the expression has a value."""
        if of is None:
            return "count(*)"
        names = [_name(name) for name in dict.fromkeys(columns_of(of))]
        if len(names) == 1:
            return f"count({names[0]})"
        present = " AND ".join(f"{name} IS NOT NULL" for name in names)
        return f"count(CASE WHEN {present} THEN 1 END)"

    def sum(self, of: Expression, span: Interval, mechanism: Mechanism) -> str:
        """A sum of whole grid steps above the centre."""
        steps = self.expression(of, whole=span.whole)
        if not span.whole:
            steps = f"CAST(round({steps} / {self.bound(span.step)}) AS BIGINT)"
        total = f"coalesce(sum({steps}), 0)"
        if mechanism.centre_units and isinstance(mechanism.counted, Count):
            # Once for the cell: in whole numbers it is the same as once for each row.
            total += f" - {self.bound(mechanism.centre_units)} * {self.count(mechanism.counted.of)}"
        return total

    def expression(self, expression: Expression, *, whole: bool) -> str:
        """Arithmetic over clamped columns, in 64-bit integers or in doubles."""
        match expression:
            case Constant(value):
                return f"CAST({self.bound(value)} AS {'BIGINT' if whole else 'DOUBLE'})"
            case ColumnOf(name):
                return self.clamped(self.contract.by_name[name], whole=whole)
            case Arithmetic(operator, left, right):
                first = self.expression(left, whole=whole)
                second = self.expression(right, whole=whole)
                return f"({first} {operator} {second})"
            case _:
                assert_never(expression)

    @staticmethod
    def clamped(column: Column, *, whole: bool) -> str:
        """The column inside its clip interval, as a BIGINT or a DOUBLE; NULL stays NULL."""
        assert column.clip is not None  # an expression without bounds was refused
        name = _name(f"__k_{column.name}" if column.clipped else column.name)
        # Integers are stored as BIGINT, numbers as DOUBLE; whole expressions hold integers only.
        return name if whole or column.type is Type.NUMBER else f"CAST({name} AS DOUBLE)"

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
                return f"({_name(name)} IS NULL)"
            case Prefix(name, text):
                return f"starts_with({_name(name)}, {self.bound(text)})"
            case _:
                assert_never(predicate)

    def comparison(self, column: Column, relation: Relation, literal: Value) -> str:
        """Text with a declared domain is compared by its index, which is faster."""
        if column.type is Type.TEXT and column.domain:
            return (
                f"({_name(f'__c_{column.name}')} {relation} {self.bound(_code(column, literal))})"
            )
        return f"({_name(column.name)} {relation} {self.literal(column, literal)})"

    def membership(self, column: Column, literals: tuple[Value, ...]) -> str:
        """IN, with the same short cut."""
        if column.type is Type.TEXT and column.domain:
            places = ", ".join(self.bound(_code(column, literal)) for literal in literals)
            return f"({_name(f'__c_{column.name}')} IN ({places}))"
        places = ", ".join(self.literal(column, literal) for literal in literals)
        return f"({_name(column.name)} IN ({places}))"

    def literal(self, column: Column, literal: Value) -> str:
        """A parameter in the column's type."""
        match literal:
            case datetime():
                return f"CAST({self.bound(literal.isoformat(sep=' '))} AS TIMESTAMP)"
            case date():
                return f"CAST({self.bound(literal.isoformat())} AS DATE)"
            case bool() | int() | float() | str():
                kind = {Type.INTEGER: "BIGINT", Type.NUMBER: "DOUBLE"}.get(column.type)
                place = self.bound(literal)
                return f"CAST({place} AS {kind})" if kind else place
            case _:
                assert_never(literal)


def _code(column: Column, literal: Value) -> int:
    """The literal's index in the domain; -1, which no row has, where it is not in there."""
    try:
        return column.domain.index(literal)
    except ValueError:
        return -1


def _name(identifier: str) -> str:
    """A quoted identifier; contracts admit only [a-z][a-z0-9_]*, so there is nothing to escape."""
    return f'"{identifier}"'
