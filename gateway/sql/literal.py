"""Literals: numbers, texts, dates and times, in the type of the column that they stand beside."""

from __future__ import annotations

from datetime import date, datetime

from sqlglot import exp

from gateway.sql.source import Source
from policies.contract import Column, Type, Value

LITERALS = "Write 42, 4.2, 'text', TRUE, DATE '2026-01-31' or TIMESTAMP '2026-01-31 12:00:00'."


def literal_of(source: Source, node: exp.Expr, column: Column) -> Value:
    """A literal for a comparison with the column."""
    match node:
        case exp.Paren():
            return literal_of(source, node.this, column)
        case exp.Boolean():
            return bool(node.this)
        case exp.Cast():
            source.closed(node, "this", "to", "_type", hint=LITERALS)
            kind = node.to.sql("duckdb")
            inner = node.this
            if not isinstance(inner, exp.Literal) or not inner.is_string:
                source.refuse(node, "A cast of a column is not accepted.", LITERALS)
            if kind not in ("DATE", "TIMESTAMP"):
                source.refuse(node, "This type of literal is not accepted.", LITERALS)
            return _moment(source, inner, stamp=kind == "TIMESTAMP")
        case exp.Literal() if node.is_string:
            if column.type in (Type.DATE, Type.TIMESTAMP):
                return _moment(source, node, stamp=column.type is Type.TIMESTAMP)
            return str(node.this)
        case exp.Literal() | exp.Neg():
            number = number_of(source, node)
            if column.type is Type.INTEGER and isinstance(number, float):
                if number.is_integer():
                    return int(number)
                source.refuse(
                    node, f"Column {column.name} is {column.type}.", "Write a whole number."
                )
            return number
        case _:
            source.refuse(node, "A literal is needed here.", LITERALS)


def number_of(source: Source, node: exp.Expr) -> int | float:
    """A finite number, with its sign."""
    sign = 1
    while isinstance(node, exp.Neg | exp.Paren):
        sign = -sign if isinstance(node, exp.Neg) else sign
        node = node.this
    if not isinstance(node, exp.Literal) or node.is_string:
        source.refuse(node, "A number is needed here.", "Write a number such as 4.2.")
    spelt = str(node.this)
    value: int | float
    try:
        value = int(spelt) if spelt.isdigit() and len(spelt) < 20 else float(spelt)
    except ValueError:
        source.refuse(node, "This is no number.", "Write a number such as 4.2.")
    if not abs(value) < 2.0**62:
        source.refuse(node, "This number is too large.", "Write one under 2^62.")
    return sign * value


def _moment(source: Source, node: exp.Literal, *, stamp: bool) -> Value:
    try:
        if not stamp:
            return date.fromisoformat(node.this)
        found = datetime.fromisoformat(node.this)
    except ValueError:
        source.refuse(node, "This is no date or time.", LITERALS)
    if found.tzinfo is not None:
        source.refuse(node, "Times are UTC and name no zone.", LITERALS)
    return found
