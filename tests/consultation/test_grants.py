"""Grants: what was approved is answered once, and nothing else ever is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.consultation.grant import Grant, read_grant
from landbridge.errors import LandbridgeError
from landbridge.v1 import consult_pb2, gateway_pb2, node_pb2
from landbridge.wire import write_literal
from nodes.ledger import GrantUse
from nodes.reviewing import Approve
from policies import handler as handlers_format
from policies.consultation import Scope
from tests.consultation.asking import (
    FINE,
    FOUR_EYES,
    OPEN_ACCESS,
    RESTRICTED,
    approved,
    ask,
    decide,
    look,
    open_one,
)
from tests.consultation.test_deciding import refused
from tests.dates.dated import FIRST, SECOND, dated, loaded
from tests.people import PURPOSE, UNPROTECTED, crowd, document
from tests.simulator import FederationSimulator, as_a_client

Simulate = Callable[..., FederationSimulator]

HANDLER = handlers_format.read(
    """-- handler: member
-- version: "1"
-- description: Whether somebody is a member.
-- contract: people
-- subject: id
-- arguments: {id: integer}
-- codes: [MEMBER, OTHER, UNKNOWN]
-- absent: UNKNOWN
-- level: restricted
-- purposes: [dpv:ResearchAndDevelopment]
-- subjects_per_day: 5
SELECT CASE WHEN member THEN 'MEMBER' ELSE 'OTHER' END FROM people WHERE person_id = $id
""",
    "member.sql",
)


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments, whose policies let things be considered."""
    return simulate(
        {"north": crowd(200), "south": crowd(100, 3)}, access=OPEN_ACCESS,
        gateway_access=OPEN_ACCESS,
    )  # fmt: skip


def opened(federation: FederationSimulator, grant: bytes, at: str = "north") -> Grant:
    """What the grant says."""
    key = federation.nodes[at].key.public_key()
    return read_grant(consult_pb2.Grant.FromString(grant), key, "test.example", at)


def at_node(
    federation: FederationSimulator,
    grant: consult_pb2.Grant,
    *,
    change: Callable[[consult_pb2.AnswerGrantedRequest], None] = lambda _: None,
    at: str = "north",
) -> str:
    """What the node says to a gateway that has been taken over: it signs whatever it likes."""
    north = federation.nodes["north"]
    asked = [each for each in north.received if isinstance(each, consult_pb2.AnswerGrantedRequest)]
    if asked:
        request = consult_pb2.AnswerGrantedRequest()
        request.CopyFrom(asked[-1])
    else:
        (first,) = [each for each in north.received if isinstance(each, consult_pb2.ConsultRequest)]
        request = consult_pb2.AnswerGrantedRequest(
            asking=first.asking, question=first.matter.question, micro_epsilon=first.micro_epsilon
        )
    request.asking.question_id = f"{len(north.received):032x}"
    request.grant.CopyFrom(grant)
    change(request)
    signed = federation.signer.signing(request)(at)
    try:
        federation.nodes[at].consulting.AnswerGranted(signed, federation.node_context())
    except LandbridgeError as refusal:
        return refusal.reason
    return "answered"


def test_a_grant_is_answered_once(federation: FederationSimulator) -> None:
    """By the same release as any other question, and the second time not at all."""
    view = approved(federation)
    answer = ask(federation, view.grant)
    assert [row[0] for row in answer.rows()] == ["F", "M"]
    runs = federation.nodes["north"].runs
    assert refused(lambda: ask(federation, view.grant)) == "GRANT_SPENT"
    assert federation.nodes["north"].runs == runs


def test_a_granted_answer_is_of_a_day_too(federation: FederationSimulator) -> None:
    """Of no other than it was asked for: a load in between leaves the grant unused."""
    dated(federation, "people", {"north": FIRST})
    view = approved(federation)
    loaded(federation, "north", "people", SECOND)
    assert refused(lambda: ask(federation, view.grant)) == "DATE_CHANGED"
    federation.departments.refresh()
    assert ask(federation, view.grant).as_of == {"people": SECOND}
    assert federation.entries()[-1].as_of == {"people": SECOND}


def test_without_its_grant_the_question_stays_refused(federation: FederationSimulator) -> None:
    """Nothing was opened but the one door."""
    approved(federation)
    assert refused(lambda: federation.query(RESTRICTED)) == "NOT_AVAILABLE"


def test_a_retry_under_its_own_id_is_the_same_answer(federation: FederationSimulator) -> None:
    """A reply that was lost on the way costs no second consultation, and is no second draw."""
    view = approved(federation)
    first = ask(federation, view.grant, question_id="b" * 32)
    again = ask(federation, view.grant, question_id="b" * 32)
    assert again.rows() == first.rows()
    assert again.cost.epsilon == 0


def test_sixty_four_at_once_are_one_answer(federation: FederationSimulator) -> None:
    """The ledger uses a grant and charges for it in one transaction."""
    view = approved(federation)

    def one(_: int) -> str:
        try:
            ask(federation, view.grant)
        except LandbridgeError as refusal:
            return refusal.reason
        return "answered"

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(one, range(64))) == {"answered": 1, "GRANT_SPENT": 63}


def test_a_restart_forgets_no_use(federation: FederationSimulator) -> None:
    """It is on disk before anything is read for it."""
    view = approved(federation)
    ask(federation, view.grant)
    north = federation.nodes["north"]
    north.put_down()
    again = federation.node("north", document(), federation.folder / "north.csv")
    federation.nodes["north"].__dict__.update(again.__dict__)
    assert refused(lambda: ask(federation, view.grant)) == "GRANT_SPENT"


def test_a_grant_that_read_nothing_is_not_used(federation: FederationSimulator) -> None:
    """Time was over before the data was touched: the charge is given back, and the grant too."""
    view = approved(federation)
    north = federation.nodes["north"]
    with pytest.raises(LandbridgeError):
        north.consulting.AnswerGranted(
            _signed(federation, view.grant),
            type(federation.node_context())(seconds=0.2),  # type: ignore[call-arg]
        )
    assert ask(federation, view.grant).rows()


def _signed(federation: FederationSimulator, grant: bytes) -> consult_pb2.AnswerGrantedRequest:
    north = federation.nodes["north"]
    (first,) = [each for each in north.received if isinstance(each, consult_pb2.ConsultRequest)]
    request = consult_pb2.AnswerGrantedRequest(
        asking=first.asking,
        question=first.matter.question,
        grant=consult_pb2.Grant.FromString(grant),
    )
    request.asking.question_id = "c" * 32
    return federation.signer.signing(request)("north")


def test_a_grant_ends(federation: FederationSimulator) -> None:
    """After the hours that its officer gave it; a clock that goes back does not bring it back."""
    view = open_one(federation)
    decide(federation, view, Approve(Scope(hours=2)))
    grant = look(federation, view.id).grant
    federation.now += 2 * 3600
    assert refused(lambda: ask(federation, grant)) == "GRANT_EXPIRED"


def test_a_clock_that_goes_back_revives_no_grant(federation: FederationSimulator) -> None:
    """The ledger has seen the later time."""
    view = open_one(federation)
    decide(federation, view, Approve(Scope(reusable=True, hours=2)))
    grant = look(federation, view.id).grant
    assert ask(federation, grant).rows()
    federation.now += 3 * 3600
    federation.query("SELECT count(*) FROM north.people")
    federation.now -= 3 * 3600
    assert refused(lambda: ask(federation, grant)) == "GRANT_EXPIRED"


def test_a_reusable_grant_serves_until_it_ends(federation: FederationSimulator) -> None:
    """The same question gives the same answer, free of charge, as ever."""
    view = open_one(federation)
    decide(federation, view, Approve(Scope(reusable=True, hours=2)))
    grant = look(federation, view.id).grant
    first, second = ask(federation, grant), ask(federation, grant)
    assert first.rows() == second.rows()
    assert second.cost.epsilon == 0


def test_a_grant_is_its_callers_or_their_offices(federation: FederationSimulator) -> None:
    """Foreign hands cannot use it; where the officer said so, colleagues can."""
    view = approved(federation)
    bob, stranger = federation.token("bob"), federation.token("eve", organisation="institute")
    for token in (bob, stranger):
        assert refused(partial(ask, federation, view.grant, token=token)) in (
            "GRANT_INVALID", "NOT_AVAILABLE",
        )  # fmt: skip
    office = open_one(federation, epsilon=2)
    decide(federation, office, Approve(Scope(organisation=True)))
    grant = look(federation, office.id).grant
    assert refused(lambda: ask(federation, grant, token=stranger, epsilon=2)) != "answered"
    assert ask(federation, grant, token=bob, epsilon=2).rows()


@pytest.mark.parametrize(
    ("sql", "epsilon", "purpose"),
    [
        (RESTRICTED.replace("Name 1%", "Name 2%"), 0, PURPOSE),
        (RESTRICTED.replace("count(*)", "count(DISTINCT person_id)"), 0, PURPOSE),
        (RESTRICTED, 2, PURPOSE),
        (FINE, 0, PURPOSE),
        (RESTRICTED, 0, "dpv:LegalCompliance"),
        (RESTRICTED.replace("north", "south"), 0, PURPOSE),
    ],
)
def test_a_grant_is_for_one_question_price_and_purpose(
    federation: FederationSimulator, sql: str, epsilon: float, purpose: str
) -> None:
    """Whatever else is asked with it is refused, and leaves it unused."""
    token = federation.token(purposes=[PURPOSE, "dpv:LegalCompliance"])
    view = approved(federation, token=token)
    assert refused(
        lambda: ask(federation, view.grant, sql, epsilon=epsilon, purpose=purpose, token=token)
    ) in ("GRANT_INVALID", "NOT_AVAILABLE")
    assert ask(federation, view.grant, token=token).rows()


def test_other_words_for_the_same_question_are_the_same(federation: FederationSimulator) -> None:
    """A grant is for what is asked, not for how it is spelt."""
    view = approved(federation)
    other = "SELECT count(*) AS many, sex FROM north.people WHERE (name LIKE 'Name 1%') GROUP BY 2"
    assert ask(federation, view.grant, other).rows()


def test_a_gateway_that_alters_anything_is_refused_by_the_node(
    federation: FederationSimulator,
) -> None:
    """It holds grant and token and signs what it likes, and still gets nothing else answered."""
    view = approved(federation)
    grant = consult_pb2.Grant.FromString(view.grant)

    def less_filter(request: consult_pb2.AnswerGrantedRequest) -> None:
        request.question.ClearField("where")

    def other_literal(request: consult_pb2.AnswerGrantedRequest) -> None:
        request.question.where.prefix.text = "Name 2"

    def more(request: consult_pb2.AnswerGrantedRequest) -> None:
        request.micro_epsilon = 4_000_000

    def other_caller(request: consult_pb2.AnswerGrantedRequest) -> None:
        request.asking.token = federation.token("bob")

    def other_purpose(request: consult_pb2.AnswerGrantedRequest) -> None:
        token = federation.token(purposes=["dpv:LegalCompliance"])
        request.asking.token, request.asking.purpose = token, "dpv:LegalCompliance"

    for change in (less_filter, other_literal, more, other_caller, other_purpose):
        assert at_node(federation, grant, change=change) == "GRANT_INVALID", change.__name__
    assert at_node(federation, grant, at="south") == "GRANT_INVALID"
    assert at_node(federation, grant) == "answered"


def test_a_forged_grant_is_none(federation: FederationSimulator) -> None:
    """Neither the gateway nor another department can make one, nor widen one."""
    view = approved(federation)
    real = opened(federation, view.grant)
    wider = replace(real, id="d" * 32, micro_epsilon=4_000_000)
    south = federation.nodes["south"].key
    good = consult_pb2.Grant.FromString(view.grant)
    forged = [
        wider.signed(Ed25519PrivateKey.generate()),
        real.signed(south),
        replace(real, department="south").signed(south),
        replace(real, federation="other").signed(federation.nodes["north"].key),
        replace(real, id="not hexadecimal").signed(federation.nodes["north"].key),
        consult_pb2.Grant(statement=good.statement + b"\x0a\x01x", signature=good.signature),
        consult_pb2.Grant(statement=good.statement, signature=good.signature[:-1]),
        consult_pb2.Grant(statement=b"x" * 20_000, signature=good.signature),
        consult_pb2.Grant(statement=b"\xff", signature=b""),
        consult_pb2.Grant(),
    ]
    for each in forged:
        assert refused(partial(ask, federation, each.SerializeToString())) == "GRANT_INVALID"
        assert at_node(federation, each) == "GRANT_INVALID"
    assert ask(federation, view.grant).rows()


def test_a_grant_lifts_no_more_than_it_names(federation: FederationSimulator) -> None:
    """Also one that the node itself signed, for less than the question takes."""
    view = approved(federation)
    real, key = opened(federation, view.grant), federation.nodes["north"].key
    for less in (replace(real, level=None), replace(real, lifts_access=False)):
        assert at_node(federation, less.signed(key)) == "GRANT_INVALID"


def test_a_changed_contract_ends_its_grants(simulate: Simulate) -> None:
    """What was approved was approved under the terms of that day."""
    federation = simulate({"north": crowd(100)}, access=OPEN_ACCESS, gateway_access=OPEN_ACCESS)
    view = approved(federation)
    waiting = open_one(federation, epsilon=2)
    north = federation.nodes["north"]
    north.put_down()
    changed = document(landbridgeEpsilon={"default": 0.5, "maximum": 4.0})
    again = federation.node("north", changed, federation.folder / "north.csv")
    federation.nodes["north"].__dict__.update(again.__dict__)
    federation.departments.refresh()
    assert refused(lambda: ask(federation, view.grant)) == "GRANT_INVALID"
    assert refused(lambda: decide(federation, waiting)) == "CONSULTATION_CHANGED"


def test_a_forbid_that_came_later_wins(federation: FederationSimulator) -> None:
    """The owner's policy about `consult` is asked at every use."""
    from policies.access import AccessPolicy

    view = approved(federation)
    guard = federation.nodes["north"].consulting._granting._guard
    later = OPEN_ACCESS + '@id("later") forbid (principal, action == Action::"consult", resource);'
    access = AccessPolicy.load(later, "north", contracts=["people"], handlers=[])
    guard.follow(replace(guard.rules, access=access))
    assert refused(lambda: ask(federation, view.grant)) in ("ACCESS_DENIED", "NOT_AVAILABLE")


def test_what_has_no_budget_is_granted_once_all_the_same(simulate: Simulate) -> None:
    """A table that describes nobody charges nothing, and remembers nothing: the ledger does."""
    federation = simulate(
        {"north": crowd(50)}, contract=UNPROTECTED, access=OPEN_ACCESS, gateway_access=OPEN_ACCESS
    )
    view = approved(federation)
    assert ask(federation, view.grant, question_id="e" * 32).rows()
    for number in ("e" * 32, "f" * 32):
        assert refused(partial(ask, federation, view.grant, question_id=number)) == ("GRANT_SPENT")


def test_a_handler_can_be_considered_too(simulate: Simulate) -> None:
    """For one subject, whom the grant names by a hash; another subject is another matter."""
    federation = simulate(
        {"north": crowd(50)}, access=OPEN_ACCESS, gateway_access=OPEN_ACCESS, handlers=[HANDLER]
    )
    assert refused(lambda: federation.call("north.member", id=10_001)) == "NOT_AVAILABLE"
    view = open_one(federation, handler="north.member", id=10_001)
    assert view.question == "north.member(id = 10001)"
    assert view.offering is not None
    assert view.offering.keys == ("one of MEMBER, OTHER, UNKNOWN",)
    decide(federation, view)
    grant = consult_pb2.Grant.FromString(look(federation, view.id).grant)

    def call(subject: int) -> str:
        asked = gateway_pb2.CallRequest(
            handler="north.member", purpose=PURPOSE, question_id="a" * 32
        )
        asked.arguments["id"].CopyFrom(write_literal(subject, "id"))
        request = consult_pb2.CallGrantedRequest(call=asked, grant=grant)
        with as_a_client():
            return federation.consultations.CallGranted(request, federation.context()).response.code

    assert refused(lambda: call(10_002)) == "GRANT_INVALID"
    assert call(10_001) in ("MEMBER", "OTHER")
    assert refused(lambda: call(10_001)) == "GRANT_SPENT"
    entries = federation.entries("north")
    assert [each.note for each in entries if each.kind == "consult"][-1] == "used"


def test_a_refusal_is_the_same_whoever_is_in_the_data(simulate: Simulate) -> None:
    """Opening, deciding, using and refusing look at contracts, policies and history alone."""

    def story(rows: Any) -> list[object]:
        federation = simulate({"north": rows}, access=FOUR_EYES, gateway_access=OPEN_ACCESS)
        view = open_one(federation, question_id="1" * 32)
        runs = federation.nodes["north"].runs
        decide(federation, view)
        half = look(federation, view.id)
        decide(federation, half, who="jon")
        done = look(federation, view.id)
        assert federation.nodes["north"].runs == runs == 0
        return [
            view.offering, half.offering, done.offering, view.lifts, done.state,
            refused(lambda: ask(federation, done.grant, FINE)),
            len(ask(federation, done.grant).rows()),
            refused(lambda: ask(federation, done.grant)),
        ]  # fmt: skip

    assert story(crowd(60)) == story(crowd(61)[1:])


def test_a_grant_never_reaches_beyond_the_budget_of_all(federation: FederationSimulator) -> None:
    """Approved while there was enough, used when there is not: the ledger has the last word."""
    north = federation.nodes["north"]
    contract = north.consulting._granting._guard.rules.contracts["people"]
    overall = north.ledger.accounts(contract, "university")[1].limit
    use = GrantUse("9" * 32, single=True, micro_rho=overall, expires=federation.now + 60)
    north.ledger.reserve("1" * 32, b"other", contract, "institute", overall // 4)
    assert refused(
        partial(north.ledger.reserve, "2" * 32, b"key", contract, "university", overall, use)
    ) == "BUDGET_EXHAUSTED"  # fmt: skip
    north.ledger.use(use, "3" * 32)  # what was refused used nothing


def test_a_node_takes_no_consultation_that_the_gateway_did_not_sign(
    federation: FederationSimulator,
) -> None:
    """Neither a stolen token nor an altered basis is put into a queue by anybody else."""
    open_one(federation)
    north = federation.nodes["north"]
    (first,) = [each for each in north.received if isinstance(each, consult_pb2.ConsultRequest)]
    first.basis = "Another basis."
    assert refused(
        lambda: north.consulting.Consult(first, federation.node_context())
    ) == "SIGNATURE_INVALID"  # fmt: skip
    plain = node_pb2.AnswerRequest(asking=first.asking, question=first.matter.question)
    assert refused(
        lambda: north.servicer.Answer(plain, federation.node_context())
    ) == "SIGNATURE_INVALID"  # fmt: skip
