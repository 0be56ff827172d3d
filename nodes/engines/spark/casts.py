"""Casts that lose nothing, as Spark expressions: NULL where the value does not fit the type.

A cast that can fail stands behind the condition under which it cannot. Days and moments are those
of the years 1 to 9999.
"""

from __future__ import annotations

from typing import Final

from nodes.engines.preparing import NEVER
from policies.contract import Type

_INTEGERS: Final = frozenset({"tinyint", "smallint", "int", "bigint"})
_FLOATS: Final = frozenset({"float", "double"})
_END: Final = "CAST('9223372036854775808' AS DOUBLE)"


def lossless(value: str, source: str, target: Type) -> str:
    """The expression that turns `value`, of the type of that name, into `target` or NULL."""
    family = source.partition("(")[0]
    match target:
        case Type.INTEGER:
            return _integer(value, family)
        case Type.NUMBER:
            return _number(value, family)
        case Type.TEXT:
            fits = family in ("string", "varchar", "char") or family in _INTEGERS
            return f"CAST({value} AS STRING)" if fits else NEVER
        case Type.BOOLEAN:
            return value if family == "boolean" else NEVER
        case Type.DATE:
            return _date(value, family)
        case Type.TIMESTAMP:
            return _timestamp(value, family)


def _integer(value: str, source: str) -> str:
    cast = f"CAST({value} AS BIGINT)"
    if source in _INTEGERS:
        return cast
    if source in _FLOATS:
        # Compared as doubles: 2^63 itself is one too many. NaN is greater than all.
        return _when(f"{value} >= -{_END} AND {value} < {_END} AND {value} = rint({value})", cast)
    if source == "decimal":
        inside = f"{value} BETWEEN -9223372036854775808BD AND 9223372036854775807BD"
        return _when(f"{inside} AND {value} = floor({value})", cast)
    return NEVER


def _number(value: str, source: str) -> str:
    double = f"CAST({value} AS DOUBLE)"
    if source in ("tinyint", "smallint", "int", "decimal"):
        return double
    if source == "bigint":
        # The largest double that is a bigint, so that the way back cannot fail.
        inside = f"{double} <= CAST('9223372036854774784' AS DOUBLE)"
        return _when(f"{inside} AND CAST({double} AS BIGINT) = {value}", double)
    if source in _FLOATS:
        infinity = "CAST('Infinity' AS DOUBLE)"
        return _when(f"{value} > -{infinity} AND {value} < {infinity}", double)
    return NEVER


def _date(value: str, source: str) -> str:
    inside = f"year({value}) BETWEEN 1 AND 9999"
    if source == "date":
        return _when(inside, value)
    if source == "timestamp_ntz":
        whole = f"{value} = CAST(CAST({value} AS DATE) AS TIMESTAMP_NTZ)"
        return _when(f"{inside} AND {whole}", f"CAST({value} AS DATE)")
    return NEVER


def _timestamp(value: str, source: str) -> str:
    if source in ("timestamp_ntz", "timestamp", "date"):
        # The session's time zone is UTC.
        return _when(f"year({value}) BETWEEN 1 AND 9999", f"CAST({value} AS TIMESTAMP_NTZ)")
    return NEVER


def _when(condition: str, expression: str) -> str:
    return f"CASE WHEN {condition} THEN {expression} END"
