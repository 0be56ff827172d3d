"""What a department's own SQL makes of a join: what the question means, and bounded per unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from nodes.compile import compile_question
from nodes.load import load
from nodes.store import Store
from policies.canonical import canonical
from policies.contract import Contract, Noise
from policies.disclosure import ReleasePlan, plan_release
from policies.joined import joined
from policies.question import Question
from policies.review import review
from tests import people
from tests.core import reference
from tests.joins.visits import both, contracts, of_visit, questions, repeated, visits, write

BOTH = both()
SEEDS = range(4)
T = 4711
"""The one person who is taken away."""

ENDS = (
    (T, "Z", "D7", 0, "F", 10_000_000, "X1", 2.5, True, None),
    (T, "Z", "D7", 120, "F", 0, None, 0.4, False, None),
    (T, "Z", "D1", 120, "M", None, "flu", None, None, None),
)
"""Values at the ends, where what a unit adds is largest."""


@dataclass
class Tables:
    """Both tables as they are loaded, and again without one person's rows: a schema for each."""

    connection: duckdb.DuckDBPyConnection

    def run(self, plan: ReleasePlan, world: str = "whole") -> list[tuple[Any, ...]]:
        """The exact cells."""
        statement = compile_question(plan, BOTH)
        cursor = self.connection.cursor()
        cursor.execute(f"SET schema = '{world}'")
        return cursor.execute(statement.sql, list(statement.parameters)).fetchall()

    def rows(self, part: Contract) -> list[dict[str, Any]]:
        """A table's rows that its bound lets count."""
        found = self.connection.cursor().execute(f"SELECT * FROM whole.{part.id}")
        names = [each[0] for each in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return [row for row in rows if row["__rank"] <= part.disclosure.rows_per_unit]


WORLDS = {
    "whole": ("", ""),
    "no_people": (f"WHERE person_id <> {T}", ""),
    "no_visits": ("", f"WHERE person_id <> {T}"),
    "nothing": (f"WHERE person_id <> {T}",) * 2,
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Tables]]:
    """Random tables: some people are in one of them only, some have more rows than count."""
    made = []
    for seed in SEEDS:
        folder: Path = tmp_path_factory.mktemp("data")
        store = Store(folder / "store")
        one = [*repeated(12, 4, seed), *ENDS[: seed + 1]]
        other = [*visits(repeated(14, 5, seed + 100), seed), *(of_visit(row) for row in ENDS * 2)]
        sources = (people.write(one, folder / "p.csv"), write(other, folder / "v.csv"))
        connection = duckdb.connect()
        for contract, source in zip(contracts(), sources, strict=True):
            load(contract, source, store)
            path = store.tables()[contract.id]
            connection.execute(f"ATTACH '{path}' AS file_{contract.id} (READ_ONLY)")
        for world, kept in WORLDS.items():
            connection.execute(f"CREATE SCHEMA {world}")
            for contract, where in zip(contracts(), kept, strict=True):
                connection.execute(
                    f"CREATE VIEW {world}.{contract.id} AS FROM file_{contract.id}.data {where}"
                )
        made.append(Tables(connection))
    yield made
    for each in made:
        each.connection.close()


def _planned(question: Question, contract: Contract = BOTH) -> ReleasePlan | None:
    known = canonical(question, contract)
    try:
        review(known, contract, Level.RESTRICTED)
        return plan_release(known, contract, 0, 1)
    except LandbridgeError:
        return None


def _joined(tables: Tables) -> list[dict[str, Any]]:
    """The join by its definition, in plain Python: every pair of rows of one person."""
    one, other = (
        [
            {f"{part.id}.{name}": value for name, value in row.items()}
            | {"person_id": row["person_id"]}
            for row in tables.rows(part)
        ]
        for part in BOTH.parts
    )
    return [a | b for a in one for b in other if a["person_id"] == b["person_id"]]


@settings(max_examples=250, deadline=None)
@given(question=questions(), seed=st.sampled_from(SEEDS))
def test_joined_cells_are_what_the_question_means(
    question: Question, seed: int, tables: list[Tables]
) -> None:
    """Against an evaluator that shares no code with the compiler, each part's bound included."""
    plan = _planned(question)
    if plan is None:
        return
    rows = _joined(tables[seed])
    expected = reference.answer_named(plan.question, rows, BOTH)
    if not plan.axes:
        expected = expected or {(): [0.0] * len(plan.mechanisms)}
    found = tables[seed].run(plan)
    assert len(found) == len(expected)
    width = len(plan.axes)
    counts = {m.measure: place for place, m in enumerate(plan.mechanisms)}
    for row in found:
        key = tuple(
            None if code is None else axis.values[code]
            for axis, code in zip(plan.axes, row[:width], strict=True)
        )
        for place, mechanism in enumerate(plan.mechanisms):
            units = row[width + place]
            if mechanism.counted is not None:
                units += mechanism.centre_units * row[width + counts[mechanism.counted]]
            # Rounding to the grid may fall either way for a value between two steps.
            slack = mechanism.step * len(rows) if mechanism.span and not mechanism.span.whole else 0
            assert units * mechanism.step == pytest.approx(expected[key][place], abs=slack + 1e-6)


@settings(max_examples=250, deadline=None)
@given(
    question=questions(),
    seed=st.sampled_from(SEEDS),
    world=st.sampled_from([world for world in WORLDS if world != "whole"]),
    noise=st.sampled_from(Noise),
)
def test_one_person_moves_the_cells_by_at_most_the_sensitivity(
    question: Question, seed: int, world: str, noise: Noise, tables: list[Tables]
) -> None:
    """The bound that the noise rests on, for rows taken out of one table or of both."""
    plan = _planned(question, joined(contracts(landbridgeNoise=noise.value)))
    if plan is None:
        return
    width = len(plan.axes)
    before, after = (
        {row[:width]: row[width:] for row in tables[seed].run(plan, each)}
        for each in ("whole", world)
    )
    for place, mechanism in enumerate(plan.mechanisms):
        change = [
            (before[cell][place] if cell in before else 0)
            - (after[cell][place] if cell in after else 0)
            for cell in before.keys() | after.keys()
        ]
        if noise is Noise.LAPLACE:
            moved = float(sum(map(abs, change)))
        else:
            moved = math.sqrt(sum(each * each for each in change))
        assert moved <= mechanism.sensitivity * (1 + 1e-12)


def test_the_bound_is_reached(tables: list[Tables]) -> None:
    """Not vacuous: a person with more rows than count everywhere moves the count by the product."""
    from policies.question import Count

    plan = _planned(Question("people", (Count(),), (), None, ("visits",)))
    assert plan is not None
    ((whole,),), ((without,),) = tables[1].run(plan), tables[1].run(plan, "nothing")
    assert whole - without == 2 * 3 == plan.mechanisms[0].sensitivity
