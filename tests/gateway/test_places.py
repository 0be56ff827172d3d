"""Values in places (?), and purpose and epsilon in comments, through the whole gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sql import read
from landbridge.errors import InvalidQuestion, LandbridgeError, Refused
from landbridge.levels import Level
from landbridge.literals import Value
from policies.canonical import text
from tests.people import PURPOSE, contract, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
COUNT = "SELECT count(*) AS n FROM people"


def asked(sql: str, *values: Value) -> str:
    """The typed question that a text with values asks, in words."""
    return text(read(sql, lambda *_: contract(), Level.INTERNAL, values=values).question)


@pytest.mark.parametrize(
    ("places", "values", "written"),
    [
        ("district = ?", ["D1"], "district = 'D1'"),
        ("age >= ?", [30], "age >= 30"),
        ("age >= ?", [-30], "age >= -30"),
        ("age - ? >= ?", [-3, 1], None),
        ("height < ?", [1.5], "height < 1.5"),
        ("height < ?", [1e-7], "height < 0.0000001"),
        ("height > ?", [-0.5], "height > -0.5"),
        ("member = ?", [True], "member = TRUE"),
        ("moved = ?", [date(2025, 2, 28)], "moved = DATE '2025-02-28'"),
        ("moved = ?", ["2025-02-28"], "moved = DATE '2025-02-28'"),
        ("moved = DATE ?", ["2025-02-28"], "moved = DATE '2025-02-28'"),
        ("district IN (?, ?)", ["D2", "D1"], "district IN ('D2', 'D1')"),
        ("district LIKE ?", ["D%"], "district LIKE 'D%'"),
        ("age BETWEEN ? AND ?", [30, 40], "age BETWEEN 30 AND 40"),
    ],
)
def test_a_value_is_what_its_literal_would_be(
    places: str, values: list[Value], written: str | None
) -> None:
    """So one canonical question, one memory and one charge, however it was asked."""
    if written is None:
        with pytest.raises(InvalidQuestion):
            asked(f"{COUNT} WHERE {places}", *values)
        return
    assert asked(f"{COUNT} WHERE {places}", *values) == asked(f"{COUNT} WHERE {written}")


@given(st.text(max_size=40))
def test_no_text_is_ever_anything_but_one_literal(value: str) -> None:
    """Quotes, comments and semicolons in a value are characters of it."""
    try:
        found = read(
            f"{COUNT} WHERE district = ? AND age > 3",
            lambda *_: contract(),
            Level.INTERNAL,
            values=[value],
        ).question
    except InvalidQuestion as refusal:
        assert "printed" in refusal.message  # noqa: PT017 - what else could it be refused for
        return
    quoted = value.replace("'", "''")
    plain = read(
        f"{COUNT} WHERE district = '{quoted}' AND age > 3", lambda *_: contract(), Level.INTERNAL
    )
    assert found == plain.question


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (COUNT, [1]),
        (f"{COUNT} WHERE age > ?", []),
        (f"{COUNT} WHERE age > ? AND age < ?", [1]),
        (f"{COUNT} WHERE age > ?", [float("nan")]),
        (f"{COUNT} WHERE age > ?", [float("inf")]),
        (f"{COUNT} WHERE district = ?", ["a\x00b"]),
        (f"{COUNT} WHERE district = ?", ["x" * 20_000]),
        ("SELECT count(*) FROM ?", ["people"]),
        ("SELECT ?", ["count(*)"]),
        (f"{COUNT} WHERE ?", ["1 = 1"]),
        (f"{COUNT} WHERE district = ? ?", ["a", "b"]),
        (f"{COUNT} WHERE age > $1", [1]),
        (f"{COUNT} WHERE age > :age", [1]),
    ],
)
def test_places_stand_for_values_and_nothing_else(sql: str, values: list[Value]) -> None:
    """No table, no column, no function, no condition can come in by a value."""
    with pytest.raises(InvalidQuestion):
        asked(sql, *values)


def test_a_place_is_refused_where_it_stands() -> None:
    """The value itself is nowhere in the text."""
    with pytest.raises(InvalidQuestion) as caught:
        asked(f"{COUNT}\nWHERE moved > ?", "old")
    assert str(caught.value.position) == "line 2, column 15"
    assert "old" not in str(caught.value)


def test_the_same_question_with_values_or_literals_is_charged_once(simulate: Simulate) -> None:
    """A second spelling would otherwise be a second look at a second draw."""
    federation = simulate({"north": crowd(50)})
    first = federation.query(f"{COUNT} WHERE district = 'D1' AND moved < DATE '2025-06-01'")
    again = federation.query(
        f"{COUNT} WHERE district = ? AND moved < ?", parameters=["D1", date(2025, 6, 1)]
    )
    assert again.rows() == first.rows()
    assert (first.cost.epsilon, again.cost.epsilon) == (1.0, 0.0)


def test_values_of_other_types_are_other_questions(simulate: Simulate) -> None:
    """1, 1.0 and TRUE are equal to Python; what was read for one must not serve another."""
    federation = simulate({"north": crowd(50)})
    federation.query(f"{COUNT} WHERE age = ?", parameters=[1])
    with pytest.raises(LandbridgeError):
        federation.query(f"{COUNT} WHERE age = ?", parameters=[True])
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    with pytest.raises(LandbridgeError):
        federation.query(f"{COUNT} WHERE age = ?", parameters=[moment])


def test_a_comment_states_purpose_and_epsilon(simulate: Simulate) -> None:
    """It is the whole statement for tools that can send nothing but SQL."""
    federation = simulate({"north": crowd(50)})
    answer = federation.query(f"/* purpose={PURPOSE}, epsilon=0.25 */ {COUNT}", purpose="")
    assert answer.cost.epsilon == pytest.approx(0.25)
    entry = federation.entries()[-1]
    assert (entry.outcome, entry.purpose) == ("answered", PURPOSE)
    plan_cost = federation.explain(f"{COUNT} /* epsilon=0.25 */").epsilon
    assert plan_cost == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("comment", "named", "reason"),
    [
        ("/* purpose=dpv:Marketing */", {}, "INVALID_ARGUMENT"),
        ("/* epsilon=0.5 */", {"epsilon": 0.25}, "INVALID_ARGUMENT"),
        ("/* budget=9 */", {}, "INVALID_ARGUMENT"),
        ("/* purpose=dpv:Marketing */", {"purpose": ""}, "PURPOSE_NOT_ALLOWED"),
        ("/* nothing */", {"purpose": ""}, "PURPOSE_MISSING"),
    ],
)
def test_a_comment_that_contradicts_or_is_not_understood_is_refused_and_logged(
    simulate: Simulate, comment: str, named: dict[str, Any], reason: str
) -> None:
    """Before any department is asked."""
    federation = simulate({"north": crowd(5)})
    with pytest.raises((InvalidQuestion, Refused)) as caught:
        federation.query(f"{comment} {COUNT}", **named)
    assert caught.value.reason == reason
    entry = federation.entries()[-1]
    assert (entry.outcome, entry.reason) == ("refused", reason)
    assert federation.nodes["north"].runs == 0
    assert entry.caller


def test_nobody_unknown_hears_what_is_wrong_with_a_comment(simulate: Simulate) -> None:
    """Who asks comes first, as for every other refusal."""
    federation = simulate({"north": crowd(5)})
    with pytest.raises(LandbridgeError) as caught:
        federation.query(f"/* budget=9 */ {COUNT}", token="not.a.token")
    assert caught.value.status == "UNAUTHENTICATED"
