"""The node's own SQL counts what the expression is, bin by bin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from nodes.compile import compile_histograms
from nodes.load import load
from nodes.release import release
from nodes.store import Store
from policies.canonical import canonical
from policies.disclosure import plan_release
from policies.question import (
    ColumnOf,
    Count,
    Expression,
    GroupKey,
    Histogram,
    Predicate,
    Question,
    Whole,
)
from policies.review import review
from tests.core import reference, strategies
from tests.people import COLUMNS, TARGET, contract, crowd, write
from tests.simulator import exact

CONTRACT = contract()
ROWS = [*crowd(200), TARGET, (1, None, "D1", 0, "M", 10_000_000, None, None, None, None)]
NAMED = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


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


@settings(max_examples=200)
@given(
    strategies.expressions,
    st.lists(strategies.keys, max_size=2, unique=True),
    st.one_of(st.none(), strategies.predicates),
)
def test_a_histogram_counts_every_row_in_its_bin(
    database: duckdb.DuckDBPyConnection,
    expression: Expression,
    keys: list[GroupKey],
    where: Predicate | None,
) -> None:
    """Against an evaluator that shares no code with the compiler: clamping, NULLs, CASE."""
    question = canonical(Question("people", (Histogram(expression),), tuple(keys), where), CONTRACT)
    try:
        review(question, CONTRACT, Level.RESTRICTED)
    except LandbridgeError:
        return
    plan = plan_release(question, CONTRACT, 0, 1)
    (statement,) = compile_histograms(plan, CONTRACT)
    rows = database.cursor().execute(statement.sql, list(statement.parameters)).fetchall()
    assert len(rows) <= statement.rows
    release(plan, [], exact, [rows])  # it fits the plan
    (measure,) = question.measures
    assert isinstance(measure, Histogram)
    made = plan.mechanisms[0].layout
    assert made is not None
    expected: Counter[tuple[object, ...]] = Counter()
    for row in NAMED:
        found = reference.value(measure.of, row, CONTRACT)
        if found is None or (question.where and reference.truth(question.where, row) is not True):
            continue
        key = tuple(reference.key_value(part, row) for part in question.group_by)
        # Unrounded, since a tie between two steps may fall in the bin of either.
        expected[*key, found / made.span.step] += 1
    counted: Counter[tuple[object, ...]] = Counter()
    for *indices, index, count in rows:
        key = tuple(
            None if code is None else axis.values[code]
            for axis, code in zip(plan.axes, indices, strict=True)
        )
        counted[*key, index] += count
    wanted: Counter[tuple[object, ...]] = Counter()
    ties = 0
    for (*rest, steps), count in expected.items():
        assert isinstance(steps, int | float)
        ties += count * (abs(steps % 1 - 0.5) < 1e-6)
        wanted[*rest, (round(steps) - made.low_units) // made.width] += count
    differing = sum(((wanted - counted) + (counted - wanted)).values())
    assert differing <= 2 * ties
    assert wanted.total() == counted.total()


@pytest.mark.parametrize("value", ["NULL", "'NaN'", "'Infinity'", "'-Infinity'", "1e300", "-1e300"])
@pytest.mark.parametrize("by", [(), (Whole("sex"),)])
def test_no_value_at_all_makes_the_statement_fail(value: str, by: tuple[GroupKey, ...]) -> None:
    """Attack 56: the loader lets none of these in, and the bin does not rely on it."""
    question = Question("people", (Histogram(ColumnOf("height")),), by)
    plan = plan_release(question, CONTRACT, 0, 1)
    (statement,) = compile_histograms(plan, CONTRACT)
    with duckdb.connect() as connection:
        connection.execute(
            f'CREATE TABLE people AS SELECT CAST({value} AS DOUBLE) AS height, 1 AS "__rank", '
            '0 AS "__c_sex"'
        )
        rows = connection.execute(statement.sql, list(statement.parameters)).fetchall()
    layout = plan.mechanisms[0].layout
    assert layout is not None
    assert [0 <= row[-2] < layout.bins for row in rows] == ([] if value == "NULL" else [True])


def test_only_the_rows_that_count_are_in_a_bin(tmp_path: Path) -> None:
    """One person of many rows counts with as many as the contract says, here too."""
    owners = contract(landbridgeRowsPerUnit=3)
    store = Store(tmp_path / "store")
    load(owners, write([TARGET] * 9, tmp_path / "people.csv"), store)
    plan = plan_release(Question("people", (Count(), Histogram(ColumnOf("age")))), owners, 0, 1)
    (statement,) = compile_histograms(plan, owners)
    with duckdb.connect(str(store.tables()["people"]), read_only=True) as connection:
        sql = statement.sql.replace('"people"', '"data"')
        assert connection.execute(sql, list(statement.parameters)).fetchall() == [(93, 3)]


@pytest.mark.parametrize(
    "rows",
    [[], [[(0, 1)], [(0, 1)]], [[(0, 1, 2)]], [[(121, 1)]], [[(-1, 1)]], [[(0, 0)]], [[(0, -3)]],
     [[(None, 1)]], [[(0, 1.0)]], [[(0,)]], [[(0, True)]], [[("a", 1)]]],
)  # fmt: skip
def test_counts_that_do_not_fit_the_plan_are_a_fault(rows: list[list[tuple[object, ...]]]) -> None:
    """An engine that answers something else has failed; nothing of it gets out."""
    plan = plan_release(Question("people", (Histogram(ColumnOf("age")),)), CONTRACT, 0, 1)
    with pytest.raises(LandbridgeError) as failed:
        release(plan, [], exact, rows)
    assert failed.value.reason == "RUN_FAILED"
