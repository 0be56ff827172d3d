"""Whether a question keeps to the contract: levels, types, domains, bounds, size.

Looks at the question and the contract only, never at data, so a refusal says nothing about
anybody. Gateway and node both call it: the gateway to answer early, the node because it trusts
no gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from math import prod

from landbridge.errors import LandbridgeError, error
from landbridge.levels import Level
from policies.bounds import interval
from policies.canonical import canonical, key_text, text
from policies.contract import Column, Contract, Type, Value
from policies.estimable import require_estimable
from policies.keys import is_open, values_of
from policies.quantiles import layout_of
from policies.question import (
    Arithmetic,
    Case,
    Comparison,
    Count,
    Expression,
    Histogram,
    IsNull,
    Membership,
    Not,
    Predicate,
    Prefix,
    Question,
    Relation,
    Sum,
    Units,
    cases_of,
    conditions,
    measured,
)
from policies.selection import room

MAXIMUM_MEASURES = 16
MAXIMUM_KEYS = 4
MAXIMUM_CONDITIONS = 64
MAXIMUM_LITERALS = 200
MAXIMUM_DEPTH = 32
MAXIMUM_TEXT = 200
MAXIMUM_WORDS = 12_000
"""Bytes of the question in words, and with `MAXIMUM_ALL_LITERALS` a bound on how it stands in the
log, where an entry has 64 KiB for everything."""
MAXIMUM_ALL_LITERALS = 500


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A column, and the clause that uses it: "select", "filter" or "group"."""

    column: str
    clause: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a question touches: the columns, the highest level among them, and its cells.

    `cells` is the most that there can be, where a key's values are found in the data.
    """

    uses: tuple[Use, ...]
    level: Level
    cells: int


def not_available(kind: str, name: str) -> LandbridgeError:
    """The one refusal for what does not exist and for what this caller may not see."""
    return error(
        "NOT_AVAILABLE",
        f"There is no {kind} {name!r} that you may use.",
        hint="landbridge directory lists what there is for you.",
    )


def visible(contract: Contract, name: str, clearance: Level) -> Column:
    """The column, for a caller of that clearance.

    Raises NOT_AVAILABLE for a column that does not exist, is hidden or lies above the clearance,
    and LEVEL_FORBIDS for the protected unit, whose name is public but whose values serve only to
    count units.
    """
    column = contract.by_name.get(name)
    if column is not None and name == contract.unit:
        raise error(
            "LEVEL_FORBIDS",
            f"Column {name} identifies the protected unit: it is never selected, filtered on, "
            "grouped by or aggregated.",
            rule="level.sealed",
            hint=f"count(DISTINCT {name}) counts units.",
        )
    if (
        column is None
        or column.level is Level.SEALED
        or column.level > clearance
        or name in contract.hidden
    ):
        # Columns of a joined contract carry the name of their own one.
        raise not_available("column", name if contract.parts else f"{contract.id}.{name}")
    return column


def review(question: Question, contract: Contract, clearance: Level) -> Usage:
    """What the question uses, when it is one that the contract can answer.

    Raises Refused or InvalidQuestion, which name the column and what would pass.
    """
    _size(question)
    uses = sorted(set(_uses(question)))
    level = Level.OPEN
    for use in uses:
        level = max(level, visible(contract, use.column, clearance).level)
    require_estimable(question, contract)
    cells = _cells(question, contract)
    for measure in question.measures:
        match measure:
            case Sum(of):
                interval(of, contract)
            case Histogram():
                layout_of(measure, question, contract, cells)
            case Units() if contract.unit is None:
                raise error(
                    "INVALID_QUESTION",
                    f"Contract {contract.id} protects nobody, so there are no units to count.",
                    hint="count(*) counts rows.",
                )
            case Count() | Units():
                pass
    for condition in _conditions(question):
        _condition(condition, contract.by_name[condition.column])
    # By spelling: 1, 1.0 and TRUE are equal in Python.
    if text(canonical(question, contract)) != text(question):
        raise error("INVALID_ARGUMENT", "The typed question is not in its canonical form.")
    return Usage(tuple(uses), level, cells)


def _uses(question: Question) -> Iterator[Use]:
    for key in question.group_by:
        yield Use(key.column, "group")
    for measure in question.measures:
        for name in measured(measure):
            yield Use(name, "select")
    for condition in _conditions(question):
        yield Use(condition.column, "filter")


def _conditions(question: Question) -> Iterator[Comparison | Membership | IsNull | Prefix]:
    """Every condition of the question, those inside aggregates included."""
    if question.where is not None:
        yield from conditions(question.where)
    for measure in question.measures:
        if isinstance(measure, Count | Sum | Histogram) and measure.of is not None:
            for when in cases_of(measure.of):
                yield from conditions(when)


def _size(question: Question) -> None:
    def refuse(what: str, limit: int) -> None:
        raise error("INVALID_QUESTION", f"A question has at most {limit} {what}.")

    if not question.measures:
        raise error("INVALID_QUESTION", "A question aggregates something.")
    if len(question.measures) > MAXIMUM_MEASURES:
        refuse("different aggregates", MAXIMUM_MEASURES)
    if len(question.group_by) > MAXIMUM_KEYS:
        refuse("grouping columns", MAXIMUM_KEYS)
    if len(set(question.group_by)) < len(question.group_by):
        raise error("INVALID_QUESTION", "A key is grouped by once.")
    for measure in question.measures:
        of = measure.of if isinstance(measure, Count | Sum | Histogram) else None
        if of is not None and _depth(of) > MAXIMUM_DEPTH:
            refuse("levels of nested arithmetic", MAXIMUM_DEPTH)
    predicates = [] if question.where is None else [question.where]
    for measure in question.measures:
        if isinstance(measure, Count | Sum | Histogram) and measure.of is not None:
            predicates += cases_of(measure.of)
    if any(_nesting(predicate) > MAXIMUM_DEPTH for predicate in predicates):
        refuse("levels of nested conditions", MAXIMUM_DEPTH)
    leaves = [leaf for predicate in predicates for leaf in conditions(predicate)]
    if len(leaves) > MAXIMUM_CONDITIONS:
        refuse("conditions", MAXIMUM_CONDITIONS)
    lists = [len(leaf.literals) for leaf in leaves if isinstance(leaf, Membership)]
    if not all(0 < length <= MAXIMUM_LITERALS for length in lists):
        refuse("values in one IN list, and one at least", MAXIMUM_LITERALS)
    if sum(lists) > MAXIMUM_ALL_LITERALS:
        refuse("values in all IN lists together", MAXIMUM_ALL_LITERALS)
    if len(text(question).encode()) > MAXIMUM_WORDS:
        refuse("bytes in words", MAXIMUM_WORDS)


def _depth(expression: Expression) -> int:
    match expression:
        case Arithmetic(_, left, right):
            return 1 + max(_depth(left), _depth(right))
        case Case(_, then, otherwise):
            return 1 + max(_depth(then), 0 if otherwise is None else _depth(otherwise))
        case _:
            return 1


def _nesting(predicate: Predicate) -> int:
    if isinstance(predicate, Comparison | Membership | IsNull | Prefix):
        return 1
    parts = (predicate.of,) if isinstance(predicate, Not) else predicate.of
    return 1 + max((_nesting(part) for part in parts), default=0)


def _cells(question: Question, contract: Contract) -> int:
    limit = contract.disclosure.maximum_cells
    found = [key for key in question.group_by if is_open(key, contract)]
    if len(found) > 1:
        raise error(
            "INVALID_QUESTION",
            f"The values of {' and '.join(map(key_text, found))} are found in the data, which one "
            "question does for one key.",
            hint="Group by one of them.",
        )
    rest = prod(
        len(values_of(key, contract)) + contract.by_name[key.column].nullable
        for key in question.group_by
        if key not in found
    )
    cells = rest
    for key in found:
        nullable = contract.by_name[key.column].nullable
        # One value has to fit at least; then as many as there is room for.
        cells = rest * (max(1, room(limit, rest, nullable=nullable)) + nullable)
    if cells > limit:
        keys = ", ".join(map(key_text, question.group_by))
        raise error(
            "TOO_MANY_CELLS",
            f"Grouping by {keys} makes {cells} cells; contract {contract.id} allows {limit}.",
            hint="Group by less, or more coarsely.",
        )
    return cells


def _condition(condition: Comparison | Membership | IsNull | Prefix, column: Column) -> None:
    match condition:
        case Comparison(_, relation, literal):
            _literal(column, literal)
            ordered = column.type not in (Type.TEXT, Type.BOOLEAN)
            if not ordered and relation not in (Relation.EQUAL, Relation.NOT_EQUAL):
                raise error(
                    "INVALID_QUESTION",
                    f"Column {column.name} is {column.type} and is compared with = or <> only.",
                )
        case Membership(_, literals):
            for literal in literals:
                _literal(column, literal)
        case Prefix(_, text):
            if column.type is not Type.TEXT:
                raise error("INVALID_QUESTION", f"LIKE needs text; {column.name} is {column.type}.")
            _literal(column, text)
        case IsNull():
            pass


def _literal(column: Column, literal: Value) -> None:
    """The literal has the column's type; raises InvalidQuestion, which does not repeat it."""
    match column.type:
        case Type.INTEGER:
            good = type(literal) is int and abs(literal) < 2**62
        case Type.NUMBER:
            good = type(literal) is float and abs(literal) < float("inf")
        case Type.TEXT:
            good = isinstance(literal, str) and len(literal) <= MAXIMUM_TEXT and "\0" not in literal
        case Type.BOOLEAN:
            good = isinstance(literal, bool)
        case Type.DATE:
            good = type(literal) is date
        case Type.TIMESTAMP:
            good = isinstance(literal, datetime) and literal.tzinfo is None
    if not good:
        raise error(
            "INVALID_QUESTION",
            f"Column {column.name} is {column.type}, and a literal that it is compared with is "
            "not.",
            hint=_EXAMPLES[column.type],
        )


_EXAMPLES = {
    Type.INTEGER: "Write a whole number: 42.",
    Type.NUMBER: "Write a number: 4.2.",
    Type.TEXT: f"Write text of at most {MAXIMUM_TEXT} characters: 'text'.",
    Type.BOOLEAN: "Write TRUE or FALSE.",
    Type.DATE: "Write DATE '2026-01-31'.",
    Type.TIMESTAMP: "Write TIMESTAMP '2026-01-31 12:00:00' (UTC).",
}
