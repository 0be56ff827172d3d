"""Which way a question is put, and why: from contracts and policies alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodes.ledger import VERSION, Ledger, LedgerUnusable
from policies.contract import Pooling
from policies.joined import joined
from policies.odcs import ContractInvalid
from tests.joins.visits import document as visits_document
from tests.people import UNPROTECTED, contract, crowd
from tests.simulator import NOON, FederationSimulator

Simulate = Callable[..., FederationSimulator]
SQL = "SELECT district, count(*) AS n FROM people GROUP BY district"


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"landbridgeNoise": "laplace"}, "laplace noise"),
        (UNPROTECTED, "no noise"),
        ({"landbridgePooling": {"minimum": 3}}, "3 departments or more"),
    ],
)
def test_what_cannot_be_pooled_is_a_fan_out_and_says_why(
    simulate: Simulate, terms: dict[str, Any], why: str
) -> None:
    """One noise draw a department, which the plan says too."""
    federation = simulate({"north": crowd(20), "east": crowd(20, 2)}, contract=terms)
    plan = federation.explain(SQL)
    assert plan.mode == "fan-out"
    assert why in plan.why
    assert federation.query("SELECT count(*) FROM people").rows() == [(40,)]


def test_a_plan_says_what_it_costs_to_send(simulate: Simulate) -> None:
    """Rounds, bytes, accuracy beside a fan-out's, and both departments' budgets; nothing is run."""
    federation = simulate({"north": crowd(20), "east": crowd(20, 2)})
    plan = federation.explain(SQL)
    assert (plan.mode, plan.rounds, plan.bytes) == ("pooled", 1, 4 * 8)
    assert "under masks" in plan.why
    assert "1 times that in parts with noise of their own" in plan.why
    assert [budget.department for budget in plan.budgets] == ["north", "east"]
    assert all(node.runs == 0 for node in federation.nodes.values())
    assert plan.accuracy["n"] == federation.query(SQL).accuracy["n"][0]
    alone = federation.explain(SQL.replace("people GROUP", "north.people GROUP"))
    assert (alone.mode, alone.rounds, alone.bytes) == ("one department", 1, 4 * 8)


def test_the_owners_wishes_are_read_and_joined_strictly() -> None:
    """Defaults where nothing is said; the stricter of two contracts in a join."""
    assert contract().disclosure.pooling == Pooling()
    wished = contract(landbridgePooling={"minimum": 4, "honest": 2, "department": True})
    assert wished.disclosure.pooling == Pooling(4, 2, alone=True, department=True)
    from policies import odcs

    visits = odcs.read(visits_document(landbridgePooling={"honest": 5, "alone": False}), "visits")
    both = joined([contract(landbridgePooling={"minimum": 3, "honest": 2}), visits])
    assert both.disclosure.pooling == Pooling(3, 2, alone=False, department=False)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"minimum": 1}, "minimum: must be a whole number from 2"),
        ({"honest": 0}, "honest: must be a whole number from 1"),
        ({"alone": "no"}, "alone: must be true or false"),
        ({"alone": False, "department": True}, "must be left out where alone is false"),
        ({"most": 3}, "most: is not read here"),
        ([], "must be a mapping"),
    ],
)
def test_wishes_that_mean_nothing_are_told_to_the_owner(wish: Any, sentence: str) -> None:
    """Each with its place."""
    with pytest.raises(ContractInvalid, match=sentence):
        contract(landbridgePooling=wish)


def test_a_ledger_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    """Its charges stay; an unknown version is refused."""
    path = tmp_path / "ledger.sqlite"
    Ledger(path, lambda: NOON).close()
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE round")
        file.execute("PRAGMA user_version=1")
        file.execute("INSERT INTO spent VALUES ('people', 'university', '2026', 5)")
    file.close()
    ledger = Ledger(path, lambda: NOON)
    assert ledger.accounts(contract(), "university")[0].spent == 5
    assert ledger.earlier(b"memory", 8) == ()
    ledger.close()
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version={VERSION + 1}")
    file.close()
    with pytest.raises(LedgerUnusable, match="version"):
        Ledger(path, lambda: NOON)
