"""What can be put before an officer is shown with who answers, before anybody asks."""

from __future__ import annotations

from landbridge.levels import Level
from policies.access import AccessPolicy
from policies.considered import OTHER, Considered, considered, lines
from policies.consultation import Terms
from policies.outlet import Who
from tests.people import PURPOSE, contract

POLICY = """
@id("people.query") permit (principal, action == Action::"query", resource);
@id("people.consult") @role("data-officer") @escalates_to("clerk") @hours("24") @reviewers("2")
permit (principal in Organisation::"province", action == Action::"consult", resource)
when { context.level <= 1 };
@id("people.review")
permit (principal == Caller::"ann", action == Action::"review", resource)
when { context.role == "data-officer" };
"""


def found(text: str = POLICY) -> tuple[Considered, ...]:
    """Of a department with one contract."""
    access = AccessPolicy.load(text, "access.cedar", contracts=["people"], handlers=())
    return considered("town", {"people": contract()}, {}, access)


def test_who_may_have_what_considered_and_who_answers_is_said() -> None:
    """Organisation, highest level, purposes, role, officers, terms; nobody's role stands out."""
    terms = Terms(reviewers=2, hours=24, role="data-officer", escalates_to="clerk")
    province = {each.purpose: each for each in found() if each.who == Who("province")}
    assert province.keys() == {PURPOSE, OTHER}
    for each in province.values():
        assert (each.resource, each.level, each.clearance) == ("people", Level.INTERNAL, Level.OPEN)
        assert each.terms == terms
        assert each.policies == ("people.consult",)
        assert each.officers == ("caller ann",)
        assert each.escalated == ()
    assert {each.who for each in found()} == {Who("province")}
    said = list(lines(found()))
    assert "answered by data-officer (caller ann), 2 of them within 24 h" in said[0]
    assert "then by clerk (NOBODY MAY)" in said[0]


def test_a_forbid_over_all_takes_it_out_and_default_is_nothing() -> None:
    """As at the request itself: forbid wins, and what nobody permits is not there."""
    forbidden = POLICY + '@id("no") forbid (principal, action, resource);\n'
    assert found(forbidden) == ()
    assert found(POLICY.split('@id("people.consult")')[0]) == ()


def test_anybody_is_named_once_and_not_for_each_name_in_the_policy() -> None:
    """A permit for all lists all; whoever is named beside them may nothing more."""
    text = POLICY.replace('principal in Organisation::"province"', "principal")
    assert {each.who for each in found(text)} == {Who()}
