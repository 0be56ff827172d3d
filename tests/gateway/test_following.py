"""The gateway's own policy changes while it serves; nothing that it remembered outlives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landbridge.errors import LandbridgeError
from landbridge.v1 import gateway_pb2
from policies.access import AccessPolicy
from tests.people import ACCESS, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
COUNT = "SELECT count(*) AS n FROM people"
NOBODY = ACCESS + '\n@id("closed") forbid (principal, action, resource);\n'


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """One department that goes on permitting whatever the gateway does."""
    return simulate({"north": crowd(30)})


def policy(text: str) -> AccessPolicy:
    """As the gateway reads it."""
    return AccessPolicy.load(text, "gateway", contracts={"people"}, handlers=())


def outcome(federation: FederationSimulator) -> str:
    """The reason of the refusal, or "answered"."""
    try:
        federation.query(COUNT)
    except LandbridgeError as refusal:
        return refusal.reason
    return "answered"


def seen(federation: FederationSimulator) -> list[str]:
    """The contracts that the directory shows."""
    response = federation.gateway.Directory(gateway_pb2.DirectoryRequest(), federation.context())
    return [contract.id for member in response.members for contract in member.contracts]


def test_a_new_policy_decides_the_next_request_whatever_was_remembered(
    federation: FederationSimulator,
) -> None:
    """The decision, the reading of the text and the caller's view were all remembered before."""
    planning = federation.asking._planning
    closed, open_ = policy(NOBODY), policy(ACCESS)
    assert [outcome(federation) for _ in range(2)] == ["answered"] * 2
    assert seen(federation) == ["people"]
    planning.follow(closed)
    assert outcome(federation) == "NOT_AVAILABLE"
    assert seen(federation) == []
    planning.follow(open_)
    assert outcome(federation) == "answered"
    digests = [entry.policy_digest for entry in federation.entries()]
    assert digests == [open_.digest, open_.digest, closed.digest, open_.digest]


def test_a_question_under_way_ends_by_the_policy_that_it_began_with(
    federation: FederationSimulator,
) -> None:
    """The policy changes while the department computes."""

    def meanwhile(_: Any) -> None:
        federation.asking._planning.follow(policy(NOBODY))

    federation.nodes["north"].change = meanwhile
    assert outcome(federation) == "answered"
    (entry,) = federation.entries()
    assert entry.policy_digest == policy(ACCESS).digest
    assert outcome(federation) == "NOT_AVAILABLE"


def test_a_decision_that_is_remembered_is_the_same_decision_again() -> None:
    """Remembered by the whole request, the hour included, and by one version alone."""
    from landbridge.levels import Level
    from policies.access import Request
    from policies.moment import Moment

    base: dict[str, Any] = {
        "subject": "alice",
        "organisation": "university",
        "clearance": Level.INTERNAL,
        "action": "query",
        "resource_kind": "contract",
        "resource": "people",
        "purpose": "p",
        "level": Level.OPEN,
        "moment": Moment(20261127, 12, 5),
    }
    others: dict[str, Any] = {
        "organisation": "elsewhere",
        "clearance": Level.OPEN,
        "action": "call",
        "resource": "visits",
        "purpose": "q",
        "level": Level.INTERNAL,
        "moment": Moment(20261127, 18, 5),
        "subject": "bob",
    }
    text = """
    @id("a") permit (principal in Organisation::"university", action == Action::"query",
      resource == Contract::"people") when { context.purpose == "p" && context.hour < 18 };
    @id("b") forbid (principal, action, resource) unless { context.level <= principal.clearance };
    @id("c") forbid (principal == Caller::"bob", action, resource);
    """
    decided = policy(text)
    assert decided.decide(Request(**base)).permitted
    for _ in range(2):
        for name, value in others.items():
            changed = {**base, name: value}
            if name == "level":
                changed["clearance"] = Level.OPEN
            found = decided.decide(Request(**changed))
            assert found == policy(text).decide(Request(**changed)), name
            assert found.permitted == (name == "clearance"), name
    assert not policy(NOBODY).decide(Request(**base)).permitted
    assert decided.decide(Request(**base)).permitted
