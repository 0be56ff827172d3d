"""A question by an undeclared key, through gateway and node."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from landbridge.errors import Fault, InvalidQuestion, LandbridgeError
from nodes.release import release
from nodes.selection import Selected, select
from policies.disclosure import Mechanism
from policies.noise import draw
from policies.question import Units
from tests.people import Row, crowd, document
from tests.selection.contracts import found, planned
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
SQL = "SELECT diagnosis, count(*) AS n FROM people GROUP BY diagnosis"


def having(**counts: int) -> list[Row]:
    """So many persons with each diagnosis; "nothing" stands for none."""
    values = [value for value, count in counts.items() for _ in range(count)]
    people = crowd(len(values))
    return [
        (*row[:6], None if value == "nothing" else value, *row[7:])
        for row, value in zip(people, values, strict=True)
    ]


def opted(**changes: Any) -> dict[str, Any]:
    """The document whose diagnoses are found in the data."""
    return {"documents": document(found=("diagnosis",), **changes)}


def test_common_values_are_found_and_rare_ones_are_not(simulate: Simulate) -> None:
    """Without noise: a value shows exactly from the threshold on; sorted as text, NULL last."""
    least = planned(found())[1].threshold
    rows = having(zebra=least, cold=200, b=least - 1, rare=1, nothing=5)
    federation = simulate({"north": rows}, **opted())
    answer = federation.query(SQL)
    assert answer.rows() == [("cold", 200), ("zebra", least), (None, 5)]
    notes = [note.text for note in answer.notes if note.kind == "selection"]
    assert len(notes) == 1
    assert f"reaches {least}" in notes[0]


def test_with_real_noise_large_groups_show_and_single_units_do_not(simulate: Simulate) -> None:
    """Twenty departments of one large group and twenty single ones. The large one lies eight
    standard deviations above the threshold; a single one passes once in 10^7 times: together a
    false alarm happens less than once in 10,000 runs.
    """
    rule = planned(found())[1]
    many = rule.threshold + round(8 * rule.mechanism.scale)
    rows = having(flu=many, **{f"only{n}": 1 for n in range(20)})
    names = [f"d{n}" for n in range(20)]
    federation = simulate(dict.fromkeys(names, rows), **opted(), draw=draw)
    for name in names:
        answer = federation.query(SQL.replace("people", f"{name}.people"))
        assert [row[0] for row in answer.rows()] == ["flu", None]


def test_all_cells_of_what_was_found_are_answered(simulate: Simulate) -> None:
    """After selection the values are public: the product with the other keys, empty cells too."""
    rows = [(*row[:4], "F", *row[5:]) for row in having(flu=300, cold=300)]
    federation = simulate({"north": rows}, **opted())
    answer = federation.query(
        "SELECT sex, diagnosis, count(*) AS n FROM people GROUP BY sex, diagnosis"
    )
    assert answer.rows() == [
        ("F", "cold", 300), ("M", "cold", 0), ("F", "flu", 300), ("M", "flu", 0),
        ("F", None, 0), ("M", None, 0),
    ]  # fmt: skip


def test_rows_that_do_not_count_do_not_vote(simulate: Simulate) -> None:
    """The filter holds for the selection too."""
    rows = having(flu=300, cold=300)
    federation = simulate({"north": rows}, **opted())
    answer = federation.query(
        "SELECT diagnosis, count(*) AS n FROM people WHERE diagnosis <> 'flu' GROUP BY diagnosis"
    )
    assert answer.rows() == [("cold", 300), (None, 0)]


def test_one_unit_with_a_thousand_rows_is_one_vote(simulate: Simulate) -> None:
    """Units are counted, not rows; and one unit votes for sixteen values at the most."""
    alone = [(7, *row[1:6], "mine", *row[7:]) for row in crowd(1_000)]
    federation = simulate({"north": alone}, **opted(landbridgeRowsPerUnit=1_000))
    assert federation.query(SQL).rows() == [(None, 0)]
    votes = [(7, *row[1:6], f"v{n}", *row[7:]) for n, row in enumerate(crowd(1_000))]
    asked: list[int] = []

    def spy(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        if mechanism.measure == Units():
            asked.append(sum(cells))
        return list(cells)

    federation = simulate({"north": votes}, **opted(landbridgeRowsPerUnit=1_000), draw=spy)
    federation.query(SQL)
    assert asked == [16]


def test_the_lowest_ranks_vote_whatever_the_filter(simulate: Simulate) -> None:
    """Votes are chosen among the rows that count, so a selective filter does not silence a unit."""
    person = [
        (7, *row[1:3], 20 + n % 50, *row[4:6], f"v{n % 50:02}", *row[7:])
        for n, row in enumerate(crowd(500))
    ]
    asked: list[tuple[int, ...]] = []

    def spy(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        del mechanism
        asked.append(tuple(cells))
        return list(cells)

    federation = simulate({"north": person}, **opted(landbridgeRowsPerUnit=1_000), draw=spy)
    federation.query(f"{SQL.replace(' GROUP', ' WHERE age < 30 GROUP')}")
    assert asked[0] == (1,) * 10


def test_no_more_values_than_fit_the_largest_first(simulate: Simulate) -> None:
    """The contract's bound on cells holds, and the answer says that there may be more."""
    rows = having(a=400, b=200, c=300, d=100)
    federation = simulate({"north": rows}, **opted(landbridgeMaximumCells=3))
    answer = federation.query(SQL)
    assert answer.rows() == [("a", 400), ("c", 300), (None, 0)]
    assert any("there may be more" in note.text for note in answer.notes)
    with pytest.raises(InvalidQuestion) as refused:
        federation.query("SELECT count(*) FROM people GROUP BY diagnosis, sex")
    assert refused.value.reason == "TOO_MANY_CELLS"


def test_nobody_is_found_in_an_empty_table(simulate: Simulate) -> None:
    """No row at all where the key is never NULL, of the same cost and with the same notes."""
    federation = simulate({"north": [], "south": having(flu=900)}, **opted())
    answers = [
        federation.query(SQL.replace("people", f"{name}.people")) for name in ("north", "south")
    ]
    assert answers[0].rows() == [(None, 0)]
    assert answers[0].notes == answers[1].notes
    assert answers[0].cost.epsilon == answers[1].cost.epsilon
    documents = document(found=("district",))
    federation = simulate({"north": []}, documents=documents)
    answer = federation.query("SELECT district, avg(age) AS a FROM people GROUP BY district")
    assert answer.rows() == []


def test_the_same_question_gives_the_same_bytes_free_of_charge(simulate: Simulate) -> None:
    """Asking twice is no second chance for a rare value."""
    federation = simulate({"north": having(flu=60, cold=55, rare=1)}, **opted(), draw=draw)
    first, again = federation.query(SQL), federation.query(SQL)
    assert again.rows() == first.rows()
    assert (first.cost.epsilon, again.cost.epsilon) == (1.0, 0.0)
    assert federation.nodes["north"].runs == 2  # once for the values, once for their cells


def test_a_plan_says_what_can_be_known(simulate: Simulate) -> None:
    """Accuracy as for declared keys; how many cells is not known, and said so."""
    federation = simulate({"north": having(flu=100)}, **opted())
    plan = federation.explain(SQL)
    assert plan.cells == 0
    assert plan.accuracy["n"] == pytest.approx(15.0)
    assert plan.delta == 1e-6
    assert any("not known beforehand: at most 9999 values" in note.text for note in plan.notes)
    assert federation.nodes["north"].runs == 0


def test_budgets_are_shown_with_the_whole_delta(simulate: Simulate) -> None:
    """What is left reads as the contract says it, not as what its half would make of it."""
    federation = simulate({"north": having(flu=100)}, **opted())
    (budget,) = federation.query(SQL).cost.budgets
    assert budget.limit_epsilon == pytest.approx(8, rel=1e-5)
    assert budget.spent_epsilon == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("sql", "documents", "reason", "words"),
    [
        (SQL.replace("diagnosis", "name"), {"found": ("diagnosis",)}, "NOT_AVAILABLE", "column"),
        ("SELECT count(*) FROM people GROUP BY diagnosis, district",
         {"found": ("diagnosis", "district")}, "INVALID_QUESTION", "one key"),
        (SQL, {"found": ("diagnosis",)}, "INVALID_QUESTION", "FROM department.people"),
        ("SELECT income, count(*) FROM people GROUP BY income", {}, "UNDECLARED_DOMAIN",
         "no declared domain"),
    ],
    ids=["above the clearance", "two such keys", "several departments", "not opted in"],
)  # fmt: skip
def test_refused_from_the_text_alone(
    simulate: Simulate, sql: str, documents: dict[str, Any], reason: str, words: str
) -> None:
    """Before data is touched, and free of charge."""
    federation = simulate(
        {"north": having(flu=100), "south": having(cold=100)}, documents=document(**documents)
    )
    with pytest.raises(LandbridgeError) as refused:
        federation.query(sql)
    assert refused.value.reason == reason
    assert words in str(refused.value)
    assert sum(node.runs for node in federation.nodes.values()) == 0


def test_a_node_refuses_several_departments_by_itself(simulate: Simulate) -> None:
    """Whatever the gateway says: it trusts none."""
    federation = simulate({"north": having(flu=100)}, **opted())
    node = federation.nodes["north"]
    federation.query(SQL)
    message = next(each for each in node.received if hasattr(each, "members"))
    message.members.append("south")
    message.asking.question_id = "f" * 32
    message = federation.signer.signing(message)("north")
    with pytest.raises(LandbridgeError) as refused:
        node.servicer.Answer(message, federation.node_context())
    assert refused.value.reason == "INVALID_QUESTION"


def _set(domain: Any, *values: str) -> None:
    del domain.values[:]
    for value in values:
        domain.values.add(text=value)


def _number(domain: Any) -> None:
    domain.values[0].integer = 3


def _nothing(domain: Any) -> None:
    domain.values[0].Clear()


def _null(domain: Any) -> None:
    domain.null_last = False


LIES: dict[str, Callable[[Any], None]] = {
    "unsorted": lambda domain: _set(domain, "flu", "cold"),
    "twice": lambda domain: _set(domain, "flu", "flu"),
    "one more": lambda domain: _set(domain, "cold", "flu", "x"),
    "one less": lambda domain: _set(domain, "cold"),
    "no text": _number,
    "no value": _nothing,
    "cannot be printed": lambda domain: _set(domain, "cold", "flu\x1b[2J"),
    "too long": lambda domain: _set(domain, "cold", "flu" * 100),
    "without NULL": _null,
}


@pytest.mark.parametrize("lie", LIES)
def test_values_that_cannot_be_are_rejected(simulate: Simulate, lie: str) -> None:
    """The gateway takes sorted, different, printable text with the right number of cells."""
    federation = simulate({"north": having(flu=300, cold=300)}, **opted())
    federation.nodes["north"].change = lambda reply: LIES[lie](reply.release.domains[0])
    with pytest.raises(Fault) as rejected:
        federation.query(SQL)
    assert rejected.value.reason == "ANSWER_REJECTED"


def test_more_values_than_there_is_room_for_are_rejected(simulate: Simulate) -> None:
    """With cells for each of them, too."""

    def grow(reply: Any) -> None:
        _set(reply.release.domains[0], "a", "b", "c")
        reply.release.measures[0].units.extend([1])

    federation = simulate({"north": having(flu=300, cold=300)}, **opted(landbridgeMaximumCells=3))
    assert len(federation.query(SQL).rows()) == 3
    federation.nodes["north"].change = grow
    with pytest.raises(Fault):
        federation.query(SQL.replace("count(*) AS n", "sum(age) AS n"))


def test_found_values_where_declared_ones_were_asked_for_are_rejected(simulate: Simulate) -> None:
    """An open axis is one that the plan has open."""
    federation = simulate({"north": having(flu=300, cold=300)}, **opted())
    federation.nodes["north"].change = lambda reply: _set(reply.release.domains[0], "F", "X")
    with pytest.raises(Fault):
        federation.query("SELECT sex, count(*) FROM people GROUP BY sex")

    def extra(reply: Any) -> None:
        reply.release.domains.add().values.add(text="flu")

    federation.nodes["north"].change = extra
    with pytest.raises(Fault):
        federation.query(SQL)


def test_only_a_selection_makes_a_release_with_found_values() -> None:
    """A value that did not pass has no way out: neither type can be made up."""
    plan, _ = planned(found())
    for open_or_closed in (plan, plan.closed(("X1",))):
        with pytest.raises(TypeError, match="selected first"):
            release(open_or_closed, [], draw)
    with pytest.raises(TypeError, match=r"only nodes\.selection\.select"):
        Selected(plan.closed(("X1",)), (0,), object())


@pytest.mark.parametrize(
    "row", [(None, "a", 1), (0, None, 1), (0, "a", 1.5), (0, "a"), (0, 3, 1), ("0", "a", 1)]
)
def test_an_engine_that_counts_strangely_fails_the_run(row: tuple[Any, ...]) -> None:
    """As everywhere, with the constant sentence."""
    plan, _ = planned(found())
    with pytest.raises(LandbridgeError) as failed:
        select(plan, [row], draw)
    assert failed.value.reason == "RUN_FAILED"
    with pytest.raises(LandbridgeError):
        select(plan, [(0, "a", 1), (1, "a", 1)], draw)
    selected = select(plan, [(5, "a", 900), (2, "b", 900)], draw)
    with pytest.raises(LandbridgeError):
        release(selected, [(3, 900)], draw)


def test_the_answer_does_not_depend_on_the_engine_s_order() -> None:
    """Rows come as a hash table gives them; codes are random."""
    plan, _ = planned(found())
    rows = [(n, f"v{n % 7}{n}", 500 + n) for n in range(50)]

    def nothing(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        del mechanism
        return list(cells)

    first = select(plan, rows, nothing)
    random.Random(1).shuffle(rows)
    assert select(plan, rows, nothing) == first
    assert [f"v{code % 7}{code}" for code in first.codes] == list(first.plan.axes[0].values)
