"""The node's own SQL says exactly what the typed question means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from nodes.compile import compile_histograms, compile_question
from nodes.load import load
from nodes.store import Store
from policies.canonical import canonical
from policies.disclosure import plan_release
from policies.joined import joined
from policies.question import Bucketed, Count, Question
from policies.review import review
from tests.core import reference, strategies
from tests.joins.visits import contracts
from tests.people import TARGET, contract, crowd, write

CONTRACT = contract()
ROWS = [*crowd(200), TARGET, (1, None, "D1", 0, "M", 10_000_000, None, None, None, None)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows as the loader stores them."""
    folder: Path = tmp_path_factory.mktemp("data")
    store = Store(folder / "store")
    load(CONTRACT, write(ROWS, folder / "people.csv"), store)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{store.tables()['people']}' AS file (READ_ONLY)")
        connection.execute("CREATE VIEW people AS FROM file.data")
        yield connection


ON_EDGES = [
    Question("people", (Count(),), (Bucketed("height", low, high, count),))
    for low, high, count in ((-10.0, 47.0, 5), (0.0, 2.5, 250), (0.1, 2.3, 11), (1.0, 2.0, 100))
]
"""There are heights of 1.4, where a bucket begins; and many others, of whole centimetres."""


@settings(max_examples=300)
@example(question=ON_EDGES[0])
@example(question=ON_EDGES[1])
@example(question=ON_EDGES[2])
@example(question=ON_EDGES[3])
@given(question=strategies.questions)
def test_compiled_cells_are_what_the_question_means(
    question: Question, database: duckdb.DuckDBPyConnection
) -> None:
    """Against an evaluator that shares no code with the compiler, NULLs and clamping included."""
    known = canonical(question, CONTRACT)
    try:
        review(known, CONTRACT, Level.RESTRICTED)
    except LandbridgeError:
        return
    plan = plan_release(known, CONTRACT, 0, 1)
    statement = compile_question(plan, CONTRACT)
    rows = database.cursor().execute(statement.sql, list(statement.parameters)).fetchall()
    expected = reference.answer(known, ROWS, CONTRACT)
    if not known.group_by:
        expected = expected or {(): [0.0] * len(known.measures)}
    assert len(rows) == len(expected)
    width = len(plan.axes)
    counts = {m.measure: place for place, m in enumerate(plan.mechanisms)}
    for row in rows:
        key = tuple(
            None if code is None else axis.values[code]
            for axis, code in zip(plan.axes, row[:width], strict=True)
        )
        assert all(type(cell) is int for cell in row[width:])
        for place, mechanism in enumerate(plan.mechanisms):
            units = row[width + place]
            if mechanism.counted is not None:
                units += mechanism.centre_units * row[width + counts[mechanism.counted]]
            wanted = expected[key][place]
            # Rounding to the grid may fall either way for a value between two steps.
            slack = mechanism.step * len(ROWS) if mechanism.span and not mechanism.span.whole else 0
            assert units * mechanism.step == pytest.approx(wanted, abs=slack + 1e-6)


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.sql")), ids=lambda path: path.stem)
def test_golden_pairs(path: Path) -> None:
    """Question -> SQL, for a statistician's eye: what is asked, what runs, with which values."""
    from gateway.sql import read

    tables = {"people": CONTRACT, "visits": contracts()[1]}
    asked, expected = path.read_text().split("\n---\n")
    reading = read(asked, lambda table, _: tables[table], Level.RESTRICTED)
    contract = joined([tables[table] for table in reading.question.contracts])
    plan = plan_release(reading.question, contract, 0, 1)
    statements = [compile_question(plan, contract)] if plan.plain else []
    statements += compile_histograms(plan, contract)
    assert "".join(f"{each.sql}\n{list(each.parameters)}\n" for each in statements) == expected
