"""What goes wrong between the rounds: a lying gateway, a lying department, a node that dies."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest

from landbridge.errors import InvalidQuestion, LandbridgeError, Refused, Unavailable
from landbridge.membership.keys import MemberKeys
from landbridge.membership.link_statement import hash_of
from landbridge.protocols.envelope import seal
from landbridge.v1 import link_pb2
from policies import odcs
from tests import simulator
from tests.linked.world import Make, document
from tests.people import ACCESS
from tests.simulator import FederationSimulator

QUESTION = (
    "SELECT band, count(*), sum(income), sum(marks) FROM tax.earners "
    "JOIN school.pupils USING (person) GROUP BY band"
)
PLACES = "SELECT rain, count(*) FROM health.visits JOIN sky.readings USING (town, day) GROUP BY 1"
ROUNDS = (
    link_pb2.LinkWeighRequest, link_pb2.LinkOpenRequest, link_pb2.LinkBeginRequest,
    link_pb2.LinkFetchRequest, link_pb2.LinkDealRequest, link_pb2.LinkTakeRequest,
    link_pb2.LinkMultiplyRequest, link_pb2.LinkDealtRequest, link_pb2.LinkTotalRequest,
    link_pb2.LinkRevealRequest,
)  # fmt: skip


def spent(federation: FederationSimulator, department: str) -> int:
    """What the ledger says, in micro-rho."""
    table = {"tax": "earners", "school": "pupils", "health": "visits"}[department]
    contract = odcs.read(document(table), table)
    return federation.nodes[department].ledger.accounts(contract, "university")[1].spent


def on(federation: FederationSimulator, kind: type[Any], do: Callable[[Any], None]) -> None:
    """Does that to every request of the kind, before its department sees it."""

    def before(message: Any) -> None:
        if isinstance(message, kind):
            do(message)

    for node in federation.nodes.values():
        node.before = before


@pytest.mark.parametrize("kind", ROUNDS)
def test_a_node_that_dies_in_a_round_is_named_and_the_charge_stays(
    link: Make, kind: type[Any]
) -> None:
    """Whichever round it is: a clear answer, and never less charged than was shown."""
    federation = link("school", "tax")

    died: list[str] = []
    for name, node in federation.nodes.items():

        def before(message: Any, name: str = name) -> None:
            if isinstance(message, kind) and not died:
                died.append(name)
                federation.nodes[name].down = True

        node.before = before
    original = simulator.SimulatedNode.call

    def call(self: Any, path: str, request: bytes, seconds: float) -> bytes:
        reply = original(self, path, request, seconds)
        if self.down:
            raise simulator._Failure(simulator._bare(grpc.StatusCode.UNAVAILABLE))
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator.SimulatedNode, "call", call)
        with pytest.raises(Unavailable) as failure:
            federation.query(QUESTION)
    assert failure.value.missing == tuple(died)
    begun = kind not in (link_pb2.LinkWeighRequest, link_pb2.LinkOpenRequest)
    for name in ("school", "tax"):
        read = any(
            "SELECT" in sql for engine in federation.nodes[name].engines for sql in engine.runs
        )
        assert bool(spent(federation, name)) is read is begun


@pytest.mark.parametrize("kind", ROUNDS[3:])
def test_a_restart_between_rounds_is_a_clear_refusal(link: Make, kind: type[Any]) -> None:
    """Secrets die with the process; the charge does not."""
    federation = link("school", "tax")
    done: list[bool] = []

    def restart(_: Any) -> None:
        if not done:
            done.append(True)
            for node in federation.nodes.values():
                node.underways.close()

    on(federation, kind, restart)
    with pytest.raises(Unavailable, match=r"LINK_LOST.*stays charged.*new question id"):
        federation.query(QUESTION)
    assert spent(federation, "tax") > 0
    assert spent(federation, "school") > 0


@pytest.mark.parametrize("kind", ROUNDS[1:])
def test_a_round_that_comes_twice_is_refused(link: Make, kind: type[Any]) -> None:
    """Duplicated by a network or replayed by whoever recorded it: no second number comes of it."""
    federation = link("school", "tax")
    said: list[str] = []
    for node in federation.nodes.values():
        original = getattr(node.linking, kind.__name__.removeprefix("Link").removesuffix("Request"))

        def twice(request: Any, context: Any, original: Any = original) -> Any:
            reply = original(request, context)
            try:
                original(request, context)
            except LandbridgeError as refusal:
                said.append(refusal.reason)
            else:
                said.append("answered")
            return reply

        setattr(node.linking, kind.__name__.removeprefix("Link").removesuffix("Request"), twice)
    with suppress(LandbridgeError):  # most end the question, and none answers twice
        federation.query(QUESTION)
    assert said
    assert set(said) <= {"LINK_LOST", "QUESTION_ID_REUSED"}, said


def test_one_id_is_one_draw_and_one_charge(link: Make) -> None:
    """I5: the same id for another question is refused, whatever has become of the first."""
    federation = link("school", "tax")
    ident = secrets.token_hex(16)
    assert federation.query(QUESTION, question_id=ident).rows()
    once = spent(federation, "tax")
    assert once > 0
    with pytest.raises(Refused, match="QUESTION_ID_REUSED"):
        federation.query(QUESTION.replace("sum(marks)", "avg(marks)"), question_id=ident)
    assert spent(federation, "tax") == once


LIES: dict[str, Callable[[Any], None]] = {
    "another question": lambda m: m.question.question.measures.pop(),
    "another price": lambda m: setattr(m.question, "micro_epsilon", 999_000_000),
    "another key": lambda m: m.question.key.append("town"),
    "another department": lambda m: setattr(m.question.sides[0], "department", "elsewhere"),
    "another contract": lambda m: setattr(
        m.question.sides[0], "document", document("pupils", link={"minimum": 2})
    ),
    "another id": lambda m: setattr(m.asking, "question_id", "0" * 32),
    "another's secret": lambda m: m.secret.CopyFrom(link_pb2.SealedMessage(sender="school")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_gateway_that_asks_two_departments_two_things_is_caught(link: Make, lie: str) -> None:
    """It signs what it likes; the hash that the secret was sealed for does not fit."""
    federation = link("school", "tax")
    real = federation.nodes["tax"].linking.Begin

    def begin(request: link_pb2.LinkBeginRequest, context: Any) -> Any:
        changed = link_pb2.LinkBeginRequest()
        changed.CopyFrom(request)
        LIES[lie](changed)
        return real(federation.link_signer.sign("tax", changed), context)

    federation.nodes["tax"].linking.Begin = begin
    with pytest.raises(LandbridgeError) as caught:
        federation.query(QUESTION)
    assert caught.value.reason in (
        "ANSWER_REJECTED", "INVALID_ARGUMENT", "DEPARTMENT_MISSING", "ACCESS_DENIED",
        "NOT_AVAILABLE", "EPSILON_OUT_OF_RANGE", "INVALID_QUESTION",
    )  # fmt: skip
    assert federation.nodes["tax"].runs == 0
    assert spent(federation, "tax") == 0


def test_a_question_about_other_tables_than_its_sides_is_refused(link: Make) -> None:
    """Told to everybody alike no hash tells it, and the log would name what nobody was asked."""
    federation = link("school", "tax")
    real = federation.nodes["tax"].linking.Weigh

    def weigh(request: link_pb2.LinkWeighRequest, context: Any) -> Any:
        changed = link_pb2.LinkWeighRequest()
        changed.CopyFrom(request)
        changed.question.question.contract = "anything"
        return real(federation.link_signer.sign("tax", changed), context)

    federation.nodes["tax"].linking.Weigh = weigh
    with pytest.raises(LandbridgeError, match="other tables than its sides"):
        federation.query(QUESTION)
    assert spent(federation, "tax") == 0


def test_a_gateway_cannot_seal_a_secret_of_its_own(link: Make) -> None:
    """Only the first department's pinned key signs it; any other is nobody's."""
    federation = link("school", "tax")
    real = federation.nodes["tax"].linking.Begin

    def begin(request: link_pb2.LinkBeginRequest, context: Any) -> Any:
        changed = link_pb2.LinkBeginRequest()
        changed.CopyFrom(request)
        bound = b"link" + hash_of(request.question, request.asking.question_id)
        forged = seal(
            secrets.token_bytes(32), bound, federation.keys("tax").public.sealing,
            MemberKeys.create().signing,
        )  # fmt: skip
        changed.secret.sealed, changed.secret.signature = forged.sealed, forged.signature
        return real(federation.link_signer.sign("tax", changed), context)

    federation.nodes["tax"].linking.Begin = begin
    with pytest.raises(LandbridgeError, match="not from its sender"):
        federation.query(QUESTION)
    assert federation.nodes["tax"].runs == 0


def test_nobody_but_the_gateway_plays_a_round(link: Make) -> None:
    """Unsigned, signed for another department, or changed on the way."""
    federation = link("school", "tax")
    bound = link_pb2.Round(question_id="0" * 32, question_hash=b"0" * 32)
    requests = [
        link_pb2.LinkFetchRequest(round=bound),
        federation.link_signer.sign("school", link_pb2.LinkFetchRequest(round=bound)),
    ]
    changed = federation.link_signer.sign("tax", link_pb2.LinkFetchRequest(round=bound))
    changed.first = 7
    for request in [*requests, changed]:
        with pytest.raises(LandbridgeError, match="SIGNATURE_INVALID"):
            federation.nodes["tax"].linking.Fetch(request, federation.node_context())


SPOILT: dict[str, tuple[type[Any], Callable[[Any], None]]] = {
    "rows out of order": (
        link_pb2.LinkFetchResponse,
        lambda m: setattr(m, "pseudonyms", m.pseudonyms[16:] + m.pseudonyms[:16]),
    ),
    "a row twice": (
        link_pb2.LinkFetchResponse,
        lambda m: setattr(m, "pseudonyms", m.pseudonyms[:16] + m.pseudonyms[:-16]),
    ),
    "codes that are none": (
        link_pb2.LinkFetchResponse, lambda m: setattr(m, "codes", b"\xff" * len(m.codes)),
    ),
    "too few values": (
        link_pb2.LinkMultiplyResponse, lambda m: setattr(m, "values", m.values[:-8]),
    ),
    "too many shares": (
        link_pb2.LinkTotalResponse, lambda m: setattr(m, "shares", m.shares + bytes(8)),
    ),
    "a short seed": (link_pb2.LinkDealResponse, lambda m: setattr(m, "seed", b"short")),
    "labels that are none": (link_pb2.LinkRevealResponse, lambda m: m.cells.append(77)),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_what_does_not_fit_is_rejected_with_the_department_s_name(link: Make, case: str) -> None:
    """Attack 81: a department that does not keep to the protocol is named, and nothing is told."""
    federation = link("school", "tax")
    kind, spoil = SPOILT[case]

    def change(reply: Any) -> None:
        if isinstance(reply, kind) and (not hasattr(reply, "codes") or reply.codes):
            spoil(reply)

    for node in federation.nodes.values():
        node.change = change
    with pytest.raises(LandbridgeError, match="ANSWER_REJECTED") as caught:
        federation.query(QUESTION)
    assert caught.value.missing[0] in ("school", "tax")


# Of this question school's columns are open, and tax's are not.
FORBID = """
@id("test.none")
forbid (principal, action == Action::"query", resource) when { context.level == 0 };
"""


@pytest.mark.parametrize("refusal", ["policy", "link", "purpose", "budget", "denied"])
def test_one_owner_s_no_comes_before_anybody_computes(link: Make, refusal: str) -> None:
    """Its policy, its contract, its purposes or its budget: nobody is charged, no engine runs."""
    every: dict[str, dict[str, Any]] = {
        "link": {"link": False},
        "purpose": {"landbridgePurposes": ["dpv:Other"]},
        "budget": {
            "landbridgeBudget": {
                "recipient": {"epsilon": 20, "delta": 1e-4},
                "overall": {"epsilon": 20, "delta": 1e-4},
                "period": "year",
            },
            "landbridgeEpsilon": {"default": 15, "maximum": 20},
        },
    }
    changes = every.get(refusal, {})
    more = {"access": ACCESS + FORBID} if refusal == "policy" else {}
    federation = link("school", "tax", terms={"pupils": changes}, **more)
    if refusal == "denied":
        with pytest.raises(LandbridgeError):
            federation.query(QUESTION, token=federation.token(clearance="open"))
    else:
        with pytest.raises((Refused, InvalidQuestion)):
            for number in range(4):  # the budget is good for one
                federation.query(QUESTION, epsilon=15 - number / 1000)
    if refusal != "budget":
        assert [node.runs for node in federation.nodes.values()] == [0, 0]
    else:
        assert [node.runs for node in federation.nodes.values()] == [1, 1]
    first, second = spent(federation, "school"), spent(federation, "tax")
    assert first == second


def test_what_one_place_s_table_shows_does_not_hang_on_who_is_there(link: Make) -> None:
    """By place and day: the protected side sends a row for every key shown, and for no other."""
    seen = []
    for visited in ([], [(1, "home", True, "A", "2026-03-01", 5)]):
        federation = link("health", "sky", contents={"visits": visited})
        federation.query(PLACES)
        sent = federation.nodes["health"].sent
        begun = [m.rows for m in sent if isinstance(m, link_pb2.LinkBeginResponse)]
        fetched = [len(m.pseudonyms) for m in sent if isinstance(m, link_pb2.LinkFetchResponse)]
        seen.append((begun, fetched))
    assert seen[0] == seen[1] == ([0], [16 * 2 * 8])


def test_an_open_table_s_rows_are_made_once_for_an_id_too(link: Make) -> None:
    """What it adds hides who is at the other side, and a second draw would average it."""
    federation = link("health", "sky")
    begun: list[link_pb2.LinkBeginRequest] = []
    on(federation, link_pb2.LinkBeginRequest, begun.append)
    federation.query(PLACES)
    (again,) = (each for each in begun if each.HasField("secret"))
    with pytest.raises(Unavailable, match="LINK_LOST"):
        federation.nodes["sky"].linking.Begin(
            federation.link_signer.sign("sky", again), federation.node_context()
        )


def test_noise_that_would_wrap_is_refused(link: Make) -> None:
    """Shares add up modulo 2^64: a draw cut off at 63 bits would show the sum under it."""
    terms = {"landbridgeRowsPerUnit": 1_000_000, "landbridgeUnitsSpan": 10_000}
    federation = link("health", "sky", terms={"visits": terms})
    text = "SELECT sum(cost * 2000000) FROM health.visits JOIN sky.readings USING (town, day)"
    with pytest.raises(InvalidQuestion, match="64 bits of a share"):
        federation.query(text, epsilon=0.01)


def test_a_small_epsilon_does_not_buy_millions_of_dummies(link: Make) -> None:
    """They cost every department memory and the caller next to nothing."""
    federation = link("school", "tax")
    text = (
        "SELECT band, town, width_bucket(rent, 0, 500, 20) AS r, grade, count(*) FROM tax.earners "
        "JOIN school.pupils USING (person) GROUP BY band, town, r, grade"
    )
    with pytest.raises(InvalidQuestion, match="dummy rows"):
        federation.query(text, epsilon=0.01)
    assert [node.runs for node in federation.nodes.values()] == [0, 0]
