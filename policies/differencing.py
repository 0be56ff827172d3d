"""The differencing rule: no two filters whose difference could be one unit. Looks at texts only.

Two exact totals over populations that differ by one person give that person's value. Whether they
differ by one is a matter of data, and a refusal must not depend on data; so the rule looks at the
filters. A filter is a set of conditions joined by AND. Two filters are comparable unless they are
equal or provably disjoint (both bind one column, to sets or intervals without a common value). A
question is refused when its filter is comparable with that of an earlier question on the same
contract, whoever asked it, and

- by `exact`: always;
- by `cell_key`: where both sum the same column, and a condition that only one of them has is on a
  column that is identifying (every column is, unless its owner says otherwise).

Sources: D. Denning, P. Denning, M. Schwartz, The tracker (1979), for the attack; F. Chin, G.
Ozsoyoglu, Auditing and inference control in statistical databases (1982), for judging by history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from landbridge.errors import error
from policies.canonical import literal_text, predicate_text
from policies.contract import Contract, Method, Value
from policies.question import (
    All,
    ColumnOf,
    Comparison,
    Membership,
    Predicate,
    Question,
    Relation,
    Sum,
    conditions,
)

Mask = Callable[[str, Value], str | None]
"""What stands for a literal of a column instead of itself, or None for itself."""


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One condition of a filter: its text, its columns, and to what it binds its one column.

    `values` are the only texts that it lets through (empty: any), `low` and `high` the ends of the
    interval of numbers, days or seconds that it does.
    """

    text: str
    columns: tuple[str, ...]
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rule remembers of a question: the conditions, sorted, and the columns it sums."""

    conditions: tuple[Condition, ...]
    sums: tuple[str, ...]


def asked(question: Question, mask: Mask) -> Asked:
    """A canonical question as the rule sees it; `mask` keeps names of people out of the history."""
    where = question.where
    parts = () if where is None else where.of if isinstance(where, All) else (where,)
    columns = {
        measure.of.column
        for measure in question.measures
        if isinstance(measure, Sum) and isinstance(measure.of, ColumnOf)
    }
    return Asked(tuple(sorted(_condition(part, mask) for part in parts)), tuple(sorted(columns)))


def concerns(contract: Contract, now: Asked) -> bool:
    """Whether the rule has anything to compare or to remember."""
    method = contract.disclosure.method
    return method is Method.EXACT or (method is Method.CELL_KEY and bool(now.sums))


def require_no_difference(contract: Contract, now: Asked, earlier: Iterable[Asked]) -> None:
    """Raises DIFFERENCING; the refusal repeats nothing of the earlier question."""
    for before in earlier:
        if not _comparable(now, before):
            continue
        differing = set(now.conditions) ^ set(before.conditions)
        exact = contract.disclosure.method is Method.EXACT
        if exact or (
            set(now.sums) & set(before.sums)
            and any(
                contract.by_name[column].identifying
                for condition in differing
                for column in condition.columns
                if column in contract.by_name
            )
        ):
            raise error(
                "DIFFERENCING",
                f"Contract {contract.id} was asked with another filter before; the difference of "
                "the two answers could be about one unit.",
                rule="differencing",
                hint="The same filter is answered again, by any columns; so is one that shares no "
                "row with earlier ones by its own words.",
            )


def _comparable(one: Asked, other: Asked) -> bool:
    if one.conditions == other.conditions:
        return False
    return not any(
        _disjoint(first, second) for first in one.conditions for second in other.conditions
    )


def _disjoint(one: Condition, other: Condition) -> bool:
    if one.columns != other.columns or len(one.columns) != 1:
        return False
    if one.values and other.values:
        return not set(one.values) & set(other.values)
    ends = ((one.high, other.low), (other.high, one.low))
    return any(high is not None and low is not None and high < low for high, low in ends)


def _condition(predicate: Predicate, mask: Mask) -> Condition:
    columns = tuple(sorted({leaf.column for leaf in conditions(predicate)}))
    spelt = predicate_text(predicate, mask)
    match predicate:
        case Comparison(column, Relation.EQUAL, literal):
            number = _number(literal)
            return Condition(spelt, columns, _texts(column, (literal,), mask), number, number)
        case Membership(column, literals):
            return Condition(spelt, columns, _texts(column, literals, mask))
        case Comparison(_, Relation.LESS | Relation.LESS_OR_EQUAL, literal):
            return Condition(spelt, columns, high=_number(literal))
        case Comparison(_, Relation.GREATER | Relation.GREATER_OR_EQUAL, literal):
            return Condition(spelt, columns, low=_number(literal))
        case _:
            return Condition(spelt, columns)


def _texts(column: str, literals: Iterable[Value], mask: Mask) -> tuple[str, ...]:
    def each() -> Iterator[str]:
        for literal in literals:
            hidden = mask(column, literal)
            yield literal_text(literal) if hidden is None else hidden

    return tuple(sorted(each()))


def _number(literal: Value) -> float | None:
    match literal:
        case bool() | str():
            return None
        case int() | float():
            return float(literal)
        case datetime():
            return (literal - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - UTC, no tzinfo
        case date():
            return float(literal.toordinal())
