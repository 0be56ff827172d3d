"""Casts that lose nothing, as DuckDB expressions: NULL where the value does not fit the type.

DuckDB's own casts are wider than a contract's promise: '1.5' becomes the integer 2, '1e400'
infinity, '0x10' sixteen, and the offset in '05:00:00+02:00' is dropped.
"""

from __future__ import annotations

from typing import Final

from policies.contract import Type

STORED: Final = {
    Type.INTEGER: "BIGINT",
    Type.NUMBER: "DOUBLE",
    Type.TEXT: "VARCHAR",
    Type.BOOLEAN: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP",
}
"""The DuckDB type in which each contract type is stored."""

_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
    | {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_TIMESTAMPS = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"})
_ZONED = "TIMESTAMP WITH TIME ZONE"

_NEVER = "NULL"

_INTEGER_TEXT = r"[+-]?[0-9]+(\.0*)?"
_NUMBER_TEXT = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DATE_TEXT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIMESTAMP_TEXT = (
    _DATE_TEXT
    + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


def lossless(value: str, source: str, target: Type) -> str:
    """The expression that turns `value`, of DuckDB type `source`, into `target` or NULL.

    Text is read strictly: ISO 8601 dates and timestamps (UTC where no offset stands), decimal
    numbers, true/false/t/f/1/0. A decimal becomes the nearest double. NaN and infinities do not fit
    any type. `source` is as DESCRIBE spells it; the connection's time zone must be UTC.
    """
    if source.startswith("ENUM"):
        value, source = f"CAST({value} AS VARCHAR)", "VARCHAR"
    family = "DECIMAL" if source.startswith("DECIMAL") else source
    match target:
        case Type.INTEGER:
            return _integer(value, family)
        case Type.NUMBER:
            return _number(value, family)
        case Type.TEXT:
            fits = family in _INTEGERS or family in ("VARCHAR", "UUID")
            return f"CAST({value} AS VARCHAR)" if fits else _NEVER
        case Type.BOOLEAN:
            return _boolean(value, family)
        case Type.DATE:
            return _date(value, family)
        case Type.TIMESTAMP:
            return _timestamp(value, family)


def _integer(value: str, source: str) -> str:
    cast = f"TRY_CAST({value} AS BIGINT)"
    if source == "VARCHAR":
        return _matching(value, _INTEGER_TEXT, cast)
    if source in _INTEGERS:
        return cast
    if source in _FLOATS or source == "DECIMAL":
        return _when(f"{value} = floor({value})", cast)
    return _NEVER


def _number(value: str, source: str) -> str:
    number = _finite(value, source)
    # There is one zero. DuckDB's DISTINCT and PARTITION BY tell -0.0 from 0.0 and its joins do
    # not: a unit of that value would be two, and each of its rows would be in the table twice.
    return number if number == _NEVER else f"CASE WHEN {number} = 0 THEN 0.0 ELSE {number} END"


def _finite(value: str, source: str) -> str:
    cast = f"TRY_CAST({value} AS DOUBLE)"
    if source == "VARCHAR":
        return _matching(value, _NUMBER_TEXT, _when(f"isfinite({cast})", cast))
    if source in _INTEGERS:
        return _when(f"TRY_CAST({cast} AS HUGEINT) = TRY_CAST({value} AS HUGEINT)", cast)
    if source in _FLOATS:
        return _when(f"isfinite({value})", cast)
    return cast if source == "DECIMAL" else _NEVER


def _boolean(value: str, source: str) -> str:
    if source == "BOOLEAN":
        return value
    if source == "VARCHAR":
        low = f"lower({value})"
        known = "'true', 't', '1', 'false', 'f', '0'"
        return _when(f"{low} IN ({known})", f"{low} IN ('true', 't', '1')")
    if source in _INTEGERS:
        return _when(f"{value} IN (0, 1)", f"{value} = 1")
    return _NEVER


def _date(value: str, source: str) -> str:
    cast = f"TRY_CAST({value} AS DATE)"
    if source == "VARCHAR":
        return _matching(value, _DATE_TEXT, cast)
    if source == "DATE":
        return _when(f"isfinite({value})", value)
    if source in _TIMESTAMPS:
        return _when(f"isfinite({value}) AND TRY_CAST({cast} AS TIMESTAMP) = {value}", cast)
    return _NEVER


def _timestamp(value: str, source: str) -> str:
    cast = f"TRY_CAST({value} AS TIMESTAMP)"
    if source == "VARCHAR":
        zoned = f"TRY_CAST(TRY_CAST({value} AS TIMESTAMPTZ) AS TIMESTAMP)"
        return _matching(value, _TIMESTAMP_TEXT, zoned)
    if source in _TIMESTAMPS or source in ("DATE", _ZONED):
        return _when(f"isfinite({value})", cast)
    if source == "TIMESTAMP_NS":
        return _when(f"isfinite({value}) AND TRY_CAST({cast} AS TIMESTAMP_NS) = {value}", cast)
    return _NEVER


def _when(condition: str, expression: str) -> str:
    return f"CASE WHEN {condition} THEN {expression} END"


def _matching(value: str, pattern: str, expression: str) -> str:
    return _when(f"regexp_full_match({value}, '{pattern}')", expression)
