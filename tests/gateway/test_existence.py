"""What a caller can never use does not exist for them, at the gateway and at the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gateway.directory import directory_response
from landbridge.errors import LandbridgeError
from policies import handler as handlers_format
from policies.access import AccessPolicy, Decision, Request
from policies.handler import Handler
from tests.people import ACCESS, PURPOSE, crowd, document
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
HANDLER = """-- handler: age_band
-- version: 1.0.0
-- description: Which band of ages a person is in.
-- contract: people
-- subject: person_id
-- arguments: {person_id: integer}
-- codes: [YOUNG, OLD, UNKNOWN]
-- absent: UNKNOWN
-- level: internal
-- purposes: ["dpv:ResearchAndDevelopment"]
-- subjects_per_day: 10
SELECT CASE WHEN age < 50 THEN 'YOUNG' ELSE 'OLD' END FROM people WHERE person_id = $person_id
"""
STRANGERS: list[dict[str, Any]] = [
    {"organisation": "stranger"},
    {"purposes": ["dpv:Marketing"]},
]
OFFICE_HOURS = """
@id("test.hours") @hint("Ask on a working day between 8 and 18 UTC.")
forbid (principal, action, resource)
unless { context.hour >= 8 && context.hour < 18 && context.weekday <= 5 };
"""


def handler() -> Handler:
    """A handler about one person."""
    return handlers_format.read(HANDLER, "age_band.sql")


def refusal(ask: Callable[[], object]) -> LandbridgeError:
    """What it is refused with."""
    with pytest.raises(LandbridgeError) as caught:
        ask()
    return caught.value


def same(one: LandbridgeError, other: LandbridgeError, name: str, unknown: str) -> None:
    """The two differ in the name that was asked for and in nothing else."""
    assert one.reason == other.reason == "NOT_AVAILABLE"
    assert one.message.replace(name, unknown) == other.message
    assert (one.rule, one.hint, one.position) == (other.rule, other.hint, other.position)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_table_that_nobody_lets_them_use_is_unknown(
    simulate: Simulate, stranger: dict[str, Any]
) -> None:
    """By organisation or by purpose: one and the same refusal, with the table's name or another."""
    federation = simulate({"north": crowd(5)})
    token = federation.token(**stranger)
    purpose = stranger.get("purposes", [PURPOSE])[0]

    def ask(sql: str) -> LandbridgeError:
        return refusal(lambda: federation.query(sql, purpose=purpose, token=token))

    for sql in (
        "SELECT count(*) FROM {}",
        "SELECT avg(age) FROM north.{}",
        "SELECT {0}.sex, count(*) FROM {0} GROUP BY 1",
    ):
        same(ask(sql.format("people")), ask(sql.format("peopla")), "people", "peopla")
    # A column's name tells nothing either, nor does a word that only a name could be.
    assert ask("SELECT avg(income) FROM people").reason == "NOT_AVAILABLE"


@pytest.mark.parametrize("stranger", [*STRANGERS, {"clearance": "open"}])
def test_a_handler_that_nobody_lets_them_call_is_unknown(
    simulate: Simulate, stranger: dict[str, Any]
) -> None:
    """Also for want of clearance, whatever the arguments are."""
    federation = simulate({"north": crowd(5)}, handlers=[handler()])
    token = federation.token(**stranger)
    purpose = stranger.get("purposes", [PURPOSE])[0]

    def call(name: str) -> LandbridgeError:
        return refusal(
            lambda: federation.call(name, purpose=purpose, token=token, person_id=10_001)
        )

    same(call("north.age_band"), call("north.age_bend"), "age_band", "age_bend")
    assert federation.nodes["north"].runs == 0


def test_the_node_says_the_same_by_itself(simulate: Simulate) -> None:
    """A gateway that shows everything to everybody changes nothing."""
    federation = simulate({"north": crowd(5)}, handlers=[handler()])
    federation.query("SELECT count(*) FROM people")
    node = federation.nodes["north"]
    forwarded = node.received[-1]
    forwarded.asking.token = federation.token(organisation="stranger")
    found = []
    for number, contract in enumerate(("people", "peopla")):
        forwarded.asking.question_id = f"{number:032x}"
        forwarded.question.contract = contract
        signed = federation.signer.signing(forwarded)("north")
        found.append(refusal(partial(node.servicer.Answer, signed, federation.node_context())))
    same(found[0], found[1], "people", "peopla")


def test_the_directory_shows_what_can_be_used_and_nothing_else(simulate: Simulate) -> None:
    """Members are public; their tables are not."""
    federation = simulate({"north": crowd(5)}, handlers=[handler()])
    known = federation.departments.catalogue()
    planning = federation.asking
    for organisation, tables in (("university", 1), ("stranger", 0)):
        caller = federation.caller(organisation=organisation)
        shown = directory_response(planning.offered(caller), ())
        assert [len(member.contracts) for member in shown.members] == [tables]
        assert [len(member.handlers) for member in shown.members] == [tables]
    assert known.offers["north"].contracts


def test_callers_who_see_the_same_share_what_was_read(simulate: Simulate) -> None:
    """One catalogue for both, another one for who sees less; remembered until it changes."""
    federation = simulate({"north": crowd(5)})
    alice, bob = (federation.caller(subject) for subject in ("alice", "bob"))
    stranger = federation.caller(organisation="stranger")
    assert federation.asking.view(alice) is federation.asking.view(bob)
    assert federation.asking.view(alice) is not federation.asking.view(stranger)
    before = federation.asking.view(alice)
    federation.departments.refresh()
    assert federation.asking.view(alice) is before


def test_a_change_of_purposes_is_another_view(simulate: Simulate) -> None:
    """What is remembered of a caller holds for exactly what their token says."""
    federation = simulate({"north": crowd(5)})
    caller = federation.caller()
    assert federation.asking.view(caller).offers["north"].contracts
    without = replace(caller, purposes=frozenset({"dpv:Marketing"}))
    assert not federation.asking.view(without).offers["north"].contracts


def test_a_policy_can_look_at_the_clock(simulate: Simulate) -> None:
    """Within hours answered; outside refused by the policy's own name, for the table exists."""
    federation = simulate({"north": crowd(5)}, gateway_access=ACCESS + OFFICE_HOURS)
    assert federation.query("SELECT count(*) FROM people").rows() == [(5,)]
    federation.now += 12 * 3_600
    said = refusal(lambda: federation.query("SELECT count(*) FROM people WHERE age > 1"))
    assert (said.reason, said.rule) == ("ACCESS_DENIED", "test.hours")
    federation.now += 12 * 3_600
    assert federation.query("SELECT count(*) FROM people WHERE age > 2").rows() == [(5,)]


def test_a_department_whose_contract_hides_the_table_is_missing_and_named(
    simulate: Simulate,
) -> None:
    """Never a silent partial: who sees a table at one member learns that another did not answer."""
    documents = {"north": document(), "south": document(landbridgePurposes=["dpv:Marketing"])}
    federation = simulate({"north": crowd(50), "south": crowd(40, 2)}, documents=documents)
    said = refusal(lambda: federation.query("SELECT count(*) FROM people"))
    assert (said.reason, said.missing) == ("DEPARTMENT_MISSING", ("south",))
    answer = federation.query("SELECT count(*) FROM people", partial=True)
    assert (answer.rows(), answer.missing) == ([(50,)], ("south",))


def test_a_plan_with_an_impossible_budget_is_rejected(simulate: Simulate) -> None:
    """An estimate is believed as little as an answer."""
    federation = simulate({"north": crowd(5)})

    def spoil(reply: Any) -> None:
        reply.recipient_budget.delta = 0

    federation.nodes["north"].change = spoil
    said = refusal(lambda: federation.explain("SELECT count(*) FROM people"))
    assert (said.reason, said.missing) == ("ANSWER_REJECTED", ("north",))


def test_the_unknown_and_the_invisible_take_the_same_steps(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their time is of one class: counted in decisions, log entries and messages."""
    federation = simulate({"north": crowd(5)}, handlers=[handler()])
    token = federation.token(organisation="stranger")
    decisions: list[Request] = []
    decide = AccessPolicy.decide

    def counted(policy: AccessPolicy, asked: Request) -> Decision:
        decisions.append(asked)
        return decide(policy, asked)

    monkeypatch.setattr(AccessPolicy, "decide", counted)
    steps: list[tuple[object, ...]] = []
    for ask in (
        partial(federation.query, "SELECT count(*) FROM people", token=token),
        partial(federation.query, "SELECT count(*) FROM peopla", token=token),
        partial(federation.query, "SELECT count(*) FROM north.people", token=token),
        partial(federation.query, "SELECT count(*) FROM north.peopla", token=token),
        partial(federation.call, "north.age_band", token=token, person_id=1),
        partial(federation.call, "north.age_bend", token=token, person_id=1),
    ):
        federation.asking._planning._rules.views._callers.clear()  # each as somebody's first
        federation.asking._planning._rules.views._views.clear()
        before = len(decisions), len(federation.entries()), len(federation.nodes["north"].received)
        assert refusal(ask).reason == "NOT_AVAILABLE"
        after = len(decisions), len(federation.entries()), len(federation.nodes["north"].received)
        entry = federation.entries()[-1].to_bytes()
        grown = tuple(now - then for now, then in zip(after, before, strict=True))
        steps.append((*grown, len(entry)))
    assert steps[0] == steps[1]
    assert steps[2] == steps[3]
    assert steps[4] == steps[5]
    assert {each[1:3] for each in steps} == {(1, 0)}  # one entry, nobody was asked
