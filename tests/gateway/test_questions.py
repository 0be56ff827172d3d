"""A question's life through gateway and nodes in memory, noise switched off or chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import grpc
import pytest

from landbridge.errors import (
    Fault,
    InvalidQuestion,
    LandbridgeError,
    Refused,
    Unauthenticated,
    Unavailable,
    error,
)
from landbridge.evidence.receipt import verify_receipt
from landbridge.levels import Level
from landbridge.v1 import gateway_pb2, node_pb2, question_pb2
from policies.noise import draw
from tests.people import PURPOSE, TARGET, crowd, document
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]


def test_an_answer_without_noise_is_the_plain_truth(simulate: Simulate) -> None:
    """The whole path computes what it says: filters, groups, counts, sums and averages."""
    rows = crowd(500)
    federation = simulate({"north": rows})
    answer = federation.query(
        "SELECT sex, count(*) AS n, sum(age) AS s, avg(age) AS a, count(DISTINCT person_id) AS p "
        "FROM people WHERE district IN ('D1', 'D2') AND age >= 30 GROUP BY sex ORDER BY sex"
    )
    for sex, n, s, a, p in answer.rows():
        ages = [r[3] for r in rows if r[4] == sex and r[2] in ("D1", "D2") and r[3] >= 30]
        assert (n, s, p) == (len(ages), sum(ages), len(ages))
        assert a == pytest.approx(sum(ages) / len(ages))


def test_values_outside_the_clip_interval_count_as_its_ends(simulate: Simulate) -> None:
    """Clamping bounds what one person can add, whatever their row says."""
    federation = simulate({"north": [TARGET]})
    assert federation.query("SELECT sum(income) FROM people").rows() == [(200_000,)]


def test_an_empty_cell_is_answered_like_any_other(simulate: Simulate) -> None:
    """The declared domain decides which cells there are, the data never does."""
    federation = simulate({"north": []})
    answer = federation.query(
        "SELECT district, diagnosis, count(*) AS n FROM people GROUP BY district, diagnosis"
    )
    assert len(answer.rows()) == 4 * 4  # a nullable column has NULL as one more value
    assert {row[2] for row in answer.rows()} == {0}


def test_three_departments_add_up_to_one_answer(simulate: Simulate) -> None:
    """FROM a table that many serve is the sum over all of them."""
    parts = {"north": crowd(100, 1), "east": crowd(150, 2), "west": crowd(70, 3)}
    federation = simulate(parts)
    answer = federation.query("SELECT count(*) AS n, avg(age) AS a FROM people")
    everyone = [row for part in parts.values() for row in part]
    assert answer.rows()[0][0] == 320
    assert answer.rows()[0][1] == pytest.approx(sum(r[3] for r in everyone) / 320)
    assert set(answer.departments) == {"north", "east", "west"}


def test_one_department_can_be_named(simulate: Simulate) -> None:
    """FROM department.table asks that one alone."""
    federation = simulate({"north": crowd(10, 1), "east": crowd(20, 2)})
    answer = federation.query("SELECT count(*) FROM east.people")
    assert answer.rows() == [(20,)]
    assert federation.nodes["north"].runs == 0


def test_a_missing_department_is_named_and_never_silently_left_out(simulate: Simulate) -> None:
    """I3: an error without consent to a partial answer, a named gap with it."""
    federation = simulate({"north": crowd(10, 1), "east": crowd(20, 2)})
    federation.nodes["east"].down = True
    with pytest.raises(Unavailable) as refused:
        federation.query("SELECT count(*) FROM people")
    assert refused.value.missing == ("east",)
    answer = federation.query("SELECT count(*) AS n FROM people WHERE age > 1", partial=True)
    assert (answer.rows(), answer.missing) == ([(10,)], ("east",))
    assert any(note.kind == "missing" for note in answer.notes)


def test_the_same_question_in_other_words_is_answered_again_free_of_charge(
    simulate: Simulate,
) -> None:
    """Averaging gains nothing: one canonical form, one draw, one charge."""
    federation = simulate({"north": crowd(50)}, draw=draw)
    first = federation.query(
        "SELECT count(*) AS n FROM people WHERE age > 17 AND sex = 'F' AND district = 'D1'"
    )
    for other in (
        "SELECT count(*) AS n FROM people WHERE age >= 18 AND sex = 'F' AND district = 'D1'",
        "select COUNT( * ) n from people p where 'D1' = p.district and sex in ('F') and 17 < age",
        "SELECT count(*) AS n FROM people WHERE NOT (age <= 17 OR sex <> 'F' OR district <> 'D1')",
        "SELECT count(district) AS n FROM people "
        "WHERE sex = 'F' AND (district = 'D1') AND age > 17 AND age > 17",
    ):
        again = federation.query(other)
        assert again.rows() == first.rows()
        assert again.cost.epsilon == 0
    assert federation.nodes["north"].runs == 1


def test_another_organisation_gets_its_own_draw_and_pays_for_it(simulate: Simulate) -> None:
    """The memory is per recipient; budgets count per recipient and in all."""
    federation = simulate({"north": crowd(50)})
    federation.query("SELECT count(*) FROM people")
    other = federation.token("dora", organisation="institute")
    answer = federation.query("SELECT count(*) FROM people", token=other)
    assert answer.cost.epsilon > 0
    assert federation.nodes["north"].runs == 2


def test_the_budget_ends_and_says_so(simulate: Simulate) -> None:
    """What the owner allowed is all that there is, whoever of the organisation asks."""
    federation = simulate({"north": crowd(50)})
    answered = 0
    with pytest.raises(Refused) as refused:
        for age in range(100):
            federation.query(f"SELECT count(*) FROM people WHERE age > {age}", epsilon=4)
            answered += 1
    assert refused.value.reason == "BUDGET_EXHAUSTED"
    assert refused.value.rule == "north/contract.budget.recipient"
    assert 0 < answered < 100
    colleague = federation.token("eve")
    with pytest.raises(Refused):
        federation.query("SELECT count(*) FROM people WHERE age > 99", epsilon=4, token=colleague)


def test_a_second_organisation_meets_the_overall_budget(simulate: Simulate) -> None:
    """A second account buys nothing past what the owner allows in all."""
    terms = {
        "recipient": {"epsilon": 8, "delta": 1e-6},
        "overall": {"epsilon": 10, "delta": 1e-6},
        "period": "year",
    }
    federation = simulate({"north": crowd(50)}, contract={"landbridgeBudget": terms})
    rules = []
    for organisation in ("university", "institute"):
        token = federation.token("x", organisation=organisation)
        with pytest.raises(Refused) as refused:
            for age in range(100):
                federation.query(
                    f"SELECT count(*) FROM people WHERE age > {age}", epsilon=4, token=token
                )
        rules.append(refused.value.rule)
    assert rules == ["north/contract.budget.recipient", "north/contract.budget.overall"]


def test_every_answer_and_refusal_is_in_both_logs_and_they_name_each_other(
    simulate: Simulate,
) -> None:
    """I1 on the way out, and what reconciling two logs will rest on."""
    federation = simulate({"north": crowd(50)})
    answer = federation.query("SELECT count(*) FROM people")
    with pytest.raises(Refused):
        federation.query("SELECT count(*) FROM people WHERE name LIKE 'Z%'")
    entries = federation.entries()
    assert [(e.kind, e.outcome) for e in entries] == [("query", "answered"), ("query", "refused")]
    (part,) = entries[0].parts
    assert part["department"] == "north"
    own = federation.entries("north")[part["index"]]
    assert own.question_id == entries[0].question_id
    assert own.outcome == "answered"
    assert answer.receipt is not None
    proven = verify_receipt(answer.receipt.entry, answer.receipt.proof, federation.log_key)
    assert proven.index == 0


def test_nothing_that_a_caller_wrote_stands_in_a_log_in_the_clear(simulate: Simulate) -> None:
    """Literals and names could point at a person; logs hold keyed digests of them."""
    federation = simulate({"north": crowd(50)})
    cleared = federation.token("alice", clearance="restricted")
    federation.query("SELECT count(*) FROM people WHERE name = 'Zoltan Q'", token=cleared)
    with pytest.raises(Refused):
        federation.query("SELECT count(*) FROM people WHERE name = 'Zoltan Q'")
    with pytest.raises(InvalidQuestion):
        federation.query("SELECT count(*) FROM people WHERE upper(name) = 'Zoltan Q'")
    everything = [*federation.entries(), *federation.entries("north")]
    assert len(everything) == 4
    for entry in everything:
        assert b"Zoltan" not in entry.to_bytes()
        assert b"alice" not in entry.to_bytes()


def test_no_answer_leaves_when_the_log_cannot_be_written(simulate: Simulate) -> None:
    """I1, I6: without a durable entry there is no reply, at the gateway and at the node."""
    federation = simulate({"north": crowd(50)})
    federation.log.broken = True
    with pytest.raises(Unavailable) as refused:
        federation.query("SELECT count(*) FROM people")
    assert refused.value.reason == "LOG_UNAVAILABLE"
    federation.log.broken = False
    federation.nodes["north"].log.broken = True
    with pytest.raises(Unavailable):
        federation.query("SELECT count(*) FROM people WHERE age > 3")


def test_a_token_is_verified_by_gateway_and_node(simulate: Simulate) -> None:
    """Nobody is believed about who asks."""
    federation = simulate({"north": crowd(5)})
    for token in ("", "x.y.z", federation.token(now=federation.now - 100_000)):
        with pytest.raises(Unauthenticated):
            federation.query("SELECT count(*) FROM people", token=token)
    assert federation.nodes["north"].received[1:] == []  # only Describe came through


@pytest.mark.parametrize(
    ("purpose", "reason"),
    [
        ("", "PURPOSE_MISSING"),
        ("dpv:Marketing", "PURPOSE_NOT_ALLOWED"),
    ],
)
def test_a_purpose_is_stated_and_allowed(simulate: Simulate, purpose: str, reason: str) -> None:
    """Without a purpose there is nothing to hold the answer against."""
    federation = simulate({"north": crowd(5)})
    with pytest.raises(Refused) as refused:
        federation.query("SELECT count(*) FROM people", purpose=purpose)
    assert refused.value.reason == reason


def test_a_purpose_that_the_owner_does_not_allow_is_refused_whatever_the_token_says(
    simulate: Simulate,
) -> None:
    """The owner's list is the contract's, not the issuer's."""
    federation = simulate({"north": crowd(5)})
    token = federation.token(purposes=[PURPOSE, "dpv:Marketing"])
    with pytest.raises(Refused) as refused:
        federation.query("SELECT count(*) FROM people", purpose="dpv:Marketing", token=token)
    assert refused.value.rule == "contract.purposes"


def test_unknown_and_invisible_look_the_same(simulate: Simulate) -> None:
    """Existence does not leak: one sentence, one reason, for columns and tables."""
    federation = simulate({"north": crowd(5)})
    said = []
    for column in ("name", "nome"):
        with pytest.raises(Refused) as refused:
            federation.query(f"SELECT count(*) FROM people WHERE {column} = 'x'")
        said.append(str(refused.value).replace(column, "?"))
    assert said[0] == said[1]


def test_explain_tells_cost_and_accuracy_without_touching_data(simulate: Simulate) -> None:
    """A plan is free, and what it promises is what the answer then has."""
    federation = simulate({"north": crowd(50), "east": crowd(20)})
    sql = "SELECT district, count(*) AS n FROM people GROUP BY district"
    plan = federation.explain(sql, epsilon=2)
    assert [node.runs for node in federation.nodes.values()] == [0, 0]
    assert plan.mode == "pooled"
    assert plan.cells == 4
    answer = federation.query(sql, epsilon=2)
    promised = plan.accuracy["n"]
    assert promised is not None
    assert answer.accuracy["n"][0] == pytest.approx(promised, abs=1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda reply: reply.release.measures[0].units.append(5),
        lambda reply: reply.release.measures[0].units.pop(),
        lambda reply: reply.release.measures.pop(),
        lambda reply: setattr(reply.release.measures[0], "step", 0.5),
        lambda reply: setattr(reply.release.measures[0], "standard_deviation", 0.1),
        lambda reply: setattr(reply.release.measures[0], "centre", float("nan")),
        lambda reply: reply.release.domains[0].values.pop(),
        lambda reply: (
            reply.release.domains[0].values[0].CopyFrom(reply.release.domains[0].values[1])
        ),
        lambda reply: setattr(reply.receipt, "proof", reply.receipt.proof[:-5] + "AAAA\n"),
        lambda reply: setattr(reply.receipt, "entry", b'{"kind":"query","v":1}'),
        lambda reply: reply.ClearField("release"),
        lambda reply: reply.Clear(),
    ],
)
def test_a_node_that_lies_spoils_the_answer_and_is_named(
    simulate: Simulate, spoil: Callable[[Any], None]
) -> None:
    """Attack 81: whatever does not fit the question makes the whole answer refused."""
    parts = {"landbridgePooling": {"minimum": 3}}  # so two are not pooled
    federation = simulate({"north": crowd(50), "east": crowd(20)}, contract=parts)
    federation.nodes["east"].change = spoil
    with pytest.raises(Exception, match="east") as refused:
        federation.query("SELECT district, count(*) AS n FROM people GROUP BY district")
    assert getattr(refused.value, "reason", "") == "ANSWER_REJECTED"
    assert federation.entries()[-1].outcome == "failed"


def test_a_proof_of_another_entry_is_no_proof_of_this_answer(simulate: Simulate) -> None:
    """A receipt is tied to the question: an old one, however valid, does not pass."""
    federation = simulate({"north": crowd(50)})
    kept: list[Any] = []
    federation.nodes["north"].change = lambda reply: kept.append(type(reply).FromString(
        reply.SerializeToString()))  # fmt: skip
    federation.query("SELECT count(*) FROM people")
    federation.nodes["north"].change = lambda reply: reply.receipt.CopyFrom(kept[0].receipt)
    with pytest.raises(Fault, match="another entry"):
        federation.query("SELECT count(*) FROM people WHERE age > 3")


def test_the_log_commits_to_the_answer_without_telling_it(simulate: Simulate) -> None:
    """With salt and answer anybody can check the digest; without the salt nobody can guess."""
    federation = simulate({"north": crowd(50)})
    request = gateway_pb2.QueryRequest(
        sql="SELECT count(*) FROM people", purpose=PURPOSE, question_id="a" * 32
    )
    response = federation.gateway.Query(request, federation.context())
    salt = response.receipt.answer_salt
    response.ClearField("receipt")
    committed = sha256(salt + response.SerializeToString(deterministic=True)).hexdigest()
    assert federation.entries()[-1].answer_digest == committed
    bare = sha256(response.SerializeToString(deterministic=True)).hexdigest()
    assert federation.entries()[-1].answer_digest != bare


def test_what_charged_before_a_refusal_stands_in_the_gateways_log(simulate: Simulate) -> None:
    """One department's no refuses the whole; the others' charges are named all the same."""
    federation = simulate({"north": crowd(50), "east": crowd(20)})
    for age in range(3):
        federation.query(f"SELECT count(*) FROM north.people WHERE age > {age}", epsilon=4)
    with pytest.raises(Refused) as refused:
        federation.query("SELECT count(*) FROM people", epsilon=4)
    assert refused.value.rule == "north/contract.budget.recipient"
    entry = federation.entries()[-1]
    assert [part["department"] for part in entry.parts] == ["east"]
    assert entry.charged_micro_rho > 0


def test_one_odd_department_stops_nobody_else(simulate: Simulate) -> None:
    """A node that refuses to describe itself is silent, and the others go on."""
    federation = simulate({"north": crowd(5), "east": crowd(6)})
    node = federation.nodes["east"]

    def refuse(*_: object) -> None:
        raise error("ACCESS_DENIED", rule="x" * 5_000)

    node.servicer.Describe = refuse  # type: ignore[assignment, method-assign]
    assert federation.departments.refresh() == ("east",)
    assert federation.query("SELECT count(*) FROM north.people").rows() == [(5,)]


def test_distinct_persons_of_several_departments_are_not_added_up(simulate: Simulate) -> None:
    """One person in two departments would count twice with a confident error bar."""
    terms = {"landbridgeUnitsSpan": 2}
    federation = simulate({"north": crowd(50), "east": crowd(50)}, contract=terms)
    with pytest.raises(InvalidQuestion, match="do not add up"):
        federation.query("SELECT count(DISTINCT person_id) FROM people")
    one = federation.query("SELECT count(DISTINCT person_id) FROM north.people")
    assert one.rows() == [(50,)]


def test_asking_departments_one_by_one_buys_nothing(simulate: Simulate) -> None:
    """Whoever is asked, each department gives out only its share of a person's budget."""
    terms = {"landbridgeUnitsSpan": 2, "landbridgePooling": {"minimum": 3}}
    federation = simulate({"north": crowd(50), "east": crowd(50)}, contract=terms)
    alone = federation.explain("SELECT count(*) AS n FROM north.people").accuracy["n"]
    both = federation.explain("SELECT count(*) AS n FROM people").accuracy["n"]
    assert alone is not None
    assert both is not None
    assert both == pytest.approx(alone * 2**0.5, abs=1)


def test_explain_shows_callers_their_own_words_and_no_digest(simulate: Simulate) -> None:
    """A digest would let a caller look others up in the published log."""
    federation = simulate({"north": crowd(5)})
    plan = federation.explain("SELECT count(*) FROM people WHERE diagnosis = 'alice'")
    assert '"alice"' in plan.question
    entry = federation.entries()[-1]
    assert entry.caller[:16] not in plan.question
    digest = entry.question.split("<")[1].split(">")[0]
    assert not entry.caller.startswith(digest)


@pytest.mark.parametrize(
    "expression",
    [
        "(age*4000000000000000)*(0*age)",
        "(age*4000000000000000000)*0",
        "0*((1.5*height)*4e17*4e17)",
        "age*" + "*".join(["4000000000000000000"] * 9),
        "height*1e300*1e300",
    ],
)
def test_no_part_of_an_expression_can_overflow(simulate: Simulate, expression: str) -> None:
    """An overflow would be an error that depends on whether a row is there."""
    for rows in ([], [TARGET]):
        federation = simulate({"north": rows})
        with pytest.raises(InvalidQuestion) as refused:
            federation.query(f"SELECT sum({expression}) FROM people")
        assert refused.value.reason in ("UNBOUNDED_EXPRESSION", "INVALID_QUESTION")
        counted = federation.query("SELECT count(income*income*income*income) AS n FROM people")
        assert counted.rows() == [(len(rows),)]


def test_a_very_wide_fan_out_still_leaves_its_entry(simulate: Simulate) -> None:
    """What does not fit into one entry stands in several, never in none."""
    federation = simulate({"north": crowd(5)})
    parts = [
        {"department": f"d{number}", "index": number, "leaf_hash": "0" * 64}
        for number in range(1_000)
    ]
    with federation.recorder.request("query", question_id="a" * 32) as draft:
        draft.note(parts=parts, members=[f"department_{n}" for n in range(1_000)])
        draft.note(question="x" * 60_000)
        draft.answered(b"")
    entries = federation.entries()
    assert [entry.kind for entry in entries] == ["parts"] * 5 + ["query"]
    assert sum(len(entry.parts) for entry in entries) == 1_000
    assert "shortened" in entries[-1].note


def test_a_malformed_request_from_the_gateway_leaves_an_entry_too(simulate: Simulate) -> None:
    """What cannot even be read is refused, and the refusal is in the node's log."""
    federation = simulate({"north": crowd(5)})
    node = federation.nodes["north"]
    asking = node_pb2.Asking(question_id="0" * 32)
    for method, request in (
        ("Answer", federation.signer.signing(node_pb2.AnswerRequest(
            asking=asking, question=question_pb2.Question(measures=[question_pb2.Measure()])
        ))("north")),
        ("Reply", federation.signer.signing(node_pb2.ReplyRequest(
            asking=asking, arguments={"a": question_pb2.Literal()}
        ))("north")),
        ("Estimate", node_pb2.EstimateRequest.FromString(b"\xfa\x07\x01x")),
    ):  # fmt: skip
        before = len(federation.entries("north"))
        with pytest.raises(grpc.RpcError):
            node.call(f"/x/{method}", request.SerializeToString(), 5.0)
        (entry,) = federation.entries("north")[before:]
        # What is not in the schema has no canonical bytes, so nobody can have signed it.
        reason = "SIGNATURE_INVALID" if method == "Estimate" else "INVALID_ARGUMENT"
        assert (entry.outcome, entry.reason) == ("refused", reason)


def test_a_purpose_that_no_issuer_knows_never_stands_in_the_log(simulate: Simulate) -> None:
    """It is text of a caller's own until the token allows it."""
    federation = simulate({"north": crowd(5)})
    for token in (None, "not.a.token"):
        with pytest.raises(LandbridgeError):
            federation.query("SELECT count(*) FROM people", purpose="Zoltan Q has X1", token=token)
        assert federation.entries()[-1].purpose == ""


def test_a_column_may_have_a_name_that_sql_knows_otherwise() -> None:
    """`temp` is a keyword to a parser and a temperature to a weather office."""
    from gateway.sql import read
    from policies.canonical import text
    from tests.people import contract

    known = contract()
    renamed = replace(
        known,
        columns=tuple(
            replace(column, name="temp" if column.name == "age" else column.name)
            for column in known.columns
        ),
    )
    for name in ("temp", '"temp"', "people.temp"):
        reading = read(
            f"SELECT avg({name}) FROM people WHERE {name} > 3 ORDER BY 1",
            lambda *_: renamed,
            Level.OPEN,
            frozenset({"temp", "people"}),
        )
        assert "sum(temp)" in text(reading.question)
    with pytest.raises(InvalidQuestion, match="not accepted"):
        read("SELECT avg(temp) FROM people", lambda *_: renamed, Level.OPEN, frozenset())


def test_a_text_is_read_once_and_again_when_a_contract_changes(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered reading is worth nothing once the catalogue is another one."""
    from gateway.sql import read

    federation = simulate({"north": crowd(5)})
    parses: list[str] = []

    def counting(text: str, *more: Any) -> Any:
        parses.append(text)
        return read(text, *more)

    monkeypatch.setattr("gateway.planning.read", counting)
    for _ in range(3):
        federation.query("SELECT count(*) FROM people")
    assert len(parses) == 1
    federation.departments.refresh()
    federation.query("SELECT count(*) FROM people")
    assert len(parses) == 1  # the same descriptions are the same catalogue
    node = federation.nodes["north"]
    description = node.servicer.Describe(node_pb2.DescribeRequest(), federation.node_context())
    description.contracts[0].document = document(landbridgeMaximumCells=99)
    node.servicer.describe(description)
    federation.departments.refresh()
    with pytest.raises(LandbridgeError):
        federation.query("SELECT nothing FROM people")
    cleared = federation.token(clearance="open")
    for token in (None, cleared):
        # The node itself still goes by the earlier contract, and refuses what another was read for.
        with pytest.raises(Unavailable, match="CONTRACT_CHANGED"):
            federation.query("SELECT count(*) FROM people", token=token)
    assert len(parses) == 4
