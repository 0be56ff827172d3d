"""Casts that lose nothing, as PostgreSQL expressions: NULL where the value does not fit the type.

A cast that can fail stands behind the condition under which it cannot; PostgreSQL evaluates a CASE
in order where its conditions read a column. Days and moments are those of the years 1 to 9999.
"""

from __future__ import annotations

from typing import Final

from nodes.engines.preparing import NEVER
from policies.contract import Type

_INTEGERS: Final = frozenset({"int2", "int4", "int8"})
_FLOATS: Final = frozenset({"float4", "float8"})
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "enum"})
_FIRST, _AFTER = "'0001-01-01'", "'10000-01-01'"


def lossless(value: str, source: str, target: Type) -> str:
    """The expression that turns `value`, of the type of that name, into `target` or NULL."""
    match target:
        case Type.INTEGER:
            return _integer(value, source)
        case Type.NUMBER:
            return _number(value, source)
        case Type.TEXT:
            fits = source in _TEXTS or source in _INTEGERS or source == "uuid"
            return f'CAST({value} AS text) COLLATE "C"' if fits else NEVER
        case Type.BOOLEAN:
            return value if source == "bool" else NEVER
        case Type.DATE:
            return _date(value, source)
        case Type.TIMESTAMP:
            return _timestamp(value, source)


def _integer(value: str, source: str) -> str:
    if source in _INTEGERS:
        return f"CAST({value} AS bigint)"
    if source in _FLOATS:
        # Compared as doubles: 2^63 itself is one too many. NaN is greater than all.
        inside = (
            f"{value} >= -9223372036854775808.0::float8 AND {value} < 9223372036854775808.0::float8"
        )
        return _when(f"{inside} AND {value} = floor({value})", f"CAST({value} AS bigint)")
    if source == "numeric":
        inside = f"{value} BETWEEN -9223372036854775808 AND 9223372036854775807"
        return _when(f"{inside} AND {value} = trunc({value})", f"CAST({value} AS bigint)")
    return NEVER


def _number(value: str, source: str) -> str:
    double = f"CAST({value} AS double precision)"
    if source in ("int2", "int4"):
        return double
    if source == "int8":
        # The largest double that is a bigint, so that the way back cannot fail.
        inside = f"{double} <= 9223372036854774784.0::float8"
        return _when(f"{inside} AND CAST({double} AS bigint) = {value}", double)
    if source in _FLOATS:
        finite = f"{value} > '-Infinity'::float8 AND {value} < 'Infinity'::float8"
        return _when(finite, double)
    if source == "numeric":
        # What is larger or smaller is no double, and the cast would raise.
        fits = f"{value} = 0 OR abs({value}) BETWEEN 1e-300 AND 1e308"
        return _when(fits, double)
    return NEVER


def _date(value: str, source: str) -> str:
    inside = f"{value} >= {_FIRST}::timestamp AND {value} < {_AFTER}::timestamp"
    if source == "date":
        return _when(inside, value)
    if source == "timestamp":
        whole = f"{value} = date_trunc('day', {value})"
        return _when(f"{inside} AND {whole}", f"CAST({value} AS date)")
    return NEVER


def _timestamp(value: str, source: str) -> str:
    if source == "timestamptz":
        inside = f"{value} >= {_FIRST}::timestamptz AND {value} < {_AFTER}::timestamptz"
        return _when(inside, f"{value} AT TIME ZONE 'UTC'")
    if source in ("timestamp", "date"):
        inside = f"{value} >= {_FIRST}::timestamp AND {value} < {_AFTER}::timestamp"
        return _when(inside, f"CAST({value} AS timestamp)")
    return NEVER


def _when(condition: str, expression: str) -> str:
    return f"CASE WHEN {condition} THEN {expression} END"
