"""The statements that read a table for a linked question, a range of its rows each: step (8).

Their columns are the key's block (`landbridge.protocols.pseudonyms`), the row's own cell, and a
number per value of the side in whole grid steps. Nothing here can fail on data, for the reasons of
`nodes.compile`.

A range reads its own rows and no others, so all of them together read the table once. Rows of one
key that lie in several ranges are added up afterwards (`nodes.link_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from nodes.compile import Statement, Writer, quoted_name
from policies.contract import Contract, Type
from policies.disclosure import Axis, Mechanism
from policies.link_plan import SidePlan
from policies.question import Count, Histogram, Sum, Units

ROWS: Final = 2 * 122_880
"""Rows that one statement reads: what a worker and the server hold at a time. Row groups of DuckDB
are so long that a range is two whole ones, where the table was written in one go."""
MOST_ROWS: Final = 4 * ROWS
"""That the last range may turn out to have."""


def compile_ranges(side: SidePlan, key: Sequence[str], rows: int) -> Iterator[Statement]:
    """A statement per range of a table of so many rows; together they read each row once.

    The last range has no end, so that no row is left out whatever was counted before.
    """
    starts = range(0, max(rows, 1), ROWS)
    for first in starts:
        yield _compile_range(side, key, first, None if first == starts[-1] else first + ROWS)


def _compile_range(side: SidePlan, key: Sequence[str], first: int, end: int | None) -> Statement:
    writer = Writer(side.contract)
    text = _text(side.contract, key)
    cell = _cell(writer, side.axes)
    numbers = [_number(writer, value.mechanism) for value in side.values]
    inner = [f'{text} AS "key"', f'{cell} AS "cell"']
    inner += [f'{number} AS "x{place}"' for place, number in enumerate(numbers)]
    where = [f"{quoted_name(name)} IS NOT NULL" for name in key]
    where += writer.ranks()
    if side.where is not None:
        where.append(writer.predicate(side.where))
    where.append(f'"__row" >= {writer.bound(first)}')
    if end is not None:
        where.append(f'"__row" < {writer.bound(end)}')
    rows = f"SELECT {', '.join(inner)} FROM {writer.source()} WHERE {' AND '.join(where)}"
    outer = [f'{_BLOCK} AS "block"', 'CAST("cell" AS BIGINT)']
    # What a key has in this range is added up here, so that less crosses.
    value = 'sum("x{}")' if side.many else '"x{}"'
    outer += [f"CAST({value.format(place)} AS BIGINT)" for place in range(len(numbers))]
    sql = f"SELECT {', '.join(outer)} FROM ({rows})"
    if side.many:
        sql += ' GROUP BY "key", "cell"'
    # Every column has a name of its own: columns are told apart by it.
    return Statement(_named(sql, outer), tuple(writer.parameters), MOST_ROWS)


def _named(sql: str, outer: Sequence[str]) -> str:
    names = ", ".join(f'"{"block" if not place else f"n{place}"}"' for place in range(len(outer)))
    return f"SELECT * FROM ({sql}) AS linked({names})"


_BLOCK: Final = (
    'CASE WHEN strlen("key") <= 15 THEN '
    'encode("key" || repeat(chr(0), 15 - strlen("key")) || chr(CAST(strlen("key") AS INTEGER))) '
    'ELSE unhex(substr(sha256("key"), 1, 30) || '
    "translate(substr(sha256(\"key\"), 31, 1), '02468ace', '13579bdf') || "
    'substr(sha256("key"), 32, 1)) END'
)
"""As `landbridge.protocols.pseudonyms.blocks` makes it of canonical bytes."""


def _text(contract: Contract, key: Sequence[str]) -> str:
    """The key's canonical text; of several columns each with its length, so that none runs over."""
    spelt = [_spelt(contract, name) for name in key]
    if len(spelt) == 1:
        return spelt[0]
    return "concat(" + ", ".join(f"strlen({each}), ':', {each}" for each in spelt) + ")"


def _spelt(contract: Contract, name: str) -> str:
    column = quoted_name(name)
    match contract.by_name[name].type:
        case Type.TEXT:
            return column
        case Type.INTEGER:
            return f"CAST({column} AS VARCHAR)"
        case Type.BOOLEAN:
            return f"CASE WHEN {column} THEN 'true' ELSE 'false' END"
        case Type.DATE:
            return f"strftime({column}, '%Y-%m-%d')"
        case Type.TIMESTAMP:
            return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')"
        case Type.NUMBER:
            raise AssertionError("no contract links on numbers")


def _cell(writer: Writer, axes: Sequence[Axis]) -> str:
    """The row's place among its own cells, the last axis running fastest."""
    cell = "0"
    for axis in axes:
        index = f"({writer.key(axis)})"
        if axis.null_last:
            index = f"coalesce({index}, {len(axis.values)})"
        cell = f"({cell} * {len(axis)} + {index})"
    return cell


def _number(writer: Writer, mechanism: Mechanism) -> str:
    """What one row adds, a whole number and never NULL."""
    match mechanism.measure:
        case Count(None):
            return "1"
        case Count(of):
            assert of is not None
            return f"CASE WHEN {writer.present(of)} THEN 1 ELSE 0 END"
        case Sum(of):
            assert mechanism.span is not None
            steps = writer.steps(of, mechanism.span)
            centre = mechanism.centre_units if mechanism.counted is not None else 0
            return f"coalesce({steps} - {writer.bound(centre)}, 0)"
        case Units():
            # A vote: one row of each unit has this rank, whatever it holds.
            return f"CASE WHEN {writer.own(writer.contract, '__rank')} = 1 THEN 1 ELSE 0 END"
        case Histogram():
            raise AssertionError("no linked question has quantiles")
