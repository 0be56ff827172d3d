"""What a linked question takes of a department grows as its rows do, and memory does not."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from nodes import link_compile, link_rows
from nodes.compile import Statement
from nodes.engines.database import VIEW
from nodes.link_compile import ROWS, compile_parts
from nodes.link_rows import Batch, RowSorter
from policies.link_plan import SidePlan, plan_link
from policies.linked import LinkedQuestion, Side
from policies.odcs import read
from policies.question import ColumnOf, Count, Question, Sum, Whole
from tests.linked.world import document

GROUP = 122_880
"""Rows that DuckDB keeps together, and reads together."""
CELLS = 3


def visits() -> SidePlan:
    """A side with several rows for a key, two values and three cells of its own."""
    sides = tuple(
        Side(name, read(document(table), table))
        for name, table in (("health", "visits"), ("tax", "earners"))
    )
    asked = Question(
        "visits",
        (Count(), Sum(ColumnOf("visits.cost"))),
        joined=("earners",),
        group_by=(Whole("visits.kind"),),
    )
    return plan_link(LinkedQuestion(asked, sides, ("person",), 900_000_000)).side("health")


def table(place: Path, rows: int) -> duckdb.DuckDBPyConnection:
    """What loading would make of so many visits, of a tenth as many persons."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{place / f'{rows}.duckdb'}' AS file")
    connection.execute(
        "CREATE TABLE file.data AS SELECT i * 7919 % (? // 10) AS person, 1::UINTEGER AS __rank, "
        f"(i % {CELLS})::UTINYINT AS __c_kind, i % 1000 AS __k_cost, i % 1000 AS cost "
        "FROM range(?) t(i)",
        [rows, rows],
    )
    connection.execute(f"CREATE VIEW visits AS {VIEW.format(file='file')}")
    return connection


def columns(connection: duckdb.DuckDBPyConnection, statement: Statement) -> Mapping[str, Any]:
    """What the statement gives."""
    return connection.execute(statement.sql, list(statement.parameters)).fetchnumpy()


def read_rows(connection: duckdb.DuckDBPyConnection, place: Path, rows: int) -> tuple[int, int]:
    """Statements, and rows that DuckDB read for all of them; their counts and sums are checked."""
    profile = place / "profile.json"
    connection.execute("PRAGMA enable_profiling = 'json'")
    connection.execute(f"SET profiling_output = '{profile}'")
    scanned = statements = counted = added = 0
    for statement in compile_parts(visits(), ("person",), rows):
        found = columns(connection, statement)
        scanned += json.loads(profile.read_text())["query"]["total_rows_scanned"]
        statements += 1
        counted += int(found["n2"].sum())
        added += int(found["n3"].sum())
    connection.execute("PRAGMA disable_profiling")
    assert counted == rows
    assert added == sum(number % 1000 for number in range(rows))
    return statements, scanned


def test_every_row_is_read_once_however_many_parts_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts by a hash of the key read the table once each: 40 times at ten million rows."""
    monkeypatch.setattr(link_compile, "ROWS", GROUP)
    found = {}
    for rows in (2 * GROUP, 6 * GROUP + 1):
        connection = table(tmp_path, rows)
        try:
            found[rows] = read_rows(connection, tmp_path, rows)
        finally:
            connection.close()
    for rows, (statements, scanned) in found.items():
        assert statements == -(-rows // GROUP)
        assert rows <= scanned <= rows + GROUP, (rows, scanned)
    assert ROWS % GROUP == 0, "a range would read the groups at its ends twice"


def test_what_was_not_counted_is_read_all_the_same(tmp_path: Path) -> None:
    """The last range has no end: a count that is too small loses no rows."""
    connection = table(tmp_path, 1_000)
    try:
        (statement,) = compile_parts(visits(), ("person",), 10)
        found = columns(connection, statement)
        assert int(found["n2"].sum()) == 1_000
    finally:
        connection.close()


def sorted_rows(place: Path, rows: int, keys: int) -> tuple[int, int]:
    """Rows that come of so many records in batches, and the most memory that it took."""
    source = np.random.default_rng(20261127)
    batch = 10_000
    tracemalloc.start()
    try:
        with RowSorter(place, 2, rows, CELLS) as sorter:
            for first in range(0, rows, batch):
                number = np.arange(first, first + batch, dtype=np.uint64) % keys
                # Spread as a cipher would: ranges are made by the first bits.
                mixed = number * np.uint64(0x9E3779B97F4A7C15)
                blocks = np.zeros((batch, 16), dtype=np.uint8)
                blocks[:, :8] = mixed.astype(">u8").view(np.uint8).reshape(-1, 8)
                codes = (number % CELLS).astype(np.uint32)
                values = np.stack([np.ones(batch, dtype=np.int64), number.astype(np.int64)], 1)
                order = source.permutation(batch)
                sorter.add(Batch(blocks[order], codes[order], values[order]))
            whole = sorter.sorted()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    last = b""
    counted = 0
    for part in whole.batches(batch):
        heads = [each.tobytes() for each in part.pseudonyms]
        assert last < heads[0]
        assert heads == sorted(set(heads))
        last = heads[-1]
        assert part.values.shape[1] == 2 * CELLS
        counted += int(part.values[:, :CELLS].sum())
    assert counted == rows
    made = whole.count
    whole.close()
    return made, peak


def test_rows_are_added_up_in_memory_that_stays_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times the rows take four times the file and no more memory."""
    monkeypatch.setattr(link_rows, "RANGE_BYTES", 1 << 20)
    few, peak_of_few = sorted_rows(tmp_path, 100_000, 30_000)
    many, peak_of_many = sorted_rows(tmp_path, 400_000, 120_000)
    assert (few, many) == (30_000, 120_000)
    assert peak_of_many < 1.3 * peak_of_few, (peak_of_few, peak_of_many)
