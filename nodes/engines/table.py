"""The table that questions run over: a source file, checked against its contract and encoded."""

# Statements are put together from the contract's names, all quoted, and from our own text; the
# values of domains are bound. The source belongs to whoever runs the load.

from __future__ import annotations

import csv
import hmac
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nodes.engines.casts import STORED, lossless
from nodes.engines.database import (
    TABLE,
    Connection,
    Error,
    OutOfMemory,
    attached,
    open_for_loading,
    quoted,
    text,
)
from nodes.engines.file_key import is_encrypted
from nodes.engines.found import Built, Rule, Violation
from policies.columns import is_word
from policies.contract import Column, Contract, Method, Type
from policies.selection import MAXIMUM_FOUND

SUFFIX: Final = ".duckdb"
_LINE: Final = re.compile(r"\bLine: (\d{1,18})\b")


MOST_ENCRYPTED: Final = 2**16 * 262_144
"""Bytes of an encrypted file: a nonce for each block, of 64 random bits (decision 0066)."""


class _Unreadable(Exception):
    """Why a source cannot be read, where that is not DuckDB's to say."""

    def __init__(self, rule: Rule = Rule.UNREADABLE) -> None:
        super().__init__(rule)
        self.rule = rule


def build(
    contract: Contract,
    source: Path,
    draft: Path,
    *,
    spill: Path,
    missing: Sequence[str],
    secret: bytes = b"",
    key: str = "",
    source_key: str = "",
) -> Built:
    """Checks every row of `source`; if all keep the contract, writes the table into `draft`.

    With a `secret`, rows get record keys, which depend on the secret and the row alone. With a
    `key` the draft is encrypted; `source_key` is that of a DuckDB file as the source.
    `spill` is an empty folder for what does not fit in memory. The engine's errors quote rows, so
    they come out as violations of the file, without their words.
    """
    connection: Connection | None = None
    rule, line = Rule.UNFINISHED, 0
    try:
        connection = open_for_loading(str(draft), spill=str(spill), key=key)
        rule = Rule.UNREADABLE
        ignored, absent = _stage(connection, contract, source, missing, source_key)
        rule = Rule.UNFINISHED
        rows, found = _check(connection, contract, absent)
        if found:
            return Built(rows, ignored, found)
        built = _write(connection, contract, rows, ignored, secret)
        if not key or draft.stat().st_size <= MOST_ENCRYPTED:
            return built
        rule = Rule.LARGE
    except _Unreadable as unreadable:
        rule = unreadable.rule
    except Error as failure:
        if isinstance(failure, OutOfMemory):
            rule = Rule.UNFINISHED
        if rule is Rule.UNREADABLE and (match := _LINE.search(str(failure))):
            line = int(match[1])
    finally:
        if connection is not None:
            connection.close()
    return Built(0, (), (Violation("", rule, 0, line),))


def _stage(
    connection: Connection,
    contract: Contract,
    source: Path,
    missing: Sequence[str],
    source_key: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The temporary table `staged`: cast columns, and for each a flag where the cast found nothing.

    Gives the columns that only the file has, and those that only the contract has.
    """
    if source.suffix == SUFFIX and source.is_file():
        relation = _table(connection, contract, source, source_key)
    else:
        relation = _relation(source, missing)
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    expressions = []
    for column in contract.columns:
        if column.name not in types:
            continue
        name = quoted(column.name)
        cast = lossless(name, types[column.name], column.type)
        expressions.append(f"CAST({cast} AS {STORED[column.type]}) AS {name}")
        flag = quoted(f"__bad_{column.name}")
        expressions.append(f"({name} IS NOT NULL AND ({cast}) IS NULL) AS {flag}")
    # Drawn here, because the ORDER BY of a window may not be volatile. It also keeps the row count
    # where the file has none of the columns.
    listed = ", ".join(["random() AS __order", *expressions])
    # Names in the expressions are the file's columns, not the aliases beside them.
    selected = f"SELECT {listed} FROM {relation} AS source"
    unit = _chosen_within(contract)
    if unit is not None and unit in types:
        # Ranked on the way in: a window over what is staged already would write every row again.
        selected = (
            "SELECT * EXCLUDE (__order), CAST(row_number() OVER "
            f"(PARTITION BY {quoted(unit)} ORDER BY __order) AS UINTEGER) AS __rank "
            f"FROM ({selected})"
        )
    connection.execute(f"CREATE TEMP TABLE staged AS {selected}")
    ignored = tuple(name for name in types if name not in contract.by_name)
    absent = tuple(column.name for column in contract.columns if column.name not in types)
    return ignored, absent


def _chosen_within(contract: Contract) -> str | None:
    """The unit column of which a question may choose among several rows; None if there is none."""
    if contract.unit is None or contract.disclosure.method is Method.UNPROTECTED:
        return None
    return None if contract.by_name[contract.unit].unique else contract.unit


def _table(connection: Connection, contract: Contract, source: Path, key: str) -> str:
    """A DuckDB file's only table or view, or the one that is named as the contract."""
    if source.with_name(f"{source.name}.wal").exists():
        raise _Unreadable(Rule.OPEN)
    encrypted = is_encrypted(source)
    try:
        connection.execute(attached(str(source.resolve()), "source", key if encrypted else ""))
    except Error as failure:
        wrong = encrypted and not isinstance(failure, OutOfMemory)
        raise _Unreadable(Rule.LOCKED if wrong else Rule.UNREADABLE) from None
    found = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source' "
        "UNION ALL SELECT schema_name, view_name FROM duckdb_views() "
        "WHERE database_name = 'source' AND NOT internal"
    ).fetchall()
    named = [each for each in found if each[1] == contract.id]
    if len(found if len(found) == 1 else named) != 1:
        raise _Unreadable(Rule.TABLES)
    ((schema, table),) = found if len(found) == 1 else named
    return f"source.{quoted(schema)}.{quoted(table)}"


def _relation(source: Path, missing: Sequence[str]) -> str:
    """The source as something to select from; raises `_Unreadable`."""
    path = text(str(source.resolve()))
    if source.is_dir():
        # A lake's folder: a column may stand in the names of folders alone.
        files = text(f"{source.resolve()}/**/*.parquet")
        return f"read_parquet({files}, hive_partitioning = true, union_by_name = true)"
    if source.suffix == ".parquet":
        return f"read_parquet({path})"
    # Everything is stated and nothing detected: DuckDB's detection takes a bad row as a sign that
    # the table starts below it, and drops all rows above.
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in _header(source))
    nulls = ", ".join(text(value) for value in missing)
    return (
        f"read_csv({path}, auto_detect = false, columns = {{{columns}}}, header = true, skip = 0, "
        f"delim = ',', quote = '\"', escape = '\"', comment = '', nullstr = [{nulls}], "
        "strict_mode = true, null_padding = false, ignore_errors = false, compression = 'none')"
    )


def _header(source: Path) -> list[str]:
    """The names in a CSV file's first row; one without a name gets one that no contract has."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file, strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        names = []
    if not names or len(set(names)) < len(names):
        raise _Unreadable
    return [name or f"__column_{number}" for number, name in enumerate(names, start=1)]


def _check(
    connection: Connection, contract: Contract, absent: tuple[str, ...]
) -> tuple[int, tuple[Violation, ...]]:
    """The number of rows, and every violation, in the contract's order of columns."""
    questions: list[tuple[Column, Rule, str]] = []
    for column in contract.columns:
        if column.name not in absent:
            questions += [(column, rule, count) for rule, count in _counts(connection, column)]
    for link in contract.links:
        if link.unique and not set(link.on) & set(absent):
            questions.append((contract.by_name[link.on[0]], Rule.KEY, _repeated(link.on)))
    selected = ", ".join(["count(*)", *(count for _, _, count in questions)])
    answer = connection.execute(f"SELECT {selected} FROM staged").fetchone()
    rows, *counts = answer or (0,)
    found = [
        Violation(column.name, rule, int(count))
        for (column, rule, _), count in zip(questions, counts, strict=True)
        if count
    ]
    for column in contract.columns:
        if column.discovered and column.name not in absent:
            found += _words(connection, column)
    found += [Violation(name, Rule.ABSENT, int(rows)) for name in absent]
    order = {column.name: number for number, column in enumerate(contract.columns)}
    return int(rows), tuple(sorted(found, key=lambda violation: order[violation.column]))


def _counts(connection: Connection, column: Column) -> list[tuple[Rule, str]]:
    """For each rule that the column has, the aggregate that counts the rows which break it."""
    name, flag = quoted(column.name), quoted(f"__bad_{column.name}")
    counts = [(Rule.TYPE, f"count_if({flag})")]
    if not column.nullable:
        counts.append((Rule.NULL, f"count_if({name} IS NULL AND NOT {flag})"))
    if column.bounds is not None:
        low, high = column.bounds.low, column.bounds.high
        counts.append(
            (Rule.BOUNDS, f"count_if({name} < {low!r}::DOUBLE OR {name} > {high!r}::DOUBLE)")
        )
    if column.unique:
        counts.append((Rule.UNIQUE, f"count({name}) - count(DISTINCT {name})"))
    if column.domain:
        domain = _domain(connection, column)
        outside = (
            f"(SELECT count(*) FROM staged ANTI JOIN {domain} ON {name} = value "
            f"WHERE {name} IS NOT NULL)"
        )
        counts.append((Rule.DOMAIN, f"any_value({outside})"))
    return counts


def _repeated(names: Sequence[str]) -> str:
    """The aggregate that counts rows whose key another row has; one with a NULL has no key."""
    key = f"({', '.join(map(quoted, names))})"
    whole = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)
    return f"count_if({whole}) - count(DISTINCT CASE WHEN {whole} THEN {key} END)"


def _words(connection: Connection, column: Column) -> list[Violation]:
    """What would make a question fail, or look odd, that shows values of the column.

    Checked here and for every row, so that no answer can depend on it.
    """
    name = quoted(column.name)
    found = connection.execute(
        f"SELECT {name}, count(*) FROM staged WHERE {name} IS NOT NULL "
        f"GROUP BY {name} LIMIT {MAXIMUM_FOUND + 1}"
    ).fetchall()
    if len(found) > MAXIMUM_FOUND:
        counted = connection.execute(f"SELECT count({name}) FROM staged").fetchone() or (0,)
        return [Violation(column.name, Rule.VARIETY, int(counted[0]))]
    rows = sum(int(count) for value, count in found if not is_word(str(value)))
    return [Violation(column.name, Rule.WORD, rows)] if rows else []


def _domain(connection: Connection, column: Column) -> str:
    """The name of a temporary table (value, code) of the column's domain, made at its first use.

    Of a column whose values are found by selection: of all its values, in random order.
    """
    name = quoted(f"__domain_{column.name}")
    stored = STORED[column.type]
    if column.discovered:
        own = quoted(column.name)
        connection.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {name} AS SELECT value, "
            "row_number() OVER (ORDER BY __order) - 1 AS code FROM (SELECT value, random() AS "
            f"__order FROM (SELECT DISTINCT {own} AS value FROM staged WHERE {own} IS NOT NULL))"
        )
        return name
    values = list(column.domain)
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {name} AS "
        f"SELECT unnest(?::{stored}[]) AS value, unnest(range(len(?::{stored}[]))) AS code",
        [values, values],
    )
    return name


def _clamped(column: Column) -> str:
    """The column inside its clip interval; NULL stays NULL. What is stored is never NaN."""
    assert column.clip is not None
    name = f"staged.{quoted(column.name)}"
    low: float = column.clip.low
    high: float = column.clip.high
    if column.type is Type.INTEGER:
        low, high = math.ceil(low), math.floor(high)
    inside = f"CASE WHEN {name} < {low!r} THEN {low!r} WHEN {name} > {high!r} THEN {high!r}"
    return f"CAST({inside} ELSE {name} END AS {STORED[column.type]})"


def _write(
    connection: Connection,
    contract: Contract,
    rows: int,
    ignored: tuple[str, ...],
    secret: bytes,
) -> Built:
    columns = [f"staged.{quoted(column.name)}" for column in contract.columns]
    joins = []
    for column in contract.columns:
        if column.domain or column.discovered:
            domain = _domain(connection, column)
            code = "UTINYINT" if 0 < len(column.domain) <= 256 else "USMALLINT"
            columns.append(f"CAST({domain}.code AS {code}) AS {quoted(f'__c_{column.name}')}")
            joins.append(f"LEFT JOIN {domain} ON staged.{quoted(column.name)} = {domain}.value")
    columns += [
        f"{_clamped(column)} AS {quoted(f'__k_{column.name}')}"
        for column in contract.columns
        if column.clipped
    ]
    kept = 0
    if contract.unit is not None and contract.disclosure.method is not Method.UNPROTECTED:
        ranked = _chosen_within(contract) is not None
        _number_units(connection, contract.unit, ranked=ranked)
        joins.append(f"JOIN units ON staged.{quoted(contract.unit)} = units.unit")
        columns.append("units.number AS __unit")
        columns.append(("staged.__rank" if ranked else "CAST(1 AS UINTEGER)") + " AS __rank")
        if secret:
            columns += [f"CAST({key} AS UINTEGER) AS {name}" for name, key in _keys(contract)]
            outer, inner = (hmac.digest(secret, use, "sha256").hex() for use in (b"out", b"in"))
            connection.execute("CREATE TEMP TABLE secret AS SELECT ? AS o, ? AS i", [outer, inner])
        elif ranked:
            kept = contract.disclosure.rows_per_unit
        counted = f"SELECT count(*), (SELECT count(*) FROM units), max(__rank) FROM {TABLE}"
    else:
        counted = f"SELECT count(*), 0, 0 FROM {TABLE}"
    statement = f"SELECT {', '.join(columns)} FROM staged {' '.join(joins)}"
    if kept:
        # What counts comes first, so that DuckDB skips the row groups of what does not. Two
        # statements cost less than a sort. Never with record keys: they number equal rows, and
        # one statement does not know how another numbered them.
        connection.execute(f"CREATE TABLE {TABLE} AS {statement} WHERE staged.__rank <= {kept}")
        connection.execute(f"INSERT INTO {TABLE} {statement} WHERE staged.__rank > {kept}")
    else:
        connection.execute(f"CREATE TABLE {TABLE} AS {statement}")
    stored, units, largest = connection.execute(counted).fetchone() or (0, 0, 0)
    connection.execute("CHECKPOINT")
    return Built(
        rows,
        ignored,
        (),
        stored=int(stored),
        units=int(units),
        set_aside=rows - int(stored),
        largest_unit=int(largest or 0),
    )


def _number_units(connection: Connection, unit: str, *, ranked: bool) -> None:
    """The temporary table `units` (unit, number); in random order: a number says nothing."""
    name = quoted(unit)
    # One row of each unit has rank 1, and ten million rows need not be made distinct again.
    one_each = "AND __rank = 1" if ranked else ""
    connection.execute(
        "CREATE TEMP TABLE units AS SELECT unit, "
        "CAST(row_number() OVER (ORDER BY __order) - 1 AS UINTEGER) AS number "
        "FROM (SELECT unit, random() AS __order "
        f"FROM (SELECT DISTINCT {name} AS unit FROM staged WHERE {name} IS NOT NULL {one_each}))"
    )


def _keys(contract: Contract) -> list[tuple[str, str]]:
    """The record keys of a row and of its unit, as SQL: whole numbers below 2^32.

    A keyed hash of the values (nested SHA-256 under two keys, as NMAC), each with its length before
    it so that no two rows are spelt alike. Rows that are equal in every column are told apart by
    their number, so that the keys are those of the rows however often and in what order they come.
    """
    assert contract.unit is not None
    names = [f"staged.{quoted(column.name)}" for column in contract.columns]
    number = f"row_number() OVER (PARTITION BY {', '.join(names)})"
    row = f"concat({', '.join(map(_spelt, names))}, '#', {number})"
    unit = _spelt(f"staged.{quoted(contract.unit)}")
    return [("__key", _hashed(row)), ("__unit_key", _hashed(unit))]


def _spelt(name: str) -> str:
    value = f"CAST({name} AS VARCHAR)"
    return f"CASE WHEN {name} IS NULL THEN '-' ELSE concat(strlen({value}), ':', {value}) END"


def _hashed(message: str) -> str:
    outer, inner = "(SELECT o FROM secret)", "(SELECT i FROM secret)"
    hashed = f"sha256(concat({outer}, sha256(concat({inner}, {message}))))"
    return f"concat('0x', substr({hashed}, 1, 8))"
