"""Membership is policy: the registry says who is registered, Cedar who takes part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landbridge.levels import Level
from policies.access import AccessPolicy, PolicyInvalid, Request
from policies.moment import Moment
from policies.outlet import Who, outlets
from tests.groups.documents import REPORTS, contract

MEMBERS = """
@id("grid.members")
permit (
  principal in Group::"north.grid",
  action == Action::"take_part",
  resource == Group::"north.grid"
);

@id("grid.declared")
permit (
  principal in Group::"north.grid",
  action == Action::"query",
  resource == Contract::"reports"
)
when { context.declared };

@id("grid.publish")
permit (
  principal == Caller::"officer",
  action == Action::"publish",
  resource == Group::"north.grid"
)
when { context.role == "community-officer" };
"""
REGISTRIES = {"north.grid": frozenset({("residents", "mina"), ("residents", "theo")})}
ASKED = Request(
    subject="mina",
    organisation="residents",
    clearance=Level.OPEN,
    action="take_part",
    resource_kind="group",
    resource="north.grid",
    purpose="dpv:ServiceProvision",
    level=Level.OPEN,
    moment=Moment(20261127, 12, 5),
)


def owner(text: str = MEMBERS) -> AccessPolicy:
    """The owner's policy, with its registry."""
    return AccessPolicy.load(
        text, "access.cedar", contracts=["reports"], handlers=[], groups=REGISTRIES
    )


def test_whoever_is_registered_takes_part_and_nobody_else() -> None:
    """The same subject of another organisation is somebody else."""
    assert owner().decide(ASKED).permitted
    assert not owner().decide(replace(ASKED, subject="eve")).permitted
    assert not owner().decide(replace(ASKED, organisation="strangers")).permitted
    assert not owner().decide(replace(ASKED, action="publish", role="community-officer")).permitted


def test_an_officer_publishes_in_the_groups_role_alone() -> None:
    """An officer of another role is no publisher, and a member is none."""
    officer = replace(ASKED, subject="officer", organisation="office", action="publish")
    assert owner().decide(replace(officer, role="community-officer")).permitted
    assert not owner().decide(replace(officer, role="clerk")).permitted


def test_members_ask_what_is_declared_and_nothing_else() -> None:
    """A member who could ask anything could use up what all members share."""
    query = replace(ASKED, action="query", resource_kind="contract", resource="reports")
    assert owner().decide(replace(query, declared=True)).permitted
    assert not owner().decide(query).permitted


def test_a_registry_permits_nobody_by_itself() -> None:
    """Default deny: a list of names is no policy."""
    assert not owner("").decide(ASKED).permitted


@pytest.mark.parametrize(
    "text",
    [
        '@id("x") forbid (principal in Group::"north.grid", action, resource);',
        '@id("x") permit (principal, action == Action::"query", resource) '
        'when { principal in [Group::"north.grid"] };',
        '@id("x") forbid (principal, action == Action::"query", resource) '
        "when { context.declared };",
    ],
)
def test_a_gateway_may_not_decide_by_what_it_does_not_know(text: str) -> None:
    """Its forbid would never match, and so let through what it means to stop."""
    with pytest.raises(PolicyInvalid, match="the department alone knows"):
        AccessPolicy.load(text, "gateway", contracts=["reports"], handlers=[])
    owner(text)


def test_a_gateway_says_who_comes_to_a_group_at_all() -> None:
    """By organisation, which it knows from the token."""
    text = (
        '@id("g") permit (principal in Organisation::"residents", action == Action::"take_part", '
        'resource == Group::"north.grid");'
    )
    gateway = AccessPolicy.load(text, "gateway", contracts=[], handlers=[])
    assert gateway.decide(replace(ASKED, subject="anybody")).permitted
    assert not gateway.decide(replace(ASKED, organisation="strangers")).permitted


def test_a_policy_names_groups_that_there_are() -> None:
    """A slip of the pen is no group of nobody."""
    text = MEMBERS.replace('resource == Group::"north.grid"', 'resource == Group::"north.gird"', 1)
    with pytest.raises(PolicyInvalid, match="names Group north"):
        owner(text)


def test_policy_check_shows_what_is_let_out_to_members() -> None:
    """Whoever reviews a policy must see what comes by way of a group, and by which questions."""
    found = outlets("north", {"reports": contract(REPORTS)}, {}, [owner()])
    assert {(each.who, each.column, each.declared) for each in found} == {
        (Who(group="north.grid"), column, True)
        for column in ("count(*)", "day", "street", "symptom")
    }
    wider = owner(
        MEMBERS + '@id("all") permit (principal in Group::"north.grid", '
        'action == Action::"query", resource == Contract::"reports");'
    )
    assert not any(
        each.declared for each in outlets("north", {"reports": contract(REPORTS)}, {}, [wider])
    )


def test_the_gateway_has_its_say_about_members_too() -> None:
    """What the gateway does not let an organisation ask is let out to none of its members."""
    text = (
        '@id("g") permit (principal in Organisation::"residents", action == Action::"query", '
        'resource == Contract::"reports");'
    )
    gateway = AccessPolicy.load(text, "gateway", contracts=["reports"], handlers=[])
    found = outlets("north", {"reports": contract(REPORTS)}, {}, [gateway, owner()])
    assert {each.who for each in found} == {Who("residents", group="north.grid")}
