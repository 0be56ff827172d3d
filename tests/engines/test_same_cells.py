"""One question, several engines, the same cells to the last one: the noise is not there yet.

What the tests ask of DuckDB and PostgreSQL is asked of Spark in `tests.engines.test_spark`, in
short, and in `tests.engines.at_length`, which `make torture` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.engines.engine import Engine
from tests.disclosure.terms import cell_key, exact
from tests.engines import alike, linking, pitfalls, shapes
from tests.engines.places import Database, Files


@pytest.fixture(scope="module")
def other(database: Callable[[], Database]) -> Database:
    """A department with PostgreSQL, which loads one table after another."""
    return database()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A department with DuckDB's files."""
    return Files(tmp_path_factory.mktemp("files"))


def test_odd_values_are_seen_alike(files: Files, other: Database) -> None:
    """Halves, products too small for a double, text in no locale's order, days far away."""
    contract, rows = shapes.awkward()
    alike.loaded_alike(files, other, contract, rows)
    two = other.engine()
    alike.answered_alike(contract, shapes.about_the_awkward(contract), files.engine(), two)
    two.close()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_question_about_any_table_has_the_same_cells(
    data: st.DataObject, other: Database
) -> None:
    """Columns, rows and questions are drawn; DuckDB and PostgreSQL answer."""
    alike.drawn_alike(data, other, 12)


@pytest.fixture(scope="module")
def pits(files: Files, other: Database) -> Iterator[tuple[Engine, Engine]]:
    """Both engines over the table of pitfalls."""
    alike.loaded_alike(files, other, pitfalls.CONTRACT, pitfalls.ROWS)
    two = other.engine()
    yield files.engine(), two
    two.close()


@pytest.mark.parametrize("name", pitfalls.PITFALLS)
def test_a_pitfall_of_engines_is_what_it_means(pits: tuple[Engine, Engine], name: str) -> None:
    """Cells that a person worked out, on either engine."""
    for engine in pits:
        pitfalls.require(engine, name)


@pytest.mark.parametrize("document", [cell_key, exact])
def test_what_statistical_rules_look_at_is_the_same(
    files: Files, other: Database, document: Callable[..., bytes]
) -> None:
    """Units in a cell, their largest totals, margins, and the sums of record keys."""
    alike.ruled_alike(files, other, document)


@pytest.mark.parametrize("rows_per_unit", [1, 30])
def test_values_that_are_found_in_the_data_are_the_same(
    files: Files, other: Database, rows_per_unit: int
) -> None:
    """With one row of a unit, and with more rows than it has votes."""
    alike.found_alike(files, other, rows_per_unit)


def test_tables_of_one_department_are_joined_alike(files: Files, other: Database) -> None:
    """On the unit, each with its own bound."""
    alike.joined_alike(files, other)


def test_departments_of_several_engines_are_linked(
    database: Callable[[], Database], tmp_path: Path
) -> None:
    """Two in PostgreSQL, one with files: pseudonyms, codes and values meet as if in one engine."""
    linking.require_truth(tmp_path, {"tax": database, "health": database})
