"""The column `department`: parts side by side, where the owners allow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landbridge.errors import InvalidQuestion, Refused
from policies.noise import draw
from tests.people import crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
ROWS = {name: crowd(20 + 5 * at, at) for at, name in enumerate(("east", "north", "south"))}
ALLOWED: dict[str, Any] = {"landbridgePooling": {"department": True}}
BY = "SELECT department, count(*) AS n FROM people GROUP BY department ORDER BY department"


def test_every_department_has_cells_of_its_own(simulate: Simulate) -> None:
    """Each asked for itself, with the noise of one; the plan says so."""
    federation = simulate(ROWS, contract=ALLOWED)
    answer = federation.query(BY)
    assert answer.rows() == [("east", 20), ("north", 25), ("south", 30)]
    plan = federation.explain(BY)
    assert (plan.mode, plan.cells) == ("fan-out", 3)
    assert "by department" in plan.why
    assert (
        plan.accuracy["n"]
        == federation.explain("SELECT count(*) AS n FROM east.people").accuracy["n"]
    )
    assert ("department", "group") in [(used.name, used.clause) for used in plan.columns]
    assert federation.nodes["east"].received[-1].members == ["east"]


def test_other_keys_filters_and_sums_go_with_it(simulate: Simulate) -> None:
    """The answer is that of each department, side by side."""
    federation = simulate(ROWS, contract=ALLOWED)
    found = federation.query(
        "SELECT sex, department AS d, count(*) AS n, sum(age) AS a FROM people "
        "WHERE age >= 30 AND department IN ('east', 'south') GROUP BY department, sex"
    )
    assert len(found.rows()) == 4
    for sex, name, n, years in found.rows():
        ages = [row[3] for row in ROWS[str(name)] if row[4] == sex and row[3] >= 30]
        assert (n, years) == (len(ages), sum(ages))


def test_a_filter_alone_asks_fewer_departments(simulate: Simulate) -> None:
    """One or several; not pooled, since it is about parts."""
    federation = simulate(ROWS, contract=ALLOWED)
    one = federation.query("SELECT count(*) AS n FROM people WHERE department = 'north'")
    assert (one.rows(), one.departments) == ([(25,)], ("north",))
    two = "SELECT count(*) AS n FROM people WHERE department IN ('north', 'east')"
    assert federation.query(two).rows() == [(45,)]
    assert federation.explain(two).mode == "fan-out"


def test_distinct_units_by_department_are_told(simulate: Simulate) -> None:
    """Nothing is added up, so nobody is counted twice."""
    federation = simulate(ROWS, contract={**ALLOWED, "landbridgeUnitsSpan": 3})
    sql = "SELECT department, count(DISTINCT person_id) AS p FROM people GROUP BY department"
    assert [row[1] for row in federation.query(sql).rows()] == [20, 25, 30]


def test_a_missing_department_has_no_row(simulate: Simulate) -> None:
    """It is named, and nothing stands for it."""
    federation = simulate(ROWS, contract=ALLOWED, draw=draw)
    federation.nodes["north"].down = True
    answer = federation.query(BY, partial=True)
    assert [row[0] for row in answer.rows()] == ["east", "south"]
    assert answer.missing == ("north",)


@pytest.mark.parametrize(
    "sql",
    [
        BY,
        "SELECT count(*) FROM people WHERE department = 'east'",
        "SELECT sum(CASE WHEN department = 'east' THEN age END) FROM people",
    ],
)
def test_without_the_owners_leave_it_is_refused_by_a_rule(simulate: Simulate, sql: str) -> None:
    """Which part is whose is what pooling hides."""
    federation = simulate(ROWS)
    with pytest.raises(Refused) as said:
        federation.query(sql)
    assert (said.value.reason, said.value.rule) == (
        "ACCESS_DENIED",
        "contract.pooling.department",
    )
    assert all(node.runs == 0 for node in federation.nodes.values())


@pytest.mark.parametrize(
    "where",
    [
        "department = 'east' OR age > 30",
        "NOT department = 'east'",
        "department <> 'east'",
        "department = 'nowhere'",
        "department = 'east' AND department = 'north'",
    ],
)
def test_a_filter_that_says_more_than_which_departments_is_refused(
    simulate: Simulate, where: str
) -> None:
    """Nobody could put it to a department."""
    federation = simulate(ROWS, contract=ALLOWED)
    with pytest.raises(InvalidQuestion):
        federation.query(f"SELECT count(*) FROM people WHERE {where}")


def test_one_department_alone_has_no_such_column(simulate: Simulate) -> None:
    """There is nothing to tell apart."""
    federation = simulate(ROWS, contract=ALLOWED)
    with pytest.raises(Refused):
        federation.query("SELECT department, count(*) FROM east.people GROUP BY department")
