"""What a policy lets out is what deciding by it lets out, no more and no less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.levels import Level
from policies import odcs
from policies.access import AccessPolicy, Request
from policies.contract import Contract, Method
from policies.outlet import ROWS, Outlet, Who, budget_of, kind_of, outlets
from tests.people import document
from tests.policies.policy_sets import FORBID, NOON, PERMIT

PEOPLE = odcs.read(document(), "people")
RESEARCH = "dpv:ResearchAndDevelopment"
CALLERS = """@id("alice")
permit (principal == Caller::"alice", action, resource)
when { principal.organisation == Organisation::"tax" };
@id("all-open") permit (principal, action, resource) when { context.level == 0 };
@id("not-bob") forbid (principal == Caller::"bob", action, resource);
@id("trusted") permit (principal in Organisation::"tax", action, resource)
when { principal.clearance >= 2 };
"""
SETS = ["", PERMIT, PERMIT + FORBID, CALLERS, CALLERS + FORBID]


def let_out(text: str, contract: Contract = PEOPLE) -> tuple[Outlet, ...]:
    """What that policy lets out of the contract."""
    access = AccessPolicy.load(text, "x.cedar", contracts=["people"], handlers=[])
    return outlets("north", {"people": contract}, {}, [access])


def test_without_a_permit_nothing_is_let_out() -> None:
    """An owner sees at a glance that the data is not published."""
    assert let_out("") == ()
    assert let_out(FORBID) == ()


def test_each_column_stands_with_the_clearance_that_it_takes() -> None:
    """The level of the column, or more where a policy asks for more."""
    found = {each.column: each.clearance for each in let_out(PERMIT + FORBID)}
    visible = {c.name: c.level for c in PEOPLE.columns if c.level is not Level.SEALED}
    assert found == {**visible, ROWS: Level.OPEN}


def test_the_protected_unit_and_sealed_columns_are_never_listed() -> None:
    """They are counted over, whatever a policy says."""
    columns = {each.column for each in let_out('@id("a") permit (principal, action, resource);')}
    assert "person_id" not in columns
    assert not columns & {c.name for c in PEOPLE.columns if c.level is Level.SEALED}


def test_a_gateway_that_does_not_permit_lets_nothing_through() -> None:
    """Both ends decide; what is listed passes both."""
    both = [
        AccessPolicy.load(text, "x.cedar", contracts=["people"], handlers=[])
        for text in (PERMIT, "")
    ]
    assert outlets("north", {"people": PEOPLE}, {}, both) == ()


def test_exact_numbers_are_for_the_named_organisations() -> None:
    """The contract's own list decides beside the policies."""
    terms = replace(PEOPLE.disclosure, exact_for=frozenset({"office"}), method=Method.EXACT)
    exact = replace(PEOPLE, disclosure=terms)
    found = let_out('@id("a") permit (principal, action, resource);', exact)
    assert {each.who for each in found} == {Who("office")}


@pytest.mark.parametrize("text", SETS)
@given(
    organisation=st.sampled_from(["tax", "institute", "stranger"]),
    subject=st.sampled_from(["alice", "bob", "carol"]),
    clearance=st.sampled_from(Level),
    column=st.sampled_from([c for c in PEOPLE.columns if c.name != "person_id"]),
)
def test_nothing_is_permitted_that_is_not_listed(
    text: str, organisation: str, subject: str, clearance: Level, column: object
) -> None:
    """For callers and organisations that the policies name, and for others."""
    level = getattr(column, "level")  # noqa: B009 - the strategy has no type
    name = getattr(column, "name")  # noqa: B009
    if level > clearance or level is Level.SEALED:
        return
    access = AccessPolicy.load(text, "x.cedar", contracts=["people"], handlers=[])
    permitted = access.decide(
        Request(
            subject, organisation, clearance, "query", "contract", "people", RESEARCH, level, NOON
        )
    ).permitted
    listed = [
        each
        for each in let_out(text)
        if each.column == name
        and each.purpose == RESEARCH
        and each.clearance <= clearance
        and each.who.organisation in ("", organisation)
        and each.who.subject in ("", subject)
    ]
    if permitted:
        assert listed
    elif subject != "bob":  # whom a forbid names
        assert not listed


def test_kind_and_budget_are_said_in_words() -> None:
    """What an owner reviews is not a number without its meaning."""
    assert kind_of(PEOPLE) == "cells with gaussian noise"
    assert "epsilon" in budget_of(PEOPLE.disclosure)
