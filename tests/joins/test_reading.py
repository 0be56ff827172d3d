"""JOIN as it is written: what is accepted, and where and why everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sql import read
from gateway.sql.words import MAXIMUM_JOINS, require_words
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies.canonical import text
from policies.contract import Contract
from tests.joins.visits import contracts

TABLES = {contract.id: contract for contract in contracts()}
ON_UNIT = "SELECT count(*) FROM people JOIN visits USING (person_id)"


def _resolve(table: str, department: str | None) -> Contract:
    del department
    return TABLES[table]


ACCEPTED = {
    ON_UNIT: "SELECT count(*) FROM people JOIN visits USING (unit)",
    'select COUNT(*) from visits as "v" inner join people p using ("person_id") where P.age > 17': (
        "SELECT count(*) FROM people JOIN visits USING (unit) WHERE people.age >= 18"
    ),
    "SELECT kind, sum(people.income) FROM d.people JOIN d.visits USING (person_id) GROUP BY kind": (
        "SELECT visits.kind, sum(people.income) FROM people JOIN visits USING (unit) "
        "GROUP BY visits.kind"
    ),
    "SELECT count(DISTINCT visits.person_id) FROM people JOIN visits USING (person_id)": (
        "SELECT count(DISTINCT unit) FROM people JOIN visits USING (unit)"
    ),
}


@pytest.mark.parametrize("asked", ACCEPTED)
def test_a_join_becomes_one_typed_question(asked: str) -> None:
    """Golden: what is written, and what crosses the wire in words."""
    assert text(read(asked, _resolve, Level.INTERNAL).question) == ACCEPTED[asked]


REFUSED = {
    # Text behind FROM, the column where it is refused, and a word of the message.
    "people LEFT JOIN visits USING (person_id)": (29, "LEFT"),
    "people RIGHT JOIN visits USING (person_id)": (29, "RIGHT"),
    "people FULL OUTER JOIN visits USING (person_id)": (29, "FULL"),
    "people ANTI JOIN visits USING (person_id)": (29, "ANTI"),
    "people SEMI JOIN visits USING (person_id)": (29, "SEMI"),
    "people CROSS JOIN visits": (29, "CROSS"),
    "people NATURAL JOIN visits": (29, "NATURAL"),
    "people ASOF JOIN visits USING (person_id)": (29, "ASOF"),
    "people POSITIONAL JOIN visits": (29, "POSITIONAL"),
    "people JOIN LATERAL visits USING (person_id)": (29, "no join"),
    "people JOIN visits ON people.age = visits.age": (29, "no join"),
    "people JOIN visits": (29, "no join"),
    "people JOIN visits USING person_id": (29, "no join"),
    "people JOIN visits USING (person_id, age)": (48, "protected unit only"),
    "people JOIN visits USING (a, b, c, d, e)": (29, "no join"),
    "people JOIN visits USING (people.person_id)": (29, "no join"),
    "people JOIN (visits) USING (person_id)": (29, "no join"),
    "people JOIN 'visits' USING (person_id)": (29, "no join"),
    "people JOIN visits JOIN visits USING (person_id) USING (person_id)": (29, "no join"),
    "(people JOIN visits USING (person_id))": (30, "no join"),
    "people INNER visits USING (person_id)": (29, "no join"),
    "people USING SAMPLE 1": (29, "no join"),
    "people, visits": (28, "commas"),
    "people WHERE age > 1 JOIN visits USING (person_id)": (43, "no join"),
    "people JOIN visits USING (age)": (48, "protected unit only"),
    "people JOIN people USING (person_id)": (34, "one name"),
    "people p JOIN people q USING (person_id)": (36, "with itself"),
    "d.people JOIN visits USING (person_id)": (36, "before each"),
    "a.people JOIN b.visits USING (person_id)": (36, "before each"),
    "people JOIN visits USING (person_id) WHERE age > 1": (65, "people.age or visits.age"),
    "people JOIN visits USING (person_id) WHERE v.kind = 'home'": (65, "people, visits"),
}


@pytest.mark.parametrize("source", REFUSED)
def test_every_other_join_is_refused_where_it_stands(source: str) -> None:
    """With a position, and a hint of what would pass."""
    column, why = REFUSED[source]
    with pytest.raises(LandbridgeError) as refused:
        read(f"SELECT count(*) FROM {source}", _resolve, Level.INTERNAL)
    said = refused.value
    assert said.reason == "INVALID_QUESTION"
    assert said.position is not None
    assert (said.position.line, said.position.column) == (1, column)
    assert why in f"{said.message} {said.hint}"
    assert said.hint


def test_a_column_called_like_another_kind_of_join_opens_no_way_to_it() -> None:
    """Names that SQL knows otherwise are names, and then the grammar's answer is still no."""
    for kind in ("left", "anti", "semi", "asof", "natural", "cross", "positional"):
        with pytest.raises(LandbridgeError) as refused:
            read(
                f"SELECT count(*) FROM people {kind} JOIN visits USING (person_id)",
                _resolve, Level.INTERNAL, {kind},
            )  # fmt: skip
        assert refused.value.reason == "INVALID_QUESTION"


def test_more_joins_than_are_answered_never_reach_the_parser() -> None:
    """Chained joins are what it stalls on."""
    many = ON_UNIT + " JOIN visits USING (person_id)" * MAXIMUM_JOINS
    with pytest.raises(LandbridgeError, match=f"more than {MAXIMUM_JOINS} joins"):
        require_words(many, frozenset())


_WORDS = (
    "SELECT", "count(*)", "FROM", "people", "visits", "JOIN", "INNER", "USING", "(person_id)", "(",
    ")", "person_id", ",", ".", "AS", "WHERE", "LEFT", "ON", "v", "GROUP BY", "1", "=",
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WORDS), max_size=12))
def test_whatever_is_put_together_is_read_or_refused(words: list[str]) -> None:
    """No text ends as a fault; what is read is a join of both tables or one of them."""
    try:
        reading = read(" ".join([ON_UNIT, *words]), _resolve, Level.INTERNAL)
    except LandbridgeError as refused:
        assert refused.reason in ("INVALID_QUESTION", "NOT_AVAILABLE", "LEVEL_FORBIDS")  # noqa: PT017 - either outcome is right
        return
    assert reading.question.contracts == ("people", "visits")
