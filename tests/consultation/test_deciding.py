"""The officers' side: what they see, what they may do, and what nobody may."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from landbridge.consultation.view import View, read_officers
from landbridge.errors import LandbridgeError, Refused
from nodes.reviewing import Approve, Ask, Decline, Narrow
from policies.consultation import Scope
from policies.narrowing import Less
from tests.consultation.asking import (
    BASIS,
    FINE,
    FOUR_EYES,
    OPEN_ACCESS,
    RESTRICTED,
    ask,
    decide,
    look,
    officer,
    open_one,
    respond,
)
from tests.people import ACCESS, PURPOSE, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
LIMITED = {
    "landbridgeBudget": {
        "recipient": {"epsilon": 4, "delta": 1e-6},
        "overall": {"epsilon": 12, "delta": 1e-6},
        "period": "year",
    },
    "landbridgeEpsilon": {"default": 1.0, "maximum": 4.0},
}


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments, whose policies let things be considered."""
    return simulate(
        {"north": crowd(400), "south": crowd(100, 3)}, access=OPEN_ACCESS,
        gateway_access=OPEN_ACCESS,
    )  # fmt: skip


def refused(call: Callable[[], object]) -> str:
    """The reason of a refusal."""
    with pytest.raises(LandbridgeError) as caught:
        call()
    return caught.value.reason


def test_without_a_policy_about_it_nothing_is_considered(simulate: Simulate) -> None:
    """The default is no, in the words in which the column is refused anyway."""
    federation = simulate({"north": crowd(50)})
    assert refused(lambda: open_one(federation)) == "NOT_AVAILABLE"
    assert refused(lambda: open_one(federation, FINE)) == "ACCESS_DENIED"


def test_the_owner_alone_decides_whether_anything_is_considered(simulate: Simulate) -> None:
    """A gateway that lets everything be considered moves no node to do so."""
    federation = simulate({"north": crowd(50)}, gateway_access=OPEN_ACCESS)
    assert refused(lambda: open_one(federation)) == "NOT_AVAILABLE"


def test_an_officer_sees_everything_that_a_decision_takes(federation: FederationSimulator) -> None:
    """Question with its literals, who asks, why, at what cost and accuracy, and what it lifts."""
    opened = open_one(federation, epsilon=2)
    (found,) = federation.nodes["north"].reviewing.queue(officer(federation), closed=False)
    seen = read_officers(found)
    assert seen.question == 'SELECT sex, count(*) FROM people WHERE name LIKE "Name 1" || \'%\' ' \
        "GROUP BY sex"  # fmt: skip
    assert (seen.caller, seen.organisation) == ("alice", "university")
    assert (seen.purpose, seen.basis) == (PURPOSE, BASIS)
    assert seen.lifts == ("level restricted", "access")
    assert seen.offering is not None
    assert seen.offering.epsilon == 2
    assert seen.offering.cost > 0
    assert seen.offering.cells == 2
    assert (seen.offering.accuracy["count(*)"] or 0) > 0
    assert opened.id == f"north.{seen.id}"


def test_the_log_knows_of_every_step_and_none_of_the_words(federation: FederationSimulator) -> None:
    """Basis, literals and remarks are for those who decide; the log holds keyed digests."""
    view = open_one(federation)
    decide(federation, view, Ask("Which report is it?"))
    view = look(federation, view.id)
    view = respond(federation, view, reply="The report on incomes of 2026.")
    federation.nodes["north"].reviewing.show(officer(federation), view.id[6:])
    decide(federation, view)
    ask(federation, look(federation, view.id).grant)
    entries = [each for each in federation.entries("north") if each.kind == "consult"]
    assert [each.note for each in entries] == [
        "opened", "asked", "replied", "viewed", "approved", "used",
    ]  # fmt: skip
    assert {each.case for each in entries} == {view.id[6:]}
    assert all(each.caller for each in entries)
    assert entries[0].basis
    written = b"".join(
        each.to_bytes() for log in ("north", None) for each in federation.entries(log)
    )
    for words in (b"Statistics Act", b"Name 1", b"Which report", b"incomes of 2026", b"ines"):
        assert words not in written
    gateway = [each for each in federation.entries() if each.kind == "consult"]
    assert [each.note for each in gateway] == ["opened", "replied"]
    assert all(each.parts for each in gateway)


def test_nothing_shows_that_the_log_could_not_hold(federation: FederationSimulator) -> None:
    """An approval that cannot be logged has not happened, for anybody."""
    view = open_one(federation)
    north = federation.nodes["north"]
    north.log.broken = True
    assert refused(lambda: decide(federation, view)) == "LOG_UNAVAILABLE"
    north.log.broken = False
    assert look(federation, view.id).state == "open"


def test_an_officer_narrows_and_the_caller_asks_what_is_left(
    federation: FederationSimulator,
) -> None:
    """A counter-offer is a question of its own, which the caller takes or not."""
    view = open_one(
        federation,
        "SELECT district, date_trunc('month', moved) AS month, width_bucket(age, 0, 120, 12) AS a, "
        "count(*) AS n, count(name) AS named FROM north.people GROUP BY 1, 2, 3",
    )
    less = Less(
        ("district", "count(name)"),
        {"date_trunc('month', moved)": "quarter", "width_bucket(age, 0.0, 120.0, 12)": "4"},
    )
    decide(federation, view, Narrow(less, 500_000, Scope(), "That much will do."))
    offered = look(federation, view.id)
    assert offered.state == "offered"
    assert not offered.grant
    assert offered.sql == (
        "SELECT date_trunc('quarter', moved) AS moved_quarter, "
        "width_bucket(age, 0.0, 120.0, 4) AS age_bucket, count(*) FROM north.people "
        "GROUP BY date_trunc('quarter', moved), width_bucket(age, 0.0, 120.0, 4)"
    )
    granted = respond(federation, offered, accept=True)
    answer = ask(federation, granted.grant, granted.sql, epsilon=0.5)
    assert sum(row[2] for row in answer.rows() if isinstance(row[2], int)) == 400
    assert refused(lambda: ask(federation, granted.grant, view.sql, epsilon=0.5)) in (
        "GRANT_INVALID", "NOT_AVAILABLE",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("less", "micro"),
    [
        (Less(), 0),
        (Less(("age",)), 0),
        (Less(("count(*)",)), 0),
        (Less((), {"sex": "month"}), 0),
        (Less(), 2_000_000),
    ],
)
def test_an_offer_is_less_or_it_is_refused(
    federation: FederationSimulator, less: Less, micro: int
) -> None:
    """Nothing more and nothing else than what was asked can be slipped to a caller."""
    view = open_one(federation)
    offer = Narrow(less, micro, Scope(), "")
    assert refused(lambda: decide(federation, view, offer)) == "INVALID_ARGUMENT"


def test_a_caller_need_not_take_an_offer(federation: FederationSimulator) -> None:
    """Then it is over, without a grant."""
    view = open_one(federation)
    decide(federation, view, Narrow(Less(), 500_000, Scope(), ""))
    ended = respond(federation, look(federation, view.id), withdraw=True)
    assert (ended.state, ended.grant) == ("withdrawn", b"")


def test_a_reason_comes_with_a_no(federation: FederationSimulator) -> None:
    """And the caller is told it."""
    view = open_one(federation)
    assert refused(lambda: decide(federation, view, Decline(" "))) == "INVALID_ARGUMENT"
    decide(federation, view, Decline("The act does not cover names."))
    told = look(federation, view.id)
    assert told.state == "declined"
    assert told.events[-1].text == "The act does not cover names."
    assert refused(lambda: decide(federation, told)) == "CONSULTATION_CLOSED"


@pytest.mark.parametrize(
    ("who", "office"), [("bob", "university"), ("omar", "south"), ("director", "north")]
)
def test_who_is_no_officer_of_it_finds_nothing(
    federation: FederationSimulator, who: str, office: str
) -> None:
    """Not another department's, and not the caller's colleague; the director is of the office."""
    view = open_one(federation)
    north = federation.nodes["north"].reviewing
    queue = north.queue(officer(federation, who, office), closed=True)
    if office == "north":
        assert len(queue) == 1
        return
    assert queue == []
    assert refused(lambda: decide(federation, view, who=who, office=office)) == "NOT_AVAILABLE"
    assert refused(lambda: north.show(officer(federation, who, office), "0" * 32)) == (
        "NOT_AVAILABLE"
    )


def test_nobody_decides_what_they_ask_themselves(simulate: Simulate) -> None:
    """Also where the policy lets the caller's own office review."""
    access = OPEN_ACCESS.replace('Organisation::"north"', 'Organisation::"university"')
    federation = simulate({"north": crowd(50)}, access=access, gateway_access=access)
    view = open_one(federation)
    assert refused(lambda: decide(federation, view, who="alice", office="university")) == (
        "ACCESS_DENIED"
    )
    assert decide(federation, view, who="bob", office="university").state == "approved"


def test_two_officers_at_once_make_one_decision(federation: FederationSimulator) -> None:
    """What the slower one saw is not there any more."""
    view = open_one(federation)

    def one(name: str) -> str:
        try:
            return decide(federation, view, who=name).state
        except Refused as refusal:
            return refusal.reason

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(one, (f"officer{number}" for number in range(8))))
    assert sorted(outcomes) == sorted(["approved", *["CONSULTATION_CLOSED"] * 7])


def test_four_eyes_are_two_officers_who_agree(simulate: Simulate) -> None:
    """Not one twice, not two on different terms; a restart in between changes nothing."""
    federation = simulate({"north": crowd(50)}, access=FOUR_EYES, gateway_access=OPEN_ACCESS)
    view = open_one(federation)
    half = decide(federation, view, Approve(Scope(hours=5)))
    assert (half.state, half.approvals, half.approvals_needed) == ("open", ("north/ines",), 2)
    assert not look(federation, view.id).grant
    federation.nodes["north"].put_down()
    again = federation.node("north", _document(), federation.folder / "north.csv")
    federation.nodes["north"].__dict__.update(again.__dict__)
    half = look(federation, view.id)
    assert refused(lambda: decide(federation, half, Approve(Scope(hours=5)))) == (
        "CONSULTATION_CHANGED"
    )
    assert refused(lambda: decide(federation, half, Approve(Scope(hours=9)), who="jon")) == (
        "CONSULTATION_CHANGED"
    )
    done = decide(federation, half, Approve(Scope(hours=5)), who="jon")
    assert done.approvals == ("north/ines", "north/jon")
    assert ask(federation, look(federation, view.id).grant).rows()


def _document() -> bytes:
    from tests.people import document

    return document()


def test_an_offer_under_four_eyes_still_takes_the_second_officer(simulate: Simulate) -> None:
    """Who offers less has approved it; the caller's yes is not an officer's."""
    federation = simulate({"north": crowd(50)}, access=FOUR_EYES, gateway_access=OPEN_ACCESS)
    view = open_one(federation)
    decide(federation, view, Narrow(Less(), 500_000, Scope(), ""))
    taken = respond(federation, look(federation, view.id), accept=True)
    assert (taken.state, taken.grant) == ("open", b"")
    assert decide(federation, taken, who="jon").state == "approved"


def test_silence_goes_to_the_named_role_and_then_ends_it(federation: FederationSimulator) -> None:
    """Each step is in the log before anybody can see it; silence never is a yes."""
    view = open_one(federation)
    federation.now += 72 * 3600
    late = look(federation, view.id)
    assert (late.state, late.role) == ("open", "director")
    assert late.events[-1].kind == "escalated"
    assert refused(lambda: decide(federation, late)) == "NOT_AVAILABLE"
    federation.now += 72 * 3600
    assert look(federation, view.id).state == "expired"
    notes = [each.note for each in federation.entries("north") if each.kind == "consult"]
    assert [note for note in notes if note] == ["opened", "escalated", "expired"]
    federation.now += 1
    assert refused(lambda: decide(federation, late, who="director")) == "CONSULTATION_CLOSED"


def test_the_named_role_decides_in_their_place(federation: FederationSimulator) -> None:
    """The director alone, once it is the director's turn."""
    view = open_one(federation)
    federation.now += 72 * 3600
    late = look(federation, view.id)
    assert decide(federation, late, who="director").state == "approved"


def test_a_clock_that_is_set_back_opens_no_deadline_again(federation: FederationSimulator) -> None:
    """What has passed has passed."""
    view = open_one(federation)
    federation.now += 72 * 3600
    late = look(federation, view.id)
    federation.now -= 71 * 3600
    assert look(federation, view.id).role == "director"
    assert open_one(federation, epsilon=2).opened >= late.events[-1].at


def test_what_policy_answers_is_not_considered(federation: FederationSimulator) -> None:
    """Officers are not asked for what anybody may have."""
    question = "SELECT count(*) FROM north.people"
    assert refused(lambda: open_one(federation, question)) == "CONSULTATION_NEEDLESS"


def test_budget_beyond_the_allowance_is_granted_up_to_its_amount(simulate: Simulate) -> None:
    """It is the recipient's own, is charged in all, and leaves the allowance as it was."""
    federation = simulate(
        {"north": crowd(50)}, contract=LIMITED, access=OPEN_ACCESS, gateway_access=OPEN_ACCESS
    )
    sql = "SELECT district, count(*) AS n FROM north.people GROUP BY district"
    federation.query("SELECT count(*) FROM north.people", epsilon=3)
    assert refused(lambda: federation.query(sql, epsilon=4)) == "BUDGET_EXHAUSTED"
    view = open_one(federation, sql, epsilon=4)
    assert view.lifts == ("budget",)
    decide(federation, view)
    granted = look(federation, view.id).grant
    north = federation.nodes["north"]
    contract = north.consulting._granting._guard.rules.contracts["people"]
    before = north.ledger.accounts(contract, "university")
    answer = ask(federation, granted, sql, epsilon=4)
    after = north.ledger.accounts(contract, "university")
    cost = answer.cost.budgets[0].charged_micro_rho
    assert [each.spent for each in after] == [each.spent + cost for each in before]
    assert after[0].limit - after[0].spent == before[0].limit - before[0].spent
    assert after[1].limit == before[1].limit
    assert federation.query(sql, epsilon=0.5).rows()


def test_no_officer_lifts_the_overall_budget(simulate: Simulate) -> None:
    """It is the promise to the people in the data, not to a recipient."""
    terms = {**LIMITED, "landbridgeBudget": {
        "recipient": {"epsilon": 4, "delta": 1e-6}, "overall": {"epsilon": 4, "delta": 1e-6},
        "period": "year",
    }}  # fmt: skip
    federation = simulate(
        {"north": crowd(50)}, contract=terms, access=OPEN_ACCESS, gateway_access=OPEN_ACCESS
    )
    sql = "SELECT sex, count(*) AS n FROM north.people GROUP BY sex"
    federation.query("SELECT count(*) FROM north.people", epsilon=3)
    assert refused(lambda: open_one(federation, sql, epsilon=4)) == "BUDGET_EXHAUSTED"


def test_a_purpose_that_the_contract_does_not_list_can_be_allowed_once(
    federation: FederationSimulator,
) -> None:
    """A one-off purpose: one of the caller's own, which the owner does not generally allow."""
    purposes = [PURPOSE, "dpv:LegalCompliance"]
    token = federation.token(purposes=purposes)
    sql = "SELECT sex, count(*) AS n FROM north.people GROUP BY sex"
    view = open_one(federation, sql, purpose="dpv:LegalCompliance", token=token)
    assert view.lifts == ("purpose",)
    decide(federation, view)
    grant = look(federation, view.id, token=token).grant
    assert ask(federation, grant, sql, purpose="dpv:LegalCompliance", token=token).rows()
    assert refused(lambda: ask(federation, grant, sql, purpose=PURPOSE, token=token)) == (
        "GRANT_INVALID"
    )


@pytest.mark.parametrize(
    "basis",
    ["", "   ", "x" * 2_001, "a\x1b[2Jb", "a\nb", "a\u202eb", "a\x9b31mb", "a\tb", "a\x00b"],
)
def test_a_basis_that_could_deceive_an_officer_is_refused(
    federation: FederationSimulator, basis: str
) -> None:
    """It is shown on a terminal beside what is true."""
    assert refused(lambda: open_one(federation, basis=basis)) == "INVALID_ARGUMENT"
    assert refused(lambda: open_one(federation, basis=basis)) == "INVALID_ARGUMENT"
    assert federation.nodes["north"].reviewing.queue(officer(federation), closed=True) == []


def test_an_office_cannot_fill_the_queue(federation: FederationSimulator) -> None:
    """Twenty that wait are enough; withdrawing one makes room."""
    views = [open_one(federation, epsilon=1 + number / 100) for number in range(20)]
    assert refused(lambda: open_one(federation)) == "CONSULTATIONS_EXHAUSTED"
    respond(federation, look(federation, views[0].id), withdraw=True)
    assert open_one(federation).state == "open"


def test_opening_it_twice_is_once(federation: FederationSimulator) -> None:
    """A retry has the same question id, and finds what it opened."""
    first = open_one(federation, question_id="a" * 32)
    assert open_one(federation, question_id="a" * 32).id == first.id
    assert refused(
        lambda: open_one(federation, question_id="a" * 32, basis="Another basis.")
    ) == "QUESTION_ID_REUSED"  # fmt: skip


def test_another_caller_finds_nothing(federation: FederationSimulator) -> None:
    """Not even a colleague: what is asked of an officer is between the two."""
    view = open_one(federation)
    bob = federation.token("bob")
    assert refused(lambda: look(federation, view.id, token=bob)) == "NOT_AVAILABLE"
    assert refused(lambda: respond(federation, view, token=bob, withdraw=True)) == "NOT_AVAILABLE"
    for unknown in ("north." + "0" * 32, "west." + "0" * 32, "north", "", "north.x"):
        assert refused(partial(look, federation, unknown)) == "NOT_AVAILABLE"


def test_news_come_in_order_and_from_where_they_were_left(federation: FederationSimulator) -> None:
    """Whoever reads on after a number is told everything after it, once."""
    view = open_one(federation)
    decide(federation, view, Ask("Why names?"))
    seen = look(federation, view.id)
    respond(federation, seen, reply="The names are the study.")
    kinds = [each.kind for each in look(federation, view.id).events]
    assert kinds == ["opened", "asked", "replied"]
    later = look(federation, view.id, after=seen.events[-1].number)
    assert [each.kind for each in later.events] == ["replied"]
    north = federation.nodes["north"].reviewing
    events, latest = north.follow(officer(federation), 0, lambda: 0.0)
    assert [each.kind for each in events] == kinds
    assert north.follow(officer(federation), latest, lambda: 0.0) == ([], latest)
    assert north.follow(officer(federation, "omar", "south"), 0, lambda: 0.0)[0] == []


def test_a_question_of_several_owners_is_put_to_one(federation: FederationSimulator) -> None:
    """Each owner has a queue of its own."""
    question = RESTRICTED.replace("north.", "")
    assert refused(lambda: open_one(federation, question)) == "INVALID_QUESTION"


def test_a_view_says_nothing_to_a_caller_of_who_decides(federation: FederationSimulator) -> None:
    """Officers act for their office; the role is told, the name is not."""
    view: View = open_one(federation)
    decide(federation, view)
    seen = look(federation, view.id)
    assert (seen.caller, seen.approvals) == ("", ())
    assert {each.by for each in seen.events} == {"caller", "officer"}


def test_policies_with_unusable_terms_do_not_load() -> None:
    """An owner finds out at the start, with the line."""
    from policies.access import AccessPolicy, PolicyInvalid

    wrong: dict[str, Any] = {"reviewers": "0", "hours": "x", "role": "A B", "escalates_to": ""}
    for key, value in wrong.items():
        text = ACCESS + f'@id("x") @{key}("{value}") permit (principal, action, resource);'
        with pytest.raises(PolicyInvalid, match=f"@{key} must be"):
            AccessPolicy.load(text, "here", contracts=["people"], handlers=[])
