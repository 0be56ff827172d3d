"""One question, several engines, the same cells to the last one: the noise is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from nodes.compile import compile_question, compile_selection
from nodes.engines.engine import Engine
from policies import odcs
from policies.contract import Contract
from policies.disclosure import plan_release
from policies.joined import joined
from policies.question import ColumnOf, Count, Question, Sum, Units, Whole
from tests import people
from tests.disclosure.terms import cell_key, exact
from tests.engines import linking, shapes
from tests.engines.cells import cells, planned
from tests.engines.places import Database, Files, Place
from tests.joins import visits
from tests.selection import contracts as selecting

ASKED = 12
"""Questions for each table that is drawn."""


@pytest.fixture(scope="module")
def other(database: Callable[[], Database]) -> Database:
    """A department with PostgreSQL, which loads one table after another."""
    return database()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A department with DuckDB's files."""
    return Files(tmp_path_factory.mktemp("files"))


def same(places: tuple[Place, Place], contract: Contract, rows: list[tuple[object, ...]]) -> None:
    """Both say the same of what they loaded."""
    first, second = (place.load(contract, rows).loaded for place in places)
    assert first is not None
    assert second is not None
    assert (first.rows, first.set_aside, first.units, first.largest_unit) == (
        second.rows,
        second.set_aside,
        second.units,
        second.largest_unit,
    )


def test_odd_values_are_seen_alike(files: Files, other: Database) -> None:
    """Halves, products too small for a double, text in no locale's order, days far away."""
    contract, rows = shapes.awkward()
    same((files, other), contract, rows)
    one, two = files.engine(), other.engine()
    asked = shapes.about_the_awkward(contract)
    for question in asked:
        plan = planned(question, contract)
        assert plan is not None, question  # what is refused tests nothing
        assert cells(plan, contract, two) == cells(plan, contract, one), question
    two.close()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_question_about_any_table_has_the_same_cells(
    data: st.DataObject, other: Database
) -> None:
    """Columns, rows and questions are drawn; DuckDB and PostgreSQL answer."""
    contract, rows = data.draw(shapes.tables())
    asked = data.draw(
        st.lists(shapes.questions(contract), min_size=ASKED, max_size=ASKED), label="questions"
    )
    with TemporaryDirectory() as folder:
        fresh = Files(Path(folder))
        same((fresh, other), contract, rows)
        one, two = fresh.engine(), other.engine()
        for question in asked:
            plan = planned(question, contract)
            if plan is not None:
                note(repr(question))
                assert cells(plan, contract, two) == cells(plan, contract, one)
        two.close()


@pytest.mark.parametrize("document", [cell_key, exact])
def test_what_statistical_rules_look_at_is_the_same(
    files: Files, other: Database, document: Callable[..., bytes]
) -> None:
    """Units in a cell, their largest totals, margins, and the sums of record keys.

    The same department keys its records alike on either engine, for rows that hold no number.
    """
    contract = odcs.read(document(landbridgeDominance={"n": 2, "k": 75}), "people")
    rows = [*people.crowd(150), people.TARGET, *people.crowd(40, seed=8)]
    place = people.COLUMNS.index("height")  # a double is spelt differently
    rows = [(*row[:place], None, *row[place + 1 :]) for row in rows]
    other.keep_secret(files.store)
    same((files, other), contract, rows)
    one, two = files.engine(), other.engine()
    question = Question(
        "people", (Count(), Units(), Sum(ColumnOf("income")), Count(ColumnOf("diagnosis"))),
        (Whole("district"), Whole("sex")),
    )  # fmt: skip
    for asked in (question, Question("people", question.measures)):
        plan = planned(asked, contract)
        assert plan is not None
        found = cells(plan, contract, one)
        assert len(found[0]) >= (4 if asked.group_by else 1)
        assert cells(plan, contract, two) == found
    two.close()


def counted(engine: Engine, contract: Contract) -> dict[str, tuple[int, int]]:
    """Per value that is found in the data, its units and the rows of its cell."""
    plan = plan_release(selecting.BY_DIAGNOSIS, contract, 0, 1)
    statement = compile_selection(plan, contract, engine.dialect)
    rows = engine.run(statement.sql, statement.parameters, timeout=60, maximum_rows=100)
    found = {}
    for code, value, units in rows:
        assert isinstance(code, int)
        closed = plan.closed((str(value),))
        asked = compile_question(closed, contract, (code,), engine.dialect)
        counts = engine.run(asked.sql, asked.parameters, timeout=60, maximum_rows=100)
        (cell,) = [row[1] for row in counts if row[0] == code]
        assert isinstance(units, int)
        assert isinstance(cell, int)
        found[str(value)] = units, cell
    return found


@pytest.mark.parametrize("rows_per_unit", [1, 30])
def test_values_that_are_found_in_the_data_are_the_same(
    files: Files, other: Database, rows_per_unit: int
) -> None:
    """With one row of a unit, and with more rows than it has votes."""
    contract = selecting.found(landbridgeRowsPerUnit=rows_per_unit)
    rows = people.crowd(200)
    if rows_per_unit > 1:
        rows = [(row[0] % 20, *row[1:]) for row in rows]
    same((files, other), contract, rows)
    one, two = files.engine(), other.engine()
    found = counted(one, contract)
    assert set(found) == {"flu", "cold"}
    assert counted(two, contract) == found
    two.close()


def test_tables_of_one_department_are_joined_alike(files: Files, other: Database) -> None:
    """On the unit, each with its own bound."""
    first, second = visits.contracts()
    rows = people.crowd(60)
    for place in (files, other):
        place.load(first, rows)
        place.load(
            second, [(*row, visits.KINDS[n % 2], n % 900) for n, row in enumerate(rows[:40] * 2)]
        )
    both = joined([first, second])
    one, two = files.engine(), other.engine()
    plan = planned(
        Question(
            "people",
            (Count(), Units(), Sum(ColumnOf("visits.cost")), Sum(ColumnOf("people.height"))),
            (Whole("people.district"), Whole("visits.kind")),
            joined=("visits",),
        ),
        both,
    )
    assert plan is not None
    found = cells(plan, both, one)
    assert len(found[0]) > 4
    assert cells(plan, both, two) == found
    two.close()


def test_departments_of_several_engines_are_linked(
    database: Callable[[], Database], tmp_path: Path
) -> None:
    """Two in PostgreSQL, one with files: pseudonyms, codes and values meet as if in one engine."""
    linking.require_truth(tmp_path, {"tax": database, "health": database})
