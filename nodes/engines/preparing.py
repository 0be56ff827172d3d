"""What a load makes of a source that an engine has already: checked by the contract, encoded, kept.

The engine does all of it, ranks, unit numbers, codes and record keys included; no row comes to this
process. The table is the one that `nodes.load.load` describes, with the engine's own integers, and
two differences: a text is never read as a number or a date (the source has types, and a view can
cast), and `__unit` need not be dense.
"""

# Statements are put together from the contract's names, all quoted, and from literals that the
# engine's `Workshop` writes; the source belongs to whoever runs the load.

from __future__ import annotations

import hmac
import math
from collections.abc import Sequence
from typing import Any, Final, Protocol

from nodes.compile import quoted_name
from nodes.dialects.dialect import Dialect
from nodes.engines.found import Built, Rule, Violation
from policies.columns import is_word
from policies.contract import Column, Contract, Method, Type, Value
from policies.selection import MAXIMUM_FOUND

NEVER: Final = "NULL"
"""The cast from a type whose values do not fit."""


class Unfinished(Exception):
    """The engine did not do what a load asked. Holds nothing: its words can quote the data."""


class Workshop(Protocol):
    """An engine while it loads: runs statements, and has its own words for a few things.

    Everything raises Unfinished.
    """

    dialect: Dialect

    def described(self) -> dict[str, str]:
        """The source's columns and their types, in the engine's names; empty: there is none."""
        ...

    @property
    def source(self) -> str:
        """What stands after FROM for the source."""
        ...

    def keep(self, name: str, select: str) -> None:
        """Runs the SELECT once; its rows are the table of that name for the rest of the load."""
        ...

    def view(self, name: str, select: str) -> None:
        """As `keep`, for a SELECT that always gives the same rows."""
        ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A few rows of a SELECT."""
        ...

    def lossless(self, value: str, source: str, target: Type) -> str:
        """The value as the type, NULL where it does not fit, or `NEVER`."""
        ...

    def literal(self, value: Value) -> str:
        """The value, in the engine's type."""
        ...

    def number(self, order: str) -> str:
        """A whole number for each row of a SELECT, different for each."""
        ...

    def hashed(self, message: str) -> str:
        """The first 32 bits of SHA-256 under the secret twice, of a text: `nodes.engines.table`."""
        ...

    def hide(self, outer: str, inner: str) -> None:
        """Keeps the halves of the secret for `hashed`."""
        ...

    def write(self, select: str, first: str) -> None:
        """Writes the table, rows for which `first` holds (where it is not empty) before others."""
        ...

    def read(self, select: str) -> list[tuple[Any, ...]]:
        """One row of what was written; `{table}` stands for it."""
        ...


def prepare(contract: Contract, shop: Workshop, secret: bytes) -> Built:
    """Checks every row; if all keep the contract, writes the table. Raises Unfinished.

    With a `secret`, rows get record keys.
    """
    types = shop.described()
    if not types:
        return Built(0, (), (Violation("", Rule.UNREADABLE, 0),))
    ignored = tuple(name for name in types if name not in contract.by_name)
    absent = tuple(column.name for column in contract.columns if column.name not in types)
    _stage(contract, shop, types)
    rows, found = _check(contract, shop, absent)
    if found:
        return Built(rows, ignored, found)
    return _write(contract, shop, rows, ignored, secret)


def _ranked(contract: Contract) -> str | None:
    """The unit column of which a question may choose among several rows."""
    if contract.unit is None or contract.disclosure.method is Method.UNPROTECTED:
        return None
    return None if contract.by_name[contract.unit].unique else contract.unit


def _stage(contract: Contract, shop: Workshop, types: dict[str, str]) -> None:
    expressions = ['random() AS "__order"']
    for column in contract.columns:
        if column.name not in types:
            continue
        name = quoted_name(column.name)
        kind = shop.dialect.types[column.type]
        cast = shop.lossless(name, types[column.name], column.type)
        if column.type is Type.NUMBER and cast != NEVER:
            # There is one zero.
            cast = f"CASE WHEN {cast} = 0 THEN CAST(0 AS {kind}) ELSE {cast} END"
        expressions.append(f"CAST({cast} AS {kind}) AS {name}")
        flag = quoted_name(f"__bad_{column.name}")
        expressions.append(f"({name} IS NOT NULL AND ({cast}) IS NULL) AS {flag}")
    selected = f'SELECT {", ".join(expressions)} FROM {shop.source} AS "source"'
    unit = _ranked(contract)
    if unit is not None and unit in types:
        rank = (
            f"CAST(row_number() OVER (PARTITION BY {quoted_name(unit)} ORDER BY "
            '"__order") AS bigint) AS "__rank"'
        )
        selected = f'SELECT *, {rank} FROM ({selected}) AS "ordered"'
    shop.keep("staged", selected)


def _check(
    contract: Contract, shop: Workshop, absent: tuple[str, ...]
) -> tuple[int, tuple[Violation, ...]]:
    questions: list[tuple[str, Rule, str]] = []
    for column in contract.columns:
        if column.name not in absent:
            questions += [(column.name, *each) for each in _counts(shop, column)]
    for link in contract.links:
        if link.unique and not set(link.on) & set(absent):
            questions.append((link.on[0], Rule.KEY, _repeated(link.on)))
    selected = ", ".join(["count(*)", *(count for _, _, count in questions)])
    ((rows, *counts),) = shop.rows(f"SELECT {selected} FROM {_STAGED}")
    found = [
        Violation(name, rule, int(count))
        for (name, rule, _), count in zip(questions, counts, strict=True)
        if count
    ]
    for column in contract.columns:
        if column.name in absent:
            found.append(Violation(column.name, Rule.ABSENT, int(rows)))
        elif column.domain:
            found += _outside(shop, column)
        elif column.discovered:
            found += _words(shop, column)
    order = {column.name: number for number, column in enumerate(contract.columns)}
    return int(rows), tuple(sorted(found, key=lambda violation: order[violation.column]))


_STAGED: Final = '"staged"'


def _counted(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


def _counts(shop: Workshop, column: Column) -> list[tuple[Rule, str]]:
    name, flag = quoted_name(column.name), quoted_name(f"__bad_{column.name}")
    counts = [(Rule.TYPE, _counted(flag))]
    if not column.nullable:
        counts.append((Rule.NULL, _counted(f"{name} IS NULL AND NOT {flag}")))
    if column.bounds is not None:
        low, high = shop.literal(column.bounds.low), shop.literal(column.bounds.high)
        counts.append((Rule.BOUNDS, _counted(f"{name} < {low} OR {name} > {high}")))
    if column.unique:
        counts.append((Rule.UNIQUE, f"count({name}) - count(DISTINCT {name})"))
    return counts


def _repeated(names: Sequence[str]) -> str:
    whole = " AND ".join(f"{quoted_name(name)} IS NOT NULL" for name in names)
    key = ", ".join(map(quoted_name, names))
    each = f"CASE WHEN {whole} THEN {_tuple(key)} END"
    return f"{_counted(whole)} - count(DISTINCT {each})"


def _tuple(names: str) -> str:
    return f"({names})" if "," in names else names


def _outside(shop: Workshop, column: Column) -> list[Violation]:
    _domain(shop, column)
    name = quoted_name(column.name)
    ((rows,),) = shop.rows(
        f"SELECT count(*) FROM {_STAGED} LEFT JOIN {_domain_name(column)} AS d ON "
        f"{name} = d.value WHERE {name} IS NOT NULL AND d.code IS NULL"
    )
    return [Violation(column.name, Rule.DOMAIN, int(rows))] if rows else []


def _words(shop: Workshop, column: Column) -> list[Violation]:
    name = quoted_name(column.name)
    found = shop.rows(
        f"SELECT {name}, count(*) FROM {_STAGED} WHERE {name} IS NOT NULL "
        f"GROUP BY {name} LIMIT {MAXIMUM_FOUND + 1}"
    )
    if len(found) > MAXIMUM_FOUND:
        ((rows,),) = shop.rows(f"SELECT count({name}) FROM {_STAGED}")
        return [Violation(column.name, Rule.VARIETY, int(rows))]
    rows = sum(int(count) for value, count in found if not is_word(str(value)))
    if rows:
        return [Violation(column.name, Rule.WORD, rows)]
    shop.keep(
        f"domain_{column.name}",
        'SELECT value, row_number() OVER (ORDER BY "__order") - 1 AS code FROM (SELECT value, '
        f'random() AS "__order" FROM (SELECT DISTINCT {name} AS value FROM {_STAGED} WHERE {name} '
        'IS NOT NULL) AS "different") AS "ordered"',
    )
    return []


def _domain_name(column: Column) -> str:
    return quoted_name(f"domain_{column.name}")


def _domain(shop: Workshop, column: Column) -> None:
    """The table (value, code) of the declared values."""
    values = ", ".join(
        f"({shop.literal(_typed(value, column))}, {code})"
        for code, value in enumerate(column.domain)
    )
    shop.view(
        f"domain_{column.name}", f'SELECT value, code FROM (VALUES {values}) AS "d"(value, code)'
    )


def _typed(value: Value, column: Column) -> Value:
    """A whole number of a column of numbers is a double."""
    return float(value) if column.type is Type.NUMBER and isinstance(value, int) else value


def _clamped(shop: Workshop, column: Column) -> str:
    assert column.clip is not None
    name = f"{_STAGED}.{quoted_name(column.name)}"
    low: float = column.clip.low
    high: float = column.clip.high
    if column.type is Type.INTEGER:
        low, high = math.ceil(low), math.floor(high)
    least, most = shop.literal(low), shop.literal(high)
    inside = f"CASE WHEN {name} < {least} THEN {least} WHEN {name} > {most} THEN {most}"
    return f"CAST({inside} ELSE {name} END AS {shop.dialect.types[column.type]})"


def _write(
    contract: Contract, shop: Workshop, rows: int, ignored: tuple[str, ...], secret: bytes
) -> Built:
    columns = [f"{_STAGED}.{quoted_name(column.name)}" for column in contract.columns]
    joins = []
    for column in contract.columns:
        if column.domain or column.discovered:
            domain = _domain_name(column)
            code = quoted_name(f"__c_{column.name}")
            columns.append(f"CAST({domain}.code AS integer) AS {code}")
            joins.append(
                f"LEFT JOIN {domain} ON {_STAGED}.{quoted_name(column.name)} = {domain}.value"
            )
    columns += [
        f"{_clamped(shop, column)} AS {quoted_name(f'__k_{column.name}')}"
        for column in contract.columns
        if column.clipped
    ]
    protected = contract.unit is not None and contract.disclosure.method is not Method.UNPROTECTED
    first = ""
    counted = "SELECT count(*), 0, 0 FROM {table}"
    if protected:
        assert contract.unit is not None
        ranked = _ranked(contract) is not None
        unit = quoted_name(contract.unit)
        shop.keep(
            "units",
            f"SELECT unit, {shop.number(quoted_name('__order'))} AS number FROM (SELECT unit, "
            f'random() AS "__order" FROM (SELECT DISTINCT {unit} AS unit FROM {_STAGED} '
            f'WHERE {unit} IS NOT NULL) AS "different") AS "ordered"',
        )
        joins.append(f'JOIN "units" ON {_STAGED}.{unit} = "units".unit')
        columns.append('CAST("units".number AS bigint) AS "__unit"')
        rank = f'{_STAGED}."__rank"' if ranked else "CAST(1 AS bigint)"
        columns.append(f'{rank} AS "__rank"')
        if secret:
            shop.hide(*(hmac.digest(secret, use, "sha256").hex() for use in (b"out", b"in")))
            columns += [f"{key} AS {name}" for name, key in _keys(contract, shop)]
        elif ranked:
            first = f'{_STAGED}."__rank" <= {contract.disclosure.rows_per_unit}'
        counted = 'SELECT count(*), count(DISTINCT "__unit"), max("__rank") FROM {table}'
    shop.write(f"SELECT {', '.join(columns)} FROM {_STAGED} {' '.join(joins)}", first)
    ((stored, units, largest),) = shop.read(counted)
    return Built(
        rows,
        ignored,
        (),
        stored=int(stored),
        units=int(units),
        set_aside=rows - int(stored),
        largest_unit=int(largest or 0),
    )


def _keys(contract: Contract, shop: Workshop) -> list[tuple[str, str]]:
    """The record keys, as `nodes.engines.table` makes them.

    The same as DuckDB's but for rows with a number or a time in them, which engines spell
    differently.
    """
    assert contract.unit is not None
    names = [f"{_STAGED}.{quoted_name(column.name)}" for column in contract.columns]
    number = f"row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY 1)"
    text = shop.dialect.types[Type.TEXT]

    def spelt(name: str) -> str:
        value = f"CAST({name} AS {text})"
        octets = shop.dialect.octets(value)
        return f"CASE WHEN {name} IS NULL THEN '-' ELSE concat({octets}, ':', {value}) END"

    row = f"concat({', '.join(map(spelt, names))}, '#', {number})"
    unit = spelt(f"{_STAGED}.{quoted_name(contract.unit)}")
    return [('"__key"', shop.hashed(row)), ('"__unit_key"', shop.hashed(unit))]
