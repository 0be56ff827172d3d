"""For a question that is refused, `explain` says which one near it would pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.nearest import MAXIMUM_TRIES, nearest
from gateway.sql.pieces import cut
from landbridge.errors import InvalidQuestion, LandbridgeError, Passing, Refused, error
from tests.people import crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]

REPAIRED = [
    # What is refused, and what is left of it.
    (
        "SELECT district, name, count(*) AS n FROM people GROUP BY district, name ORDER BY n DESC",
        "SELECT district, count(*) AS n FROM people GROUP BY district ORDER BY n DESC",
    ),
    (
        "SELECT count(*) FROM people WHERE person_id = 4711 AND age BETWEEN 20 AND 30",
        "SELECT count(*) FROM people WHERE age BETWEEN 20 AND 30",
    ),
    (
        "SELECT list(name), count(*) FROM people WHERE hash(name) = 3 AND age > 3",
        "SELECT count(*) FROM people WHERE age > 3",
    ),
    ("SELECT sum(district), sex, count(*) FROM people GROUP BY 2",
     "SELECT count(district), sex, count(*) FROM people GROUP BY 2"),
    ("SELECT string_agg(name, ','), sex, count(*) FROM people GROUP BY 2 ORDER BY 3",
     "SELECT sex, count(*) FROM people GROUP BY 1 ORDER BY 2"),
    ("SELECT * FROM people;", "SELECT count(*) FROM people"),
    (
        "SELECT sex, count(*) FROM people WHERE sex = 'F' OR hash(name) = 1 GROUP BY sex",
        "SELECT sex, count(*) FROM people GROUP BY sex",
    ),
    ("SELECT count(*) FROM people GROUP BY rollup(sex)", "SELECT count(*) FROM people"),
    (
        "SELECT width_bucket(age, 0, 100, 4000) AS b, count(*) FROM people GROUP BY b",
        "SELECT width_bucket(age, 0, 100, 1000) AS b, count(*) FROM people GROUP BY b",
    ),
]  # fmt: skip


def refused(federation: FederationSimulator, sql: str, epsilon: float = 0) -> LandbridgeError:
    """What explaining it raises."""
    with pytest.raises(LandbridgeError) as caught:
        federation.explain(sql, epsilon=epsilon)
    return caught.value


@pytest.mark.parametrize(("asked", "passing"), REPAIRED)
def test_the_nearest_passing_question_keeps_what_was_right(
    simulate: Simulate, asked: str, passing: str
) -> None:
    """Only what is refused goes, and what is suggested does pass."""
    federation = simulate({"north": crowd(20)}, contract={"maximum_cells": 2_000})
    assert refused(federation, asked).passing == Passing(passing)
    assert federation.explain(passing).cells


def test_an_epsilon_outside_the_contract_s_range_is_put_into_it(simulate: Simulate) -> None:
    """The text is right, so it stays; the epsilon is the nearest allowed one."""
    federation = simulate({"north": crowd(20)})
    sql = "SELECT count(*) FROM people"
    most = refused(federation, sql, epsilon=50.0).passing
    assert most is not None
    assert (most.sql, most.epsilon) == (sql, 4.0)
    least = refused(federation, sql, epsilon=0.001).passing
    assert least is not None
    assert least.epsilon == 0.01
    assert federation.explain(sql, epsilon=4.0).epsilon == 4.0


@pytest.mark.parametrize(
    "sql",
    ["SELECT count(*) FROM nowhere", "DROP TABLE people", "SELECT count(*) FROM (SELECT 1)", "';"],
)
def test_nothing_is_suggested_where_nothing_near_would_pass(simulate: Simulate, sql: str) -> None:
    """Without a table there is no question."""
    assert refused(simulate({"north": crowd(5)}), sql).passing is None


def test_a_purpose_is_not_mended_by_a_shorter_text(simulate: Simulate) -> None:
    """The search does not even begin."""
    federation = simulate({"north": crowd(5)})
    refusal = refused_for(federation, "dpv:Marketing")
    assert refusal.reason == "PURPOSE_NOT_ALLOWED"
    assert refusal.passing is None


def refused_for(federation: FederationSimulator, purpose: str) -> LandbridgeError:
    """The refusal of a plain count for that purpose."""
    with pytest.raises(Refused) as caught:
        federation.explain("SELECT count(*) FROM people", purpose=purpose)
    return caught.value


def test_a_suggestion_touches_no_data_and_leaves_one_entry(simulate: Simulate) -> None:
    """However many texts were tried, only the refusal of what was asked is in the log."""
    federation = simulate({"north": crowd(20)})
    before = len(federation.log.entries)
    refused(federation, REPAIRED[0][0])
    assert [entry.outcome for entry in federation.log.entries[before:]] == ["refused"]
    assert federation.nodes["north"].runs == 0
    assert not federation.nodes["north"].log.entries


def test_only_explain_searches(simulate: Simulate) -> None:
    """A refused question itself is refused at once."""
    federation = simulate({"north": crowd(20)})
    with pytest.raises(LandbridgeError) as caught:
        federation.query(REPAIRED[0][0])
    assert caught.value.passing is None


def test_the_search_ends() -> None:
    """A text that nothing repairs costs a bounded number of plans."""
    tries = []

    def never(sql: str, _micro_epsilon: int) -> object:
        tries.append(sql)
        raise error("TOO_MANY_CELLS")

    columns = ", ".join(f"a{n}" for n in range(40))
    sql = f"SELECT {columns}, count(*) FROM t WHERE a = 1 AND b = 2 GROUP BY {columns}"
    assert nearest(sql, 0, error("TOO_MANY_CELLS"), never) is None  # type: ignore[arg-type]
    assert 1 < len(tries) <= MAXIMUM_TRIES


@given(st.text(max_size=200))
def test_any_text_can_be_cut_or_not(text: str) -> None:
    """No text makes cutting fail, and what was put together can be cut again alike."""
    pieces = cut(text)
    if pieces is not None:
        assert cut(pieces.text()) == pieces


PARTS = st.sampled_from(
    ["SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "a", "b", ",", "(", ")",
     "AND", "OR", "BETWEEN", "CASE", "WHEN", "THEN", "END", "1", "'x'", "AS", "count", "*", "=",
     "width_bucket", "date_trunc", "'day'", "\n", "-- c\n"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=40))
def test_pieces_of_any_words_stay_in_order(words: list[str]) -> None:
    """Every change gives a text that is cut into the changed pieces again, or says less."""
    pieces = cut("SELECT a, count(*) FROM t WHERE " + " ".join(words))
    if pieces is None:
        return
    for price, smaller in pieces.smaller():
        assert price > 0
        assert smaller != pieces
        assert len(smaller.text()) <= len(pieces.text()) + 20


def test_the_refusal_arrives_with_its_suggestion() -> None:
    """It stands on the exception that callers catch."""
    assert error("INVALID_QUESTION").passing is None
    assert isinstance(error("INVALID_QUESTION"), InvalidQuestion)
