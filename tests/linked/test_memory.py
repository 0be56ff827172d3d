"""A linked question that is asked again: one draw, one charge, and every owner decides anew."""

from __future__ import annotations

import secrets
import threading
from typing import Any

import pytest

from gateway.link_gathering import LinkGathering
from gateway.links import Links
from gateway.sight import Unwatched
from landbridge.errors import LandbridgeError, Refused, Unavailable
from landbridge.protocols.keeping import Keeper
from landbridge.v1 import link_pb2
from nodes.link_state import MOST_OF_ONE
from nodes.load import load
from nodes.store import Store
from policies import odcs
from policies.noise import draw
from tests.linked.world import Make, document, rows, write
from tests.people import ACCESS
from tests.simulator import FederationSimulator

QUESTION = (
    "SELECT band, count(*) AS n, sum(income) AS s FROM tax.earners "
    "JOIN school.pupils USING (person) GROUP BY band"
)
SIDES = ("school", "tax")
TABLES = {"school": "pupils", "tax": "earners"}


def spent(federation: FederationSimulator) -> list[int]:
    """What each ledger says of the university, in micro-rho."""
    return [
        federation.nodes[name].ledger.accounts(odcs.read(document(table), table), "university")[0]
        .spent
        for name, table in TABLES.items()
    ]  # fmt: skip


def runs(federation: FederationSimulator) -> int:
    """Statements of all engines."""
    return sum(node.runs for node in federation.nodes.values())


def restart(federation: FederationSimulator) -> None:
    """The gateway and both departments begin again on what is on their disks."""
    for name, table in TABLES.items():
        node = federation.nodes[name]
        node.underways.close()
        node.put_down()
        node.tables.close()
        path = write(table, rows(table, 1), federation.folder / f"{table}.csv")
        federation.nodes[name] = federation.node(name, document(table), path)
    links = Links(
        federation.departments,
        federation.link_signer,
        draw,
        Keeper(federation.signer.key.private_bytes_raw()),
    )
    federation.departments._connections = {
        name: federation.departments._open(member)
        for name, member in federation.departments._members.items()
    }
    federation.asking._linking = LinkGathering(links, federation.log_key, Unwatched())


def test_a_linked_question_asked_again_is_free_and_the_same(link: Make) -> None:
    """No data is read and nothing drawn, and yet everybody logs that it was answered."""
    federation = link(*SIDES, draw=draw)
    first = federation.query(QUESTION)
    before, read = spent(federation), runs(federation)
    logged = {name: len(federation.entries(name)) for name in SIDES}
    again = federation.query(QUESTION)
    assert again.rows() == first.rows()
    assert again.accuracy == first.accuracy
    assert again.cost.epsilon == 0
    assert "remembered" in [note.kind for note in again.notes]
    assert (spent(federation), runs(federation)) == (before, read)
    entry = federation.entries()[-1]
    assert entry.remembered
    assert [part["department"] for part in entry.parts] == list(SIDES)
    for name in SIDES:
        own = federation.entries(name)[-1]
        assert len(federation.entries(name)) == logged[name] + 2  # weighed, and stood by
        assert (own.kind, own.outcome, own.remembered, own.charged_micro_rho) == (
            "query", "answered", True, 0,
        )  # fmt: skip


def test_a_retry_gets_the_answer_that_was_lost_on_its_way(link: Make) -> None:
    """The SDK asks again under the same id when a reply does not come; it must not be refused."""
    federation = link(*SIDES, draw=draw)
    ident = secrets.token_hex(16)
    first = federation.query(QUESTION, question_id=ident)
    before = spent(federation)
    restart(federation)
    again = federation.query(QUESTION, question_id=ident)
    assert again.rows() == first.rows()
    assert spent(federation) == before
    assert again.receipt
    assert first.receipt
    assert again.receipt.entry != first.receipt.entry


def test_a_retry_of_what_failed_is_told_so_and_charged_once(link: Make) -> None:
    """What a failed asking drew is gone; a second draw under its id would be another answer."""
    federation = link(*SIDES, draw=draw)
    ident = secrets.token_hex(16)

    def die(message: Any) -> None:
        if isinstance(message, link_pb2.LinkTotalRequest):
            raise LandbridgeError("RUN_FAILED", "INTERNAL", "")

    federation.nodes["tax"].before = die
    with pytest.raises(LandbridgeError):
        federation.query(QUESTION, question_id=ident)
    before = spent(federation)
    assert min(before) > 0
    federation.nodes["tax"].before = None
    with pytest.raises(Unavailable, match=r"LINK_LOST.*new question id"):
        federation.query(QUESTION, question_id=ident)
    assert spent(federation) == before
    assert federation.query(QUESTION).cost.epsilon > 0


def test_twice_at_once_is_one_draw(link: Make) -> None:
    """A retry comes while the first is computed: it waits for that one."""
    federation = link(*SIDES, draw=draw)
    ident = secrets.token_hex(16)
    found: list[object] = []

    def ask() -> None:
        try:
            found.append(federation.query(QUESTION, question_id=ident).rows())
        except LandbridgeError as refusal:
            found.append(refusal.reason)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 4
    assert all(each == found[0] for each in found)
    begun = [
        m for m in federation.nodes["tax"].received if isinstance(m, link_pb2.LinkBeginRequest)
    ]
    assert len(begun) == 1


def test_new_data_a_price_or_a_recipient_of_its_own_is_a_new_draw(link: Make) -> None:
    """What is given again is the same question over the same data for the same organisation."""
    federation = link(*SIDES, draw=draw)
    federation.query(QUESTION)
    before = spent(federation)
    elsewhere = federation.query(QUESTION, token=federation.token("bob", organisation="institute"))
    assert elsewhere.cost.epsilon > 0
    assert federation.query(QUESTION, epsilon=19).cost.epsilon > 0
    dearer = spent(federation)
    assert all(now > then for now, then in zip(dearer, before, strict=True))
    more = write("pupils", rows("pupils", 2), federation.folder / "more.csv")
    load(odcs.read(document("pupils"), "pupils"), more, Store(federation.folder / "school/data"))
    assert federation.query(QUESTION).cost.epsilon > 0
    assert all(now > then for now, then in zip(spent(federation), dearer, strict=True))


def test_data_that_changes_in_this_very_moment_is_a_new_draw(link: Make) -> None:
    """A department that stood by an answer when it was weighed may not any more."""
    federation = link(*SIDES, draw=draw)
    federation.query(QUESTION)
    before = spent(federation)

    def reload(message: Any) -> None:
        if isinstance(message, link_pb2.LinkRepeatRequest):
            more = write("pupils", rows("pupils", 2), federation.folder / "more.csv")
            contract = odcs.read(document("pupils"), "pupils")
            load(contract, more, Store(federation.folder / "school/data"))

    federation.nodes["school"].before = reload
    assert federation.query(QUESTION).cost.epsilon > 0
    assert all(now > then for now, then in zip(spent(federation), before, strict=True))
    # The department that had said yes is named in the gateway's entry for both of its entries.
    parts = [part["department"] for part in federation.entries()[-1].parts]
    assert parts == ["tax", "school", "tax"]


def test_an_owner_s_no_counts_for_what_was_answered_before_too(link: Make) -> None:
    """Rights are decided at every asking: an answer that was given is no right to have it again."""
    forbid = '@id("test.bob")\nforbid (principal == Caller::"bob", action, resource);\n'
    federation = link(*SIDES, access=ACCESS + forbid)
    federation.query(QUESTION)
    for node in federation.nodes.values():
        node.received.clear()
    with pytest.raises(Refused):
        federation.query(QUESTION, token=federation.token("bob"))
    asked = [type(m).__name__ for n in federation.nodes.values() for m in n.received]
    assert "LinkRepeatRequest" not in asked
    real = federation.nodes["tax"].received
    federation.query(QUESTION)
    (again,) = (m for m in real if isinstance(m, link_pb2.LinkRepeatRequest))
    again.asking.token = federation.token("bob")
    signed = federation.link_signer.sign("tax", again)
    with pytest.raises(Refused):
        federation.nodes["tax"].linking.Repeat(signed, federation.node_context())


def test_a_department_stands_by_nothing_that_it_was_not_asked(link: Make) -> None:
    """A gateway cannot have it sign an answer to another question as this one's."""
    federation = link(*SIDES)
    federation.query(QUESTION)
    federation.query(QUESTION, epsilon=19)
    federation.query(QUESTION)
    repeated = federation.nodes["tax"].received
    (again,) = (m for m in repeated if isinstance(m, link_pb2.LinkRepeatRequest))
    kept = [
        m for m in federation.nodes["school"].received if isinstance(m, link_pb2.LinkKeepRequest)
    ]
    other = next(m.round.question_hash for m in kept if m.round.question_hash != again.earlier)
    again.earlier = other
    with pytest.raises(Unavailable, match="ROUND_FORGOTTEN"):
        federation.nodes["tax"].linking.Repeat(
            federation.link_signer.sign("tax", again), federation.node_context()
        )


def test_what_is_kept_opens_to_nobody_but_the_gateway(link: Make) -> None:
    """The first department has the bytes; others' or changed ones are rejected with its name."""
    federation = link(*SIDES)
    federation.query(QUESTION)
    (kept,) = (
        m for m in federation.nodes["school"].received if isinstance(m, link_pb2.LinkKeepRequest)
    )
    assert not any(
        isinstance(m, link_pb2.LinkKeepRequest) for m in federation.nodes["tax"].received
    )
    with pytest.raises(LandbridgeError, match="does not open"):
        Keeper(secrets.token_bytes(32)).open(kept.answer, kept.round.question_hash)
    own = Keeper(federation.signer.key.private_bytes_raw())
    assert own.open(kept.answer, kept.round.question_hash)
    with pytest.raises(LandbridgeError, match="does not open"):
        own.open(kept.answer, bytes(32))

    def change(reply: Any) -> None:
        if isinstance(reply, link_pb2.LinkRepeatResponse):
            reply.answer = reply.answer[:-1] + bytes([reply.answer[-1] ^ 1])

    federation.nodes["school"].change = change
    with pytest.raises(LandbridgeError, match=r"school sent an earlier answer.*did not seal"):
        federation.query(QUESTION)


def test_what_was_kept_is_never_replaced(link: Make) -> None:
    """Nor is anything kept for a question that was not charged."""
    federation = link(*SIDES)
    first = federation.query(QUESTION)
    (kept,) = (
        m for m in federation.nodes["school"].received if isinstance(m, link_pb2.LinkKeepRequest)
    )
    never = link_pb2.LinkKeepRequest(
        round=link_pb2.Round(question_id="0" * 32, question_hash=bytes(32)), answer=b"x"
    )
    for each in (kept, never):
        each.answer = b"other"
        with pytest.raises(Unavailable, match="LINK_LOST"):
            federation.nodes["school"].linking.Keep(
                federation.link_signer.sign("school", each), federation.node_context()
            )
    assert federation.query(QUESTION).rows() == first.rows()


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(link: Make) -> None:
    """The caller has paid for it; asking again costs anew."""
    federation = link(*SIDES)

    def die(message: Any) -> None:
        if isinstance(message, link_pb2.LinkKeepRequest):
            raise LandbridgeError("FAULT", "INTERNAL", "")

    federation.nodes["school"].before = die
    assert federation.query(QUESTION).rows()
    assert federation.query(QUESTION).cost.epsilon > 0


def test_unfinished_questions_end_with_their_caller_s_time(link: Make) -> None:
    """Rows and secrets are held no longer than somebody waits for them."""
    federation = link(*SIDES)
    lose(federation)
    with pytest.raises(LandbridgeError):
        federation.query(QUESTION, seconds=20)
    for node in federation.nodes.values():
        (held,) = node.underways._known.values()
        assert held.rows is not None
        federation.now += 19
        node.underways.purge()
        assert not held.rows._file.closed
        federation.now += 2
        node.underways.purge()
        assert held.rows._file.closed
        assert not node.underways._known
        federation.now -= 21


def test_one_organisation_s_unfinished_questions_keep_nobody_else_out(link: Make) -> None:
    """It is told so before anybody is charged, and the others go on."""
    federation = link(*SIDES)
    lose(federation)
    for number in range(MOST_OF_ONE):
        with pytest.raises(LandbridgeError):
            federation.query(QUESTION, epsilon=15 - number / 1000)
    for node in federation.nodes.values():
        node.before = None
    before = spent(federation)
    with pytest.raises(Unavailable, match=r"TOO_BUSY.*of your organisation"):
        federation.query(QUESTION)
    assert spent(federation) == before
    other = federation.token("bob", organisation="institute")
    assert federation.query(QUESTION, token=other).rows()
    federation.now += 31
    assert federation.query(QUESTION, token=federation.token()).rows()


def lose(federation: FederationSimulator) -> None:
    """The gateway gives every question up once rows were made: what it asks then goes astray."""

    def astray(message: Any) -> None:
        if isinstance(message, link_pb2.LinkFetchRequest):
            raise LandbridgeError("RUN_FAILED", "INTERNAL", "")

    for node in federation.nodes.values():
        node.before = astray
