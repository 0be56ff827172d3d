"""A column that policy forbids: in every clause, at either end, and as if it were not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.directory import directory_response
from gateway.following import unknown_columns
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies.access import AccessPolicy
from tests.gateway.test_levels import CLAUSES, SORTED_BY_WHAT_IS_NOT_SELECTED, said, same
from tests.people import ACCESS, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
NO_AGE = """
@id("test.no-age") @hint("Ask without the age.")
forbid (principal, action, resource == Column::"people.age");
"""
AT_NIGHT = NO_AGE.replace(";\n", " when { context.hour >= 20 };\n")
ROWS = {"count"}
"""count(age) counts rows, since age is never NULL: the typed question has no such column."""
NO_UNIT = NO_AGE.replace("people.age", "people.person_id")


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_column_forbidden_for_good_is_unknown_in_every_clause(
    simulate: Simulate, clause: str
) -> None:
    """The words, the code and the place that a column which never was gets."""
    federation = simulate({"north": crowd(30)}, gateway_access=ACCESS + NO_AGE)
    refusal = said(federation, CLAUSES[clause].format("age"), Level.RESTRICTED)
    unknown = said(federation, CLAUSES[clause].format("agf"), Level.RESTRICTED)
    assert refusal is not None
    assert unknown is not None
    assert same(refusal, unknown)
    assert federation.nodes["north"].runs == 0


@pytest.mark.parametrize("where", ["gateway_access", "access"])
@pytest.mark.parametrize("clause", sorted({*CLAUSES} - SORTED_BY_WHAT_IS_NOT_SELECTED - ROWS))
def test_a_column_forbidden_at_times_names_the_policy_in_every_clause(
    simulate: Simulate, clause: str, where: str
) -> None:
    """At the gateway and, whatever the gateway lets through, at the node."""
    federation = simulate({"north": crowd(30)}, **{where: ACCESS + AT_NIGHT})
    federation.now += 9 * 3_600  # from noon
    refusal = said(federation, CLAUSES[clause].format("age"), Level.RESTRICTED)
    assert refusal is not None
    assert (refusal.reason, refusal.rule) == (
        "ACCESS_DENIED",
        "test.no-age" if where == "gateway_access" else "north/test.no-age",
    )
    assert refusal.hint == "Ask without the age."
    assert federation.nodes["north"].runs == 0
    assert said(federation, "SELECT avg(height) FROM people", Level.RESTRICTED) is None


def test_the_node_says_the_same_of_a_forbidden_and_of_an_unknown_column(
    simulate: Simulate,
) -> None:
    """A gateway that hides nothing changes nothing."""
    federation = simulate({"north": crowd(30)}, access=ACCESS + NO_AGE)
    node = federation.nodes["north"]
    with pytest.raises(LandbridgeError):
        federation.query("SELECT count(*) FROM people WHERE age > 3")
    forwarded = node.received[-1]
    found: list[LandbridgeError] = []
    for number, name in enumerate(("age", "agf")):
        forwarded.asking.question_id = f"{number:032x}"
        forwarded.question.where.comparison.column = name
        signed = federation.signer.signing(forwarded)("north")
        with pytest.raises(LandbridgeError) as caught:
            node.servicer.Answer(signed, federation.node_context())
        found.append(caught.value)
    assert found[0].reason == "NOT_AVAILABLE"
    assert same(*found)
    assert node.runs == 0


def test_a_forbidden_unit_is_not_counted(simulate: Simulate) -> None:
    """Its name stays public; rows are counted, and protected by it, as before."""
    for where in ("gateway_access", "access"):
        federation = simulate({"north": crowd(30)}, **{where: ACCESS + NO_UNIT})
        refusal = said(federation, "SELECT count(DISTINCT person_id) FROM people", Level.OPEN)
        assert refusal is not None
        rule = "test.no-age" if where == "gateway_access" else "north/test.no-age"
        assert (refusal.reason, refusal.rule) == ("ACCESS_DENIED", rule)
        assert said(federation, "SELECT avg(age) FROM people", Level.OPEN) is None


def test_the_directory_shows_no_forbidden_column_and_who_sees_less_shares_no_view(
    simulate: Simulate,
) -> None:
    """The next caller's catalogue is their own."""
    forbid = NO_AGE.replace("(principal,", '(principal == Caller::"bob",')
    federation = simulate({"north": crowd(5)}, gateway_access=ACCESS + forbid)
    shown: dict[str, set[str]] = {}
    for subject in ("alice", "bob", "alice"):
        caller = federation.caller(subject)
        view = federation.asking.view(caller)
        shown[subject] = columns(federation, caller)
        assert ("age" in view.names[Level.OPEN]) == (subject == "alice")
    assert shown["alice"] - shown["bob"] == {"age"}


def columns(federation: FederationSimulator, caller: Any) -> set[str]:
    """Those that the directory lists."""
    reply = directory_response(federation.asking.offered(caller), ())
    return {
        column.name
        for member in reply.members
        for contract in member.contracts
        for column in contract.columns
    }


def test_an_alias_may_have_the_name_of_a_column_that_one_may_not_see(simulate: Simulate) -> None:
    """Refusing the alias would tell that there is such a column."""
    federation = simulate({"north": crowd(30)}, gateway_access=ACCESS + NO_AGE)
    for name in ("age", "agf"):  # forbidden, and none at all
        sql = f"SELECT sex AS {name}, count(*) FROM people GROUP BY {name}"
        assert len(federation.query(sql).rows()) == 2


def test_a_policy_without_columns_asks_cedar_as_often_as_before(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions of columns cost those who use them."""
    asked: list[object] = []
    monkeypatch.setattr(AccessPolicy, "_evaluate_columns", lambda _, request: asked.append(request))
    federation = simulate({"north": crowd(5)})
    federation.query("SELECT avg(age) FROM people")
    assert asked == []


def test_a_gateway_finds_columns_that_nobody_has_once_contracts_are_described(
    simulate: Simulate,
) -> None:
    """A mistyped column would stay open, and the start could not tell."""
    federation = simulate({"north": crowd(5)})
    known = federation.departments.catalogue()
    for text, unknown in (
        (NO_AGE, ()),
        (NO_AGE.replace("age", "agf"), ("people.agf",)),
        (NO_AGE.replace("people.age", "visits.age"), ()),  # nobody has described visits
    ):
        access = AccessPolicy.load(text, "x", contracts=["people", "visits"], handlers=[])
        assert unknown_columns(access, known) == unknown
