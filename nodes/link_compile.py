"""The statements that read a table for a linked question, a part of its rows each: step (8).

Their columns are the key's block (`landbridge.protocols.pseudonyms`), the row's own cell, and a
number per value of the side in whole grid steps. Nothing here can fail on data, for the reasons of
`nodes.compile`.

Where rows have places (DuckDB) a part is a range of them, which reads its own rows and no others,
so all parts together read the table once; elsewhere each part looks through the table. Rows of one
key that lie in several ranges are added up afterwards (`nodes.link_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from nodes.compile import Statement, Writer, quoted_name
from nodes.dialects.dialect import DUCKDB, Dialect, Part
from policies.disclosure import Axis, Mechanism
from policies.link_plan import SidePlan
from policies.question import Count, Histogram, Sum, Units

ROWS: Final = 2 * 122_880
"""Rows that one statement reads: what a worker and the server hold at a time. Row groups of DuckDB
are so long that a range is two whole ones, where the table was written in one go."""
MOST_ROWS: Final = 4 * ROWS
"""That the last range may turn out to have."""


def compile_parts(
    side: SidePlan, key: Sequence[str], rows: int, dialect: Dialect = DUCKDB
) -> Iterator[Statement]:
    """A statement per part of a table of so many rows; each row is in one of them.

    The last range has no end, so that no row is left out whatever was counted before.
    """
    starts = range(0, max(rows, 1), ROWS)
    for number, first in enumerate(starts):
        end = None if first == starts[-1] else first + ROWS
        yield _compile_part(side, key, Part(number, len(starts), first, end), dialect)


def _compile_part(side: SidePlan, key: Sequence[str], part: Part, dialect: Dialect) -> Statement:
    writer = Writer(side.contract, dialect)
    text = _text(writer, key)
    cell = _cell(writer, side.axes)
    numbers = [_number(writer, value.mechanism) for value in side.values]
    inner = [f'{text} AS "key"', f'{cell} AS "cell"']
    inner += [f'{number} AS "x{place}"' for place, number in enumerate(numbers)]
    where = [f"{quoted_name(name)} IS NOT NULL" for name in key]
    where += writer.ranks()
    if side.where is not None:
        where.append(writer.predicate(side.where))
    where += dialect.part(text, part, writer.bound)
    rows = f"SELECT {', '.join(inner)} FROM {writer.source()} WHERE {' AND '.join(where)}"
    block = dialect.block('"key"')
    outer = [f'{block} AS "block"', 'CAST("cell" AS BIGINT)']
    # What a key has in this part is added up here, so that less crosses.
    value = 'sum("x{}")' if side.many else '"x{}"'
    outer += [f"CAST({value.format(place)} AS BIGINT)" for place in range(len(numbers))]
    sql = f"SELECT {', '.join(outer)} FROM ({rows}){dialect.derived}"
    if side.many:
        sql += ' GROUP BY "key", "cell"'
    # Every column has a name of its own: columns are told apart by it.
    return Statement(_named(sql, outer), tuple(writer.parameters), MOST_ROWS)


def _named(sql: str, outer: Sequence[str]) -> str:
    names = ", ".join(f'"{"block" if not place else f"n{place}"}"' for place in range(len(outer)))
    return f"SELECT * FROM ({sql}) AS linked({names})"


def _text(writer: Writer, key: Sequence[str]) -> str:
    """The key's canonical text; of several columns each with its length, so that none runs over."""
    columns, dialect = writer.contract.by_name, writer.dialect
    spelt = [dialect.text(quoted_name(name), columns[name].type) for name in key]
    if len(spelt) == 1:
        return spelt[0]
    return "concat(" + ", ".join(f"{dialect.octets(each)}, ':', {each}" for each in spelt) + ")"


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
