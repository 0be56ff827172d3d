"""A joined question's life through gateway and nodes in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from gateway.convert import question_to
from landbridge.errors import InvalidQuestion, LandbridgeError, Refused
from landbridge.v1 import gateway_pb2, node_pb2, question_pb2
from nodes.load import load
from nodes.store import Store
from policies import odcs
from policies.disclosure import Mechanism
from policies.noise import draw
from policies.question import Count, Question
from tests.joins.visits import document, of_visit, people_document, repeated, visits, write
from tests.people import ACCESS, PURPOSE, TARGET, Row
from tests.people import write as write_people
from tests.simulator import FederationSimulator

Join = Callable[..., FederationSimulator]

PEOPLE = repeated(60, 2, 1)
VISITS = visits(repeated(70, 3, 2), 3)
COUNT = "SELECT count(*) AS n FROM people JOIN visits USING (person_id)"


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    """Makes federations whose departments have both tables, but for those in `without`."""
    with ExitStack() as ends:

        def make(
            departments: Sequence[str] = ("north",), *, without: Sequence[str] = (),
            people: Sequence[Row] = PEOPLE, visited: Sequence[Row] = VISITS,
            terms: dict[str, Any] | None = None, **more: Any,
        ) -> FederationSimulator:  # fmt: skip
            place = tmp_path / secrets.token_hex(4)
            place.mkdir()
            files = {name: write_people(people, place / f"{name}.csv") for name in departments}
            second = (document(**(terms or {})), write(visited, place / "visits.csv"))
            made = FederationSimulator(
                place,
                files,
                people_document(),
                more={name: [second] for name in departments if name not in without},
                **more,
            )
            ends.callback(made.close)
            return made

        yield make


def pairs() -> list[tuple[Row, Row]]:
    """Every pair of rows of one person."""
    return [(one, other) for one in PEOPLE for other in VISITS if one[0] == other[0]]


def test_an_answer_without_noise_is_the_plain_truth(join: Join) -> None:
    """Filters and groups on either table, counts of rows and people, clamped sums."""
    answer = join().query(
        "SELECT p.district, v.kind, count(*) AS n, sum(cost) AS c, count(DISTINCT person_id) AS u "
        "FROM north.people AS p INNER JOIN north.visits v USING (person_id) "
        "WHERE p.age >= 30 AND v.sex = 'F' GROUP BY p.district, kind ORDER BY district, kind"
    )
    assert [column.name for column in answer.columns] == ["district", "kind", "n", "c", "u"]
    assert len(answer.rows()) == 4 * 2
    for district, kind, n, c, u in answer.rows():
        found = [
            (one, other)
            for one, other in pairs()
            if (one[2], other[-2]) == (district, kind) and one[3] >= 30 and other[4] == "F"
        ]
        assert (n, u) == (len(found), len({one[0] for one, _ in found}))
        costs = [min(other[-1], 500) for _, other in found if other[-1] is not None]
        assert c == sum(costs)


def test_a_median_over_a_join_is_that_of_the_joined_rows(join: Join) -> None:
    """Quantiles have a statement of their own, over the same join with the same bounds."""
    people, visited = repeated(2_000, 2, 1), visits(repeated(2_000, 3, 2), 3)
    answer = join(people=people, visited=visited).query(
        "SELECT kind, median(people.age) AS m "
        "FROM people JOIN visits USING (person_id) GROUP BY kind",
        epsilon=4,
    )
    ages: dict[int, list[int]] = {}
    for row in people:
        ages.setdefault(row[0], []).append(row[3])
    for kind, middle in answer.rows():
        joined = [age for row in visited if row[-2] == kind for age in ages.get(row[0], ())]
        assert middle == pytest.approx(median(joined), abs=3)


def test_departments_that_have_both_tables_are_added_up(join: Join) -> None:
    """Each joins its own; nothing is joined across."""
    answer = join(("north", "east")).query(COUNT)
    assert answer.rows() == [(2 * len(pairs()),)]
    assert set(answer.departments) == {"north", "east"}


def test_tables_that_not_all_departments_have_are_named(join: Join) -> None:
    """Refused from the catalogue, with what would pass; linking takes the owners' yes."""
    federation = join(("north", "east"), without=("east",))
    with pytest.raises(InvalidQuestion, match="north serves several of these tables") as refused:
        federation.query(COUNT)
    assert "FROM north.people JOIN north.visits" in refused.value.hint
    assert refused.value.position is not None
    with pytest.raises(Refused, match=r"ACCESS_DENIED.*may not be linked.*landbridgeLinks"):
        federation.query(
            "SELECT count(*) FROM east.people JOIN north.visits USING (person_id)"
        )  # fmt: skip
    named = COUNT.replace("people", "north.people").replace("visits", "north.visits")
    assert federation.query(named).rows() == [(len(pairs()),)]
    with pytest.raises(Refused, match=r"no table 'east\.visits'"):
        federation.query(named.replace("north.", "east."))


def test_the_same_join_in_other_words_is_answered_again_free_of_charge(join: Join) -> None:
    """Order of tables, aliases and INNER change nothing: one draw, one charge."""
    federation = join(draw=draw)
    first = federation.query(COUNT + " WHERE people.age > 17")
    for other in (
        "SELECT count(*) AS n FROM visits JOIN people USING (person_id) WHERE people.age >= 18",
        "SELECT count(kind) AS n FROM visits v INNER JOIN people p USING (person_id) "
        "WHERE NOT p.age <= 17",
    ):
        again = federation.query(other)
        assert again.rows() == first.rows()
        assert again.cost.epsilon == 0
    assert federation.nodes["north"].runs == 1


def test_new_data_in_either_table_is_a_new_question(join: Join, tmp_path: Path) -> None:
    """The memory knows both data versions; the log names both."""
    federation = join()
    federation.query(COUNT)
    contract = odcs.read(document(), "visits")
    load(
        contract, write(VISITS[:5], tmp_path / "less.csv"), Store(federation.folder / "north/data")
    )
    assert federation.query(COUNT).cost.epsilon > 0
    versions = [entry.data_version.split() for entry in federation.entries("north")]
    assert [len(version) for version in versions] == [2, 2]
    assert versions[0][0] == versions[1][0]
    assert versions[0][1] != versions[1][1]


def test_explain_shows_both_tables_and_what_both_are_charged(join: Join) -> None:
    """Columns with their table and level, the join, the bound, the cost."""
    plan = join().explain(
        "SELECT kind, avg(people.income) FROM people JOIN visits USING (person_id) GROUP BY kind"
    )
    assert plan.contract == "people JOIN visits"
    assert plan.question.count("JOIN visits USING (unit)") == 1
    used = {(each.name, each.level, each.clause) for each in plan.columns}
    assert used == {
        ("people.income", "internal", "select"),
        ("visits.kind", "open", "group"),
        ("people.person_id", "sealed", "join"),
        ("visits.person_id", "sealed", "join"),
    }
    notes = " ".join(note.text for note in plan.notes)
    assert "At most 2 x 3 joined rows of one person_id count." in notes
    assert "Charged in full to the budgets of people and visits." in notes


def test_a_join_and_a_plain_question_spend_one_budget(join: Join) -> None:
    """Attack 80: a join is no second purse for either of its tables."""
    federation = join()
    with pytest.raises(Refused) as refused:
        for age in range(100):
            federation.query(f"{COUNT} WHERE people.age > {age}", epsilon=4)
    assert refused.value.reason == "BUDGET_EXHAUSTED"
    for table in ("people", "visits"):
        with pytest.raises(Refused, match=f"contract {table}"):
            federation.query(f"SELECT count(*) FROM {table} WHERE age > 99", epsilon=4)


FORBID = """
@id("test.no-visits")
forbid (principal, action, resource == Contract::"visits");
"""
LEVEL = """
@id("test.open-visits")
forbid (principal, action, resource == Contract::"visits") when { context.level > 0 };
"""


@pytest.mark.parametrize("where", ["access", "gateway_access"])
def test_one_part_that_is_denied_denies_the_whole(join: Join, where: str) -> None:
    """At the gateway and, whatever the gateway lets through, at the node."""
    federation = join(**{where: ACCESS + FORBID})
    with pytest.raises(Refused) as refused:
        federation.query(COUNT)
    # Forbidden always and to everybody, so that for this caller there is no such table.
    assert refused.value.reason == "NOT_AVAILABLE"
    assert "visits" in refused.value.message
    assert federation.nodes["north"].runs == 0
    assert federation.query("SELECT count(*) FROM people").rows() == [(len(PEOPLE),)]


@pytest.mark.parametrize("where", ["access", "gateway_access"])
def test_a_part_is_asked_for_at_the_level_of_its_own_columns(join: Join, where: str) -> None:
    """Attack 97: people's level is not visits', nor the other way round."""
    federation = join(**{where: ACCESS + LEVEL})
    assert federation.query(COUNT + " WHERE people.income > 5").rows()
    # No policy ever lets it be used, so that for this caller there is no such column.
    with pytest.raises(Refused, match="NOT_AVAILABLE"):
        federation.query(COUNT + " WHERE cost > 5")


def test_a_purpose_must_be_allowed_by_both_owners(join: Join) -> None:
    """And the hint lists what both allow."""
    federation = join(terms={"landbridgePurposes": ["dpv:Other"]})
    token = federation.token(purposes=[PURPOSE, "dpv:Other"])
    with pytest.raises(Refused) as refused:
        federation.query(COUNT, token=token)
    assert (refused.value.reason, refused.value.hint) == (
        "PURPOSE_NOT_ALLOWED", "Allowed here: none.",
    )  # fmt: skip


def test_a_column_that_one_may_not_see_makes_no_name_ambiguous(join: Join) -> None:
    """Refusing to choose would tell that it exists."""
    federation = join()
    cleared = federation.token(clearance="restricted")
    for name in ("name", "nobody"):  # both tables have the first, at a level above the caller's
        with pytest.raises(Refused, match=f"no column '{name}'"):
            federation.query(f"{COUNT} WHERE {name} = 'x'")
        with pytest.raises(Refused, match=f"no column 'visits.{name}'"):
            federation.query(f"{COUNT} WHERE visits.{name} = 'x'")
    with pytest.raises(InvalidQuestion, match=r"more than one table.*people\.name or visits\.name"):
        federation.query(f"{COUNT} WHERE name = 'x'", token=cleared)


NO_QUESTIONS = {
    "another order": Question("visits", (Count(),), (), None, ("people",)),
    "itself": Question("people", (Count(),), (), None, ("people",)),
    "an unknown table": Question("people", (Count(),), (), None, ("secrets",)),
    "too many": Question("people", (Count(),), (), None, ("visits",) * 4),
}


@pytest.mark.parametrize("case", NO_QUESTIONS)
def test_a_node_takes_no_join_on_the_gateway_s_word(join: Join, case: str) -> None:
    """A gateway that is taken over can ask in no form that the node did not decide on."""
    federation = join()
    node = federation.nodes["north"]
    request = node_pb2.AnswerRequest(
        asking=node_pb2.Asking(
            token=federation.token(), purpose=PURPOSE, question_id=secrets.token_hex(16)
        ),
        question=question_to(NO_QUESTIONS[case]),
        members=["north"],
    )
    with pytest.raises(LandbridgeError) as refused:
        node.servicer.Answer(federation.signer.signing(request)("north"), federation.node_context())
    assert refused.value.reason in ("INVALID_ARGUMENT", "INVALID_QUESTION", "NOT_AVAILABLE")
    assert node.runs == 0


def test_the_wire_knows_joined_contracts() -> None:
    """An older node, which does not, refuses the field and answers nothing."""
    sent = question_to(Question("people", (Count(),), (), None, ("visits",)))
    assert question_pb2.Question.FromString(sent.SerializeToString()).joined == ["visits"]


WORLDS: dict[str, tuple[list[Row], list[Row]]] = {
    "in both": ([TARGET], [of_visit(TARGET, "home", 999)] * 4),
    "in people": ([TARGET], []),
    "in visits": ([], [of_visit(TARGET, "home", 999)] * 4),
    "in neither": ([], []),
}
TEXTS = (
    COUNT,
    COUNT + " WHERE people.age = 93 AND visits.district = 'D7'",
    COUNT + " WHERE kind = 'home' AND cost > 900",
    "SELECT p.diagnosis, kind, count(*), avg(cost), count(DISTINCT person_id) FROM people p "
    "JOIN visits v USING (person_id) GROUP BY 1, 2",
    "SELECT corr(people.age, cost) FROM people JOIN visits USING (person_id) HAVING count(*) > 9",
    "SELECT sum(people.age * visits.age * cost) FROM people JOIN visits USING (person_id)",
    "SELECT count(*) FROM people LEFT JOIN visits USING (person_id)",
    "SELECT count(*) FROM people ANTI JOIN visits USING (person_id)",
    "SELECT count(*) FROM people SEMI JOIN visits USING (person_id)",
    "SELECT count(*) FROM people JOIN visits ON people.age = visits.age",
    "SELECT count(*) FROM people JOIN visits USING (age)",
    "SELECT count(*) FROM people, visits",
    "SELECT count(*) FROM people p JOIN people q USING (person_id)",
    COUNT + " WHERE people.person_id = 4711",
    COUNT + " WHERE people.age = visits.age",
)


def test_no_joined_text_tells_the_worlds_apart(join: Join) -> None:
    """Whether a person is in one table, in both or in none shows in nothing but the noise.

    In place of the noise stands a function that never looks at the cells.
    """
    seen: dict[str, list[str]] = {}
    for world, (more_people, more_visits) in WORLDS.items():

        def blind(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
            return [1_000 + round(mechanism.scale) for _ in cells]

        federation = join(
            people=[*PEOPLE, *more_people], visited=[*VISITS, *more_visits], draw=blind
        )
        seen[world] = [_everything(federation, text) for text in TEXTS]
    for place, text in enumerate(TEXTS):
        assert len({said[place] for said in seen.values()}) == 1, text
    ends = [said.split()[0] for said in seen["in both"]]
    assert ends == ["answered"] * 6 + ["refused"] * 9


def _everything(federation: FederationSimulator, text: str) -> str:
    """What a caller sees, and how often the engine ran."""
    before = federation.nodes["north"].runs
    request = gateway_pb2.QueryRequest(
        sql=text, purpose=PURPOSE, micro_epsilon=100_000, question_id=secrets.token_hex(16)
    )
    try:
        reply = federation.gateway.Query(request, federation.context())
        reply.ClearField("receipt")
        said = f"answered {reply.SerializeToString(deterministic=True)!r}"
    except LandbridgeError as refusal:
        refusal.receipt = b""
        said = f"refused {refusal} {refusal.position}"
        assert federation.nodes["north"].runs == before, "an engine ran and then it was refused"
    return f"{said} runs {federation.nodes['north'].runs - before}"
