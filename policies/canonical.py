"""One spelling per question, so that a rewritten question is the same question.

`age > 17` and `age >= 18` on whole numbers, conditions in another order, `IN` with one value, a
doubled negation: all of them become equal here. The owner's ledger remembers answers by this
form, so a caller gains no second draw of the noise by asking in other words. Rewritings hold in
SQL's three-valued logic: a comparison and its negation are both NULL where the column is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import TypeVar, assert_never

from landbridge.levels import Level
from policies.contract import Column, Contract, Type, Value
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
    Sum,
    Truncated,
    Units,
    Whole,
    columns_of,
)

T = TypeVar("T")
Mask = Callable[[str, Value], str | None]
"""What stands for a literal that a column is compared with; None: itself."""

_OPPOSITE = {
    Relation.EQUAL: Relation.NOT_EQUAL,
    Relation.NOT_EQUAL: Relation.EQUAL,
    Relation.LESS: Relation.GREATER_OR_EQUAL,
    Relation.GREATER_OR_EQUAL: Relation.LESS,
    Relation.GREATER: Relation.LESS_OR_EQUAL,
    Relation.LESS_OR_EQUAL: Relation.GREATER,
}


def canonical(question: Question, contract: Contract) -> Question:
    """The question's one spelling; idempotent, and equal in every answer."""
    where = None if question.where is None else _predicate(question.where, contract, negate=False)
    measures = _distinct(
        (canonical_measure(measure, contract) for measure in question.measures), measure_text
    )
    # An inner join on one column is the same in every order.
    first, *others = sorted(question.contracts)
    keys = tuple(sorted(question.group_by, key=key_text))
    return Question(first, measures, keys, where, tuple(others))


def text(question: Question, mask: Mask | None = None) -> str:
    """The question in words that read like SQL; unambiguous, nothing runs it.

    `mask(column, literal)` can give what stands for a literal instead of itself.
    """
    words = "SELECT " + ", ".join(
        [
            *(key_text(key, mask) for key in question.group_by),
            *(measure_text(measure, mask) for measure in question.measures),
        ]
    )
    words += f" FROM {question.contract}"
    words += "".join(f" JOIN {other} USING (unit)" for other in question.joined)
    if question.where is not None:
        words += f" WHERE {predicate_text(question.where, mask)}"
    if question.group_by:
        words += " GROUP BY " + ", ".join(key_text(key, mask) for key in question.group_by)
    return words


def masked(question: Question, contract: Contract, digest: Callable[[str], str]) -> str:
    """The question in words for a log.

    What could name somebody becomes a keyed digest: text that is no declared value, and everything
    that a restricted column is compared with.
    """
    return text(question, masking(contract, digest))


def masking(contract: Contract, digest: Callable[[str], str]) -> Callable[[str, Value], str | None]:
    """What `masked` puts in the place of a literal; None leaves it as it is."""

    def mask(column: str, value: Value) -> str | None:
        known = contract.by_name[column]
        free_text = isinstance(value, str) and value not in known.domain
        if free_text or known.level >= Level.RESTRICTED:
            return f"<{digest(literal_text(value))[:16]}>"
        return None

    return mask


def _spelt(column: str, value: Value, mask: Mask | None) -> str:
    shown = None if mask is None else mask(column, value)
    return literal_text(value) if shown is None else shown


def literal_text(value: Value) -> str:
    """A literal, spelt so that values of two types never look alike."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case datetime():
            return f"TIMESTAMP {value.isoformat()}"
        case date():
            return f"DATE {value.isoformat()}"
        case _:
            assert_never(value)


def expression_text(
    expression: Expression, mask: Mask | None = None, beside: Iterable[str] = ()
) -> str:
    """An expression with every bracket it needs; `beside` are the columns of the whole."""
    match expression:
        case ColumnOf(column):
            return column
        case Constant(value):
            # A number beside a column is masked as if the column were compared with it.
            spelt = {_spelt(column, value, mask) for column in beside} - {literal_text(value)}
            return spelt.pop() if spelt else literal_text(value)
        case Arithmetic(operator, left, right):
            first = expression_text(left, mask, beside)
            return f"({first} {operator} {expression_text(right, mask, beside)})"
        case Case(when, then, otherwise):
            words = f"CASE WHEN {predicate_text(when, mask)} "
            words += f"THEN {expression_text(then, mask, beside)}"
            if otherwise is not None:
                words += f" ELSE {expression_text(otherwise, mask, beside)}"
            return words + " END"
        case _:
            assert_never(expression)


def key_text(key: GroupKey, mask: Mask | None = None) -> str:
    """A grouping key."""
    match key:
        case Whole(column):
            return column
        case Truncated(column, span):
            return f"date_trunc('{span}', {column})"
        case Bucketed(column, low, high, count):
            ends = (_spelt(column, low, mask), _spelt(column, high, mask))
            return f"width_bucket({column}, {', '.join(ends)}, {count})"
        case _:
            assert_never(key)


def measure_text(measure: Measure, mask: Mask | None = None) -> str:
    """A measure."""
    match measure:
        case Count(None):
            return "count(*)"
        case Count(of):
            assert of is not None
            return f"count({expression_text(of, mask, set(columns_of(of)))})"
        case Sum(of):
            return f"sum({expression_text(of, mask, set(columns_of(of)))})"
        case Histogram(of):
            return f"histogram({expression_text(of, mask, set(columns_of(of)))})"
        case Units():
            return "count(DISTINCT unit)"
        case _:
            assert_never(measure)


def predicate_text(predicate: Predicate, mask: Mask | None = None) -> str:
    """A condition with every bracket it needs; `mask` as in `text`."""

    def spelt(column: str, value: Value) -> str:
        return _spelt(column, value, mask)

    match predicate:
        case Comparison(column, relation, literal):
            return f"{column} {relation} {spelt(column, literal)}"
        case Membership(column, literals):
            return f"{column} IN ({', '.join(spelt(column, value) for value in literals)})"
        case IsNull(column):
            return f"{column} IS NULL"
        case Prefix(column, start):
            return f"{column} LIKE {spelt(column, start)} || '%'"
        case All(of):
            return "(" + " AND ".join(predicate_text(part, mask) for part in of) + ")"
        case AnyOf(of):
            return "(" + " OR ".join(predicate_text(part, mask) for part in of) + ")"
        case Not(inner):
            return f"NOT {predicate_text(inner, mask)}"
        case _:
            assert_never(predicate)


def _key(key: GroupKey) -> GroupKey:
    """There is one zero."""
    if isinstance(key, Bucketed):
        return Bucketed(key.column, key.low + 0.0, key.high + 0.0, key.count)
    return key


def canonical_measure(measure: Measure, contract: Contract) -> Measure:
    """A measure's one spelling.

    An expression has a value where the columns that it takes have one, so what is counted is
    columns, and no arithmetic; what is never NULL is counted as rows.
    """
    match measure:
        case Count(None) | Units():
            return measure
        case Count(of):
            assert of is not None
            present = _presence(of, contract)
            return Count() if present == _PRESENT else Count(present)
        case Sum(of):
            return Sum(canonical_expression(of, contract))
        case Histogram(of):
            return Histogram(canonical_expression(of, contract))
        case _:
            assert_never(measure)


_PRESENT = Constant(1)


def _presence(expression: Expression, contract: Contract) -> Expression:
    """An expression that is NULL exactly where the given one is, without arithmetic."""
    match expression:
        case Constant():
            return _PRESENT
        case ColumnOf(column):
            known = contract.by_name.get(column)
            return expression if known is None or known.nullable else _PRESENT
        case Arithmetic(_, left, right):
            parts = (_presence(left, contract), _presence(right, contract))
            wanted = _distinct(
                (leaf for part in parts for leaf in _conjuncts(part)), expression_text
            )
            if not wanted:
                return _PRESENT
            found = wanted[0]
            for part in wanted[1:]:
                found = Arithmetic(Operator.ADD, found, part)
            return found
        case Case(when, then, otherwise):
            branch = _presence(then, contract)
            rest = None if otherwise is None else _presence(otherwise, contract)
            if branch == rest == _PRESENT:
                return _PRESENT
            return Case(_predicate(when, contract, negate=False), branch, rest)
        case _:
            assert_never(expression)


def _conjuncts(present: Expression) -> Iterable[Expression]:
    if isinstance(present, Arithmetic):
        return (*_conjuncts(present.left), *_conjuncts(present.right))
    return () if present == _PRESENT else (present,)


def canonical_expression(expression: Expression, contract: Contract) -> Expression:
    """An expression's one spelling: commuted operands in order, whole floats as integers."""
    match expression:
        case Arithmetic(operator, left, right):
            left = canonical_expression(left, contract)
            right = canonical_expression(right, contract)
            if operator is not Operator.SUBTRACT and expression_text(right) < expression_text(left):
                left, right = right, left
            return Arithmetic(operator, left, right)
        case Constant(float() as value) if value.is_integer() and abs(value) < 2**53:
            return Constant(int(value))
        case Case(when, then, otherwise):
            return Case(
                _predicate(when, contract, negate=False),
                canonical_expression(then, contract),
                None if otherwise is None else canonical_expression(otherwise, contract),
            )
        case ColumnOf() | Constant():
            return expression
        case _:
            assert_never(expression)


def _predicate(predicate: Predicate, contract: Contract, *, negate: bool) -> Predicate:
    match predicate:
        case Not(inner):
            return _predicate(inner, contract, negate=not negate)
        case All(of) | AnyOf(of):
            parts = [_predicate(part, contract, negate=negate) for part in of]
            # De Morgan holds in three-valued logic.
            return _junction(parts, conjunction=isinstance(predicate, All) is not negate)
        case Comparison(column, relation, literal):
            relation = _OPPOSITE[relation] if negate else relation
            return _comparison(column, relation, literal, contract.by_name.get(column))
        case Membership(column, literals):
            return _membership(column, literals, contract.by_name.get(column), negate=negate)
        case IsNull() | Prefix():
            return Not(predicate) if negate else predicate
        case _:
            assert_never(predicate)


def _junction(parts: Iterable[Predicate], *, conjunction: bool) -> Predicate:
    kind = All if conjunction else AnyOf
    flat = _distinct(
        (inner for part in parts for inner in (part.of if isinstance(part, kind) else (part,))),
        predicate_text,
    )
    return flat[0] if len(flat) == 1 else kind(flat)


def _distinct(values: Iterable[T], spelt: Callable[[T], str]) -> tuple[T, ...]:
    """Each once, sorted by how it is spelt: 1, 1.0 and TRUE are equal in Python, not here."""
    by_text = {spelt(value): value for value in values}
    return tuple(by_text[text] for text in sorted(by_text))


def _comparison(
    column: str, relation: Relation, literal: Value, known: Column | None
) -> Comparison:
    literal = _literal(literal, known)
    if isinstance(literal, int) and not isinstance(literal, bool):
        whole = known is not None and known.type is Type.INTEGER
        if whole and relation is Relation.LESS:
            return Comparison(column, Relation.LESS_OR_EQUAL, literal - 1)
        if whole and relation is Relation.GREATER:
            return Comparison(column, Relation.GREATER_OR_EQUAL, literal + 1)
    if isinstance(literal, bool) and relation is Relation.NOT_EQUAL:
        return Comparison(column, Relation.EQUAL, not literal)
    return Comparison(column, relation, literal)


def _membership(
    column: str, literals: tuple[Value, ...], known: Column | None, *, negate: bool
) -> Predicate:
    values = _distinct((_literal(value, known) for value in literals), literal_text)
    if len(values) == 1:
        relation = Relation.NOT_EQUAL if negate else Relation.EQUAL
        return _comparison(column, relation, values[0], known)
    found = Membership(column, values)
    return Not(found) if negate else found


def _literal(value: Value, known: Column | None) -> Value:
    """A number in the column's own type, so that `= 3` and `= 3.0` are one condition."""
    if known is not None and not isinstance(value, bool):
        if known.type is Type.NUMBER and isinstance(value, int):
            return float(value)
        if isinstance(value, float) and value == 0:
            return 0.0 if known.type is Type.NUMBER else 0  # there is one zero
        if known.type is Type.INTEGER and isinstance(value, float) and value.is_integer():
            return int(value)
    return value
