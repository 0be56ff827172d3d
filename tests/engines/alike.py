"""What is asked of two places of a department's rows, which must say the same of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from hypothesis import strategies as st

from nodes.compile import compile_question, compile_selection
from nodes.engines.engine import Engine
from nodes.load_report import Report
from nodes.store import Store
from policies import odcs
from policies.contract import Contract
from policies.disclosure import plan_release
from policies.joined import joined
from policies.question import ColumnOf, Count, Question, Sum, Units, Whole
from tests import people
from tests.engines import shapes
from tests.engines.cells import cells, planned
from tests.engines.places import Files, Row
from tests.joins import visits
from tests.selection import contracts as selecting


class Keyed(Protocol):
    """A place that can key its records as another department does."""

    store: Store

    def load(self, contract: Contract, rows: Sequence[Row]) -> Report:
        """Puts the rows there, and loads them."""
        ...

    def engine(self) -> Engine:
        """Over all that was loaded."""
        ...

    def keep_secret(self, other: Store) -> None:
        """Keys its records as the other department does."""
        ...


def loaded_alike(files: Files, other: Keyed, contract: Contract, rows: Sequence[Row]) -> None:
    """Both say the same of what they loaded."""
    first, second = (place.load(contract, rows).loaded for place in (files, other))
    assert first is not None
    assert second is not None
    assert (first.rows, first.set_aside, first.units, first.largest_unit) == (
        second.rows,
        second.set_aside,
        second.units,
        second.largest_unit,
    )


def answered_alike(
    contract: Contract, asked: list[Question], one: Engine, two: Engine, *, all_of: bool = True
) -> None:
    """The same cells; where not `all_of`, questions that are refused are left out."""
    for question in asked:
        plan = planned(question, contract)
        assert plan is not None or not all_of, question  # what is refused tests nothing
        if plan is not None:
            assert cells(plan, contract, two) == cells(plan, contract, one), question


def drawn_alike(data: st.DataObject, other: Keyed, most: int) -> None:
    """Columns, rows and questions are drawn, and DuckDB and the other place answer."""
    contract, rows = data.draw(shapes.tables())
    asked = data.draw(
        st.lists(shapes.questions(contract), min_size=most, max_size=most), label="questions"
    )
    with TemporaryDirectory() as folder:
        fresh = Files(Path(folder))
        loaded_alike(fresh, other, contract, rows)
        two = other.engine()
        answered_alike(contract, asked, fresh.engine(), two, all_of=False)
        two.close()


def ruled_alike(files: Files, other: Keyed, document: Callable[..., bytes]) -> None:
    """Units in a cell, their largest totals, margins, and the sums of record keys.

    The same department keys its records alike on either engine, for rows that hold no number. Some
    incomes are NULL, which is nobody's largest.
    """
    contract = odcs.read(document(landbridgeDominance={"n": 2, "k": 75}), "people")
    rows = [*people.crowd(150), people.TARGET, *people.crowd(40, seed=8)]
    place = people.COLUMNS.index("height")  # a double is spelt differently
    rows = [(*row[:place], None, *row[place + 1 :]) for row in rows]
    place = people.COLUMNS.index("income")
    rows += [(9_000 + n, *row[1:place], None, *row[place + 1 :]) for n, row in enumerate(rows[:9])]
    other.keep_secret(files.store)
    loaded_alike(files, other, contract, rows)
    one, two = files.engine(), other.engine()
    question = Question(
        "people", (Count(), Units(), Sum(ColumnOf("income")), Count(ColumnOf("diagnosis"))),
        (Whole("district"), Whole("sex")),
    )  # fmt: skip
    asked = [question, Question("people", question.measures)]
    answered_alike(contract, asked, one, two)
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


def found_alike(files: Files, other: Keyed, rows_per_unit: int) -> None:
    """Values that no contract declares: with one row of a unit, or with more than it has votes."""
    contract = selecting.found(landbridgeRowsPerUnit=rows_per_unit)
    rows = people.crowd(200)
    if rows_per_unit > 1:
        rows = [(row[0] % 20, *row[1:]) for row in rows]
    loaded_alike(files, other, contract, rows)
    one, two = files.engine(), other.engine()
    found = counted(one, contract)
    assert set(found) == {"flu", "cold"}
    assert counted(two, contract) == found
    two.close()


def joined_alike(files: Files, other: Keyed) -> None:
    """Two tables of one department, on the unit, each with its own bound."""
    first, second = visits.contracts()
    rows = people.crowd(60)
    of_each: list[Row] = [
        (*row, visits.KINDS[n % 2], n % 900) for n, row in enumerate(rows[:40] * 2)
    ]
    for place in (files, other):
        place.load(first, [*rows])
        place.load(second, of_each)
    both = joined([first, second])
    one, two = files.engine(), other.engine()
    measures: tuple[Any, ...] = (
        Count(), Units(), Sum(ColumnOf("visits.cost")), Sum(ColumnOf("people.height")),
    )  # fmt: skip
    keys = (Whole("people.district"), Whole("visits.kind"))
    answered_alike(both, [Question("people", measures, keys, joined=("visits",))], one, two)
    two.close()
