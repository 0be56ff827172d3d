"""The statement that reduces a table to one row per key, for a linked question: step (8).

Its columns are the key's block (`landbridge.protocols.pseudonyms`), the row's own cell, and the
side's numbers in whole grid steps. Nothing here can fail on data, for the reasons of
`nodes.compile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nodes.compile import Statement, Writer, quoted_name
from nodes.dialects.dialect import DUCKDB, Dialect
from policies.disclosure import Axis, Mechanism
from policies.link_plan import SidePlan
from policies.question import Count, Histogram, Sum, Units

ROWS: Final = 250_000
"""Rows that one statement gives, about: what a worker and the server hold at a time."""
MOST_ROWS: Final = 4 * ROWS


def compile_rows(
    side: SidePlan, key: Sequence[str], part: int, parts: int, dialect: Dialect = DUCKDB
) -> Statement:
    """The rows of that part of `parts` (by a hash of the key), each key in one of them."""
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
    if parts > 1:
        where.append(f"{dialect.part(text, writer.bound(parts))} = {writer.bound(part)}")
    rows = f"SELECT {', '.join(inner)} FROM {writer.source()} WHERE {' AND '.join(where)}"
    block = dialect.block('"key"')
    outer = [f'{block} AS "block"']
    if not side.many:
        outer.append('CAST("cell" AS BIGINT)')
        outer += [f'CAST("x{place}" AS BIGINT)' for place in range(len(numbers))]
        sql = f"SELECT {', '.join(outer)} FROM ({rows}){dialect.derived}"
    else:
        outer.append("CAST(0 AS BIGINT)")
        # A number for each of its own cells, cell by cell within a value.
        outer += [
            f'CAST(sum(CASE WHEN "cell" = {own} THEN "x{place}" ELSE 0 END) AS BIGINT)'
            for place in range(len(numbers))
            for own in range(side.cells)
        ]
        sql = f'SELECT {", ".join(outer)} FROM ({rows}){dialect.derived} GROUP BY "key"'
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
        case Units() | Histogram():
            raise AssertionError("linked keys are counted by the gateway")
