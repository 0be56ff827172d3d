"""The same cells on all three engines, at length: DuckDB's files, PostgreSQL and Spark.

`make torture` asks all of this. The name keeps it out of the check, which has it in short;
`pytest tests/engines/at_length.py` runs it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.disclosure.terms import cell_key, exact
from tests.engines import alike, linking, shapes
from tests.engines.places import Database, Files, Lake
from tests.spark import Cluster

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def other(database: Callable[[], Database]) -> Database:
    """A department with PostgreSQL, which loads one table after another."""
    return database()


@pytest.fixture(scope="module")
def lakes(cluster: Cluster) -> Callable[[], Lake]:
    """Makes lakes, each of its own department."""
    numbers = itertools.count()
    return lambda: Lake(cluster, f"lake{next(numbers)}")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A department with DuckDB's files."""
    return Files(tmp_path)


@settings(max_examples=200, suppress_health_check=_SLOW)
@given(data=st.data())
def test_any_question_about_any_table_in_postgresql(data: st.DataObject, other: Database) -> None:
    """Columns, rows and twelve questions are drawn, 200 times."""
    alike.drawn_alike(data, other, 12)


@settings(max_examples=15, suppress_health_check=_SLOW)
@given(data=st.data())
def test_any_question_about_any_table_in_a_lake(
    data: st.DataObject, lakes: Callable[[], Lake]
) -> None:
    """Columns, rows and six questions are drawn, 15 times: a cluster takes a while to load."""
    alike.drawn_alike(data, lakes(), 6)


def test_every_odd_value_in_a_lake(files: Files, lakes: Callable[[], Lake]) -> None:
    """All of what the check asks a part of."""
    contract, rows = shapes.awkward()
    lake = lakes()
    alike.loaded_alike(files, lake, contract, rows)
    two = lake.engine()
    alike.answered_alike(contract, shapes.about_the_awkward(contract), files.engine(), two)
    two.close()


@pytest.mark.parametrize("document", [cell_key, exact])
def test_what_statistical_rules_look_at_in_a_lake(
    files: Files, lakes: Callable[[], Lake], document: Callable[..., bytes]
) -> None:
    """Units in a cell, their largest totals, margins, and record keys, which Spark computes."""
    alike.ruled_alike(files, lakes(), document)


@pytest.mark.parametrize("rows_per_unit", [1, 30])
def test_values_that_are_found_in_a_lake(
    files: Files, lakes: Callable[[], Lake], rows_per_unit: int
) -> None:
    """Undeclared keys, with one row of a unit and with more rows than it has votes."""
    alike.found_alike(files, lakes(), rows_per_unit)


def test_tables_of_a_lake_are_joined(files: Files, lakes: Callable[[], Lake]) -> None:
    """On the unit, each with its own bound."""
    alike.joined_alike(files, lakes())


def test_departments_of_three_engines_are_linked(
    tmp_path: Path, lakes: Callable[[], Lake], database: Callable[[], Database]
) -> None:
    """A lake, a server and files: pseudonyms, codes and values meet as if in one engine."""
    linking.require_truth(tmp_path, {"tax": lakes, "health": database})
