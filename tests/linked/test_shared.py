"""A table that several departments serve, linked with another one's: its rows count together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest

from landbridge.errors import LandbridgeError, Unavailable
from landbridge.protocols.dummies import counts
from landbridge.v1 import link_pb2
from nodes.link_compile import compile_parts
from policies import odcs
from policies.link_plan import LinkPlan, plan_link
from policies.linked import LinkedQuestion, Side
from policies.noise import draw
from policies.question import Count, Question, Whole
from tests.linked.world import ROWS, Make, Row, document
from tests.simulator import FederationSimulator

SIDES = ("clinic", "health", "tax")
SPAN: dict[str, Any] = {"landbridgeUnitsSpan": 2}
TERMS: Mapping[str, Mapping[str, Any]] = {"visits": SPAN}
QUESTION = (
    "SELECT band, count(*) AS n, sum(cost) AS s FROM visits "
    "JOIN tax.earners USING (person) GROUP BY band"
)
PLACES = (
    "SELECT kind, rain, count(*) AS n FROM visits "
    "JOIN sky.readings USING (town, day) GROUP BY kind, rain"
)


def earner(person: int, band: str = "low") -> Row:
    """Somebody who pays taxes."""
    return (person, band, "A", 100, None)


def visit(person: int, kind: str = "home", day: int = 1, cost: int = 10) -> Row:
    """One visit in town A."""
    return (person, kind, False, "A", f"2026-03-{day:02d}", cost)


def spent(federation: FederationSimulator) -> list[int]:
    """What each ledger says of the university, in micro-rho."""
    found = []
    for name, table in (("clinic", "visits"), ("health", "visits"), ("tax", "earners")):
        contract = odcs.read(document(table, **TERMS.get(table, {})), table)
        accounts = federation.nodes[name].ledger.accounts(contract, "university")
        found.append(accounts[0].spent)
    return found


def of(federation: FederationSimulator, kind: type[Any]) -> list[Any]:
    """All that departments were sent or sent of that kind."""
    return [
        message
        for node in federation.nodes.values()
        for message in (*node.received, *node.sent)
        if isinstance(message, kind)
    ]


def test_a_person_at_both_departments_is_counted_once(link: Make) -> None:
    """Persons are told apart over all of them, which a sum of their numbers could not do."""
    contents = {
        "visits": [visit(person) for person in range(1, 31)],
        "clinic": [visit(person) for person in range(21, 51)],
        "earners": [earner(person) for person in range(11, 41)],
    }
    federation = link(*SIDES, terms=TERMS, contents=contents)
    text = "SELECT count(DISTINCT person), count(*) FROM visits JOIN tax.earners USING (person)"
    assert federation.query(text, epsilon=900).rows() == [(30, 40)]


def test_the_minimum_is_about_persons_of_all_departments(link: Make) -> None:
    """Six here and six others there are twelve; the same six at both are six."""
    both = {"visits": [visit(p) for p in range(1, 7)], "clinic": [visit(p) for p in range(7, 13)]}
    same = {"visits": [visit(p) for p in range(1, 7)], "clinic": [visit(p) for p in range(1, 7)]}
    terms = {
        "visits": {**SPAN, "link": {"minimum": 10}}, "earners": {"link": {"minimum": 10}},
    }  # fmt: skip
    for contents, expected in ((both, ("low", 12, 120)), (same, ("low", None, None))):
        known = {**contents, "earners": [earner(person) for person in range(1, 20)]}
        federation = link(*SIDES, terms=terms, contents=known)
        assert federation.query(QUESTION, epsilon=900).rows()[0] == expected


def test_every_owner_is_charged_once_and_asked_again_it_is_free(link: Make) -> None:
    """One question, one price at each of the three, and one answer that all stand by."""
    federation = link(*SIDES, terms=TERMS, draw=draw)
    plan = federation.explain(QUESTION, epsilon=20)
    assert plan.mode == "linked"
    assert [budget.department for budget in plan.budgets] == list(SIDES)
    first = federation.query(QUESTION, epsilon=20)
    charged = spent(federation)
    assert len(set(charged)) == 1
    assert charged[0] > 0
    assert federation.query(QUESTION, epsilon=20).rows() == first.rows()
    assert spent(federation) == charged


def test_a_department_that_is_down_leaves_nobody_charged(link: Make) -> None:
    """A total without it would be a partial one that does not say so."""
    federation = link(*SIDES, terms=TERMS)
    federation.nodes["clinic"].down = True
    with pytest.raises(Unavailable) as failure:
        federation.query(QUESTION)
    assert failure.value.missing == ("clinic",)
    assert spent(federation) == [0, 0, 0]


def _with(names: list[str]) -> dict[str, Any]:
    return {"link": {"with": names}, **SPAN}


@pytest.mark.parametrize(
    ("terms", "text", "words"),
    [
        ({"visits": _with(["tax", "school"])}, QUESTION, "may not be linked with"),
        ({"earners": {"link": {"with": ["health"]}}, **TERMS}, QUESTION, "may not be linked with"),
        (
            {"visits": {**SPAN, "landbridgePooling": {"alone": False}}}, QUESTION,
            "totals over several departments only",
        ),
        (
            TERMS,
            "SELECT count(*) FROM health.visits h JOIN clinic.visits c USING (person) "
            "JOIN tax.earners USING (person)",
            "Both tables are called visits",
        ),
        (
            TERMS, "SELECT kind, count(DISTINCT person) FROM visits JOIN tax.earners "
            "USING (person) GROUP BY kind", "where one unit can be in several",
        ),
        (
            TERMS, "SELECT sum(income) FROM visits JOIN tax.earners USING (person)",
            "Columns of earners are not aggregated here",
        ),
    ],
)  # fmt: skip
def test_what_owners_did_not_allow_is_refused_before_anybody_computes(
    link: Make, terms: Mapping[str, Any], text: str, words: str
) -> None:
    """Every department that serves the table must be named by all others, and name them."""
    federation = link(*SIDES, terms=terms)
    with pytest.raises(LandbridgeError, match=words):
        federation.query(text)
    assert not of(federation, link_pb2.LinkBeginRequest)
    assert all(node.runs == 0 for node in federation.nodes.values())


def test_a_gateway_that_leaves_a_department_out_is_asked_for_another_question(link: Make) -> None:
    """Which departments' rows count is in the question's hash, so all are told the same."""
    federation = link(*SIDES, terms=TERMS)

    def without_one(message: Any) -> None:
        if isinstance(message, link_pb2.LinkBeginRequest):
            del message.question.sides[0]

    federation.nodes["health"].before = without_one
    with pytest.raises(LandbridgeError):
        federation.query(QUESTION)
    assert federation.nodes["health"].runs == 0


def test_noise_is_what_the_answer_says_of_all_departments(link: Make) -> None:
    """Two draws of each owner, and dummies of three entries in a count of persons.

    At most 10 of 30 numbers outside 95 % (false alarm 1e-7), and errors not far below what is
    said: their mean over the half-width lies between 0.15 and 0.75 (false alarm under 10^-4).
    """
    persons = range(1, 401)
    contents = {
        "visits": [visit(p) for p in persons], "clinic": [visit(p, cost=20) for p in persons],
        "earners": [earner(p) for p in persons],
    }  # fmt: skip
    federation = link(*SIDES, terms=TERMS, contents=contents, draw=draw, count=counts)
    text = (
        "SELECT count(DISTINCT person) AS p, count(*) AS n, sum(cost) AS s FROM visits "
        "JOIN tax.earners USING (person)"
    )
    truth = {"p": 400, "n": 800, "s": 12_000}
    outside, errors = 0, []
    for number in range(10):
        answer = federation.query(text, epsilon=30 + number * 1e-6)
        for name, cell in zip(truth, answer.cells[0], strict=True):
            assert isinstance(cell.value, int | float)
            assert cell.half_width is not None
            errors.append(abs(cell.value - truth[name]) / cell.half_width)
            outside += errors[-1] > 1
    assert outside <= 10, errors
    assert 0.15 < sum(errors) / len(errors) < 0.75, errors


def test_the_gateway_gets_no_departments_sum_without_its_noise(link: Make) -> None:
    """Every owner adds its own: what one sends is another number each time it is asked."""
    contents = {
        "visits": [visit(p) for p in range(1, 40)], "clinic": [visit(p) for p in range(1, 40)],
        "earners": [earner(p) for p in range(1, 40)],
    }  # fmt: skip
    drawn: list[int] = []

    def noisy(cells: Any, mechanism: Any) -> list[int]:
        drawn.append(len(cells))
        return draw(cells, mechanism)

    federation = link(*SIDES, terms=TERMS, contents=contents, draw=noisy)
    federation.query("SELECT sum(cost) FROM visits JOIN tax.earners USING (person)", epsilon=20)
    # One number of each owner, the gateway's on each, and on the number of linked keys.
    assert drawn == [1] * 5
    shares = [each.shares for each in of(federation, link_pb2.LinkTotalResponse)]
    assert len(shares) == 2
    assert shares[0] != shares[1]


def places(**noise: Any) -> dict[str, Any]:
    """Many rows of few persons in the rain, and a row of each of many in the sun."""
    return {
        "contents": {
            "visits": [
                *(visit(p, "home", 1, cost) for p in range(1, 4) for cost in range(ROWS)),
                *(visit(p, "clinic", 2) for p in range(10, 30)),
            ],
            "clinic": [visit(p, "clinic", 2) for p in range(10, 30)],
            "readings": [("A", "2026-03-01", 10.0, True), ("A", "2026-03-02", 10.0, False)],
        },
        **noise,
    }


ONE = PLACES.replace("FROM visits", "FROM health.visits")


@pytest.mark.parametrize(
    ("text", "minimum", "clinic"),
    [(ONE, 4, 20), (ONE, 20, 20), (ONE, 21, None), (PLACES, 20, 40), (PLACES, 21, None)],
)
def test_where_the_key_is_nobodys_persons_are_counted_for_the_minimum(
    link: Make, text: str, minimum: int, clinic: int | None
) -> None:
    """Nine rows of three persons are three; the same twenty at two departments are twenty."""
    terms = {"visits": {**SPAN, "link": {"minimum": minimum}}}
    federation = link("clinic", "health", "sky", terms=terms, **places())
    answer = federation.query(text, epsilon=900)
    found = {row[:2]: row[2] for row in answer.rows()}
    assert found.pop(("clinic", False)) == clinic
    assert not any(found.values()), found
    assert "NULL" in next(note.text for note in answer.notes if note.kind == "withheld")


def test_a_group_of_few_is_hidden_and_without_the_minimum_it_is_not(link: Make) -> None:
    """The control of the test above: with a minimum of one those nine rows are told."""
    terms = {"visits": {**SPAN, "link": {"minimum": 1}}}
    federation = link("clinic", "health", "sky", terms=terms, **places())
    found = {row[:2]: row[2] for row in federation.query(ONE, epsilon=900).rows()}
    assert found["home", True] == 3 * ROWS


def test_labels_of_groups_under_the_minimum_stay_with_their_owner(link: Make) -> None:
    """The weather's groups too: which of them few persons are behind is what the minimum hides."""
    terms = {"visits": {**SPAN, "link": {"minimum": 10}}}
    federation = link("clinic", "health", "sky", terms=terms, **places())
    federation.query(ONE, epsilon=900)
    (revealed,) = [
        each.cells
        for each in federation.nodes["sky"].sent
        if isinstance(each, link_pb2.LinkRevealResponse)
    ]
    assert list(revealed) == [0]  # false


def _plan() -> LinkPlan:
    sides = (
        Side("health", odcs.read(document("visits"), "visits")),
        Side("sky", odcs.read(document("readings"), "readings")),
    )
    asked = Question("readings", (Count(),), joined=("visits",), group_by=(Whole("visits.kind"),))
    return plan_link(LinkedQuestion(asked, sides, ("day", "town"), 900_000_000))


def test_a_person_has_one_vote_however_many_rows_it_has() -> None:
    """What the vote's noise is for: taking a person out changes one vote by one."""
    plan = _plan()
    assert plan.votes is not None
    assert plan.votes.sensitivity == 1
    side = plan.side("health")
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE visits AS SELECT i // 50 AS person, (i % 50 + 1)::UINTEGER AS __rank, "
        "(i % 2)::UTINYINT AS __c_kind, 'A' AS town, DATE '2026-03-01' + (i % 9)::INT AS day, "
        "i AS __row FROM range(1000) t(i)"
    )
    votes = 0
    for statement in compile_parts(side, ("day", "town"), 1000):
        found: Any = connection.execute(statement.sql, list(statement.parameters)).fetchnumpy()
        votes += int(found[f"n{1 + len(side.values)}"].sum())
    assert votes == 20  # persons


@pytest.mark.parametrize("recipient", ["clinic", "sky", "tax", ""])
def test_keys_are_shown_to_each_department_in_order_and_once(link: Make, recipient: str) -> None:
    """A gateway that asks for one department's keys twice, or for a stranger's, gets none."""
    federation = link("clinic", "health", "sky", terms=TERMS, **places())
    real = federation.nodes["sky"].linking.Show
    refused: list[str] = []

    def again(request: link_pb2.LinkShowRequest, context: Any) -> Any:
        reply = real(request, context)
        changed = link_pb2.LinkShowRequest()
        changed.CopyFrom(request)
        changed.recipient = recipient
        try:
            real(federation.link_signer.sign("sky", changed), context)
        except LandbridgeError as refusal:
            refused.append(refusal.reason)
        return reply

    federation.nodes["sky"].linking.Show = again
    with pytest.raises(LandbridgeError, match="LINK_LOST"):
        federation.query(PLACES)
    assert refused == ["LINK_LOST"]


def test_keys_sealed_to_one_department_do_not_open_at_another(link: Make) -> None:
    """A gateway that swaps them is rejected, and nobody's rows leave."""
    federation = link("clinic", "health", "sky", terms=TERMS, **places())
    sealed: dict[str, Any] = {}

    def keep(message: Any) -> None:
        if isinstance(message, link_pb2.LinkMatchRequest):
            if "first" in sealed:
                message.keys.CopyFrom(sealed["first"])
            else:
                sealed["first"] = link_pb2.SealedMessage()
                sealed["first"].CopyFrom(message.keys)

    def swap(message: Any) -> None:
        keep(message)
        if isinstance(message, link_pb2.LinkMatchRequest):
            message.CopyFrom(federation.link_signer.sign("health", message))

    federation.nodes["clinic"].before = keep
    federation.nodes["health"].before = swap
    with pytest.raises(LandbridgeError, match="ANSWER_REJECTED"):
        federation.query(PLACES)
    assert not of(federation, link_pb2.LinkTotalResponse)
