"""Less of a question, and its spelling: what an officer offers is what a caller can ask."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.convert import question_to
from gateway.spelling import spelt
from gateway.sql import read
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from nodes.convert import narrowed_to, question_from
from policies.canonical import canonical, key_text, measure_text, text
from policies.consultation import Lifts, Scope, Standing, State, Terms
from policies.narrowing import Less, narrowed
from policies.question import Prefix, Question, conditions
from policies.review import review
from tests.core import strategies
from tests.people import contract as people

PEOPLE = people()
NAMES = frozenset({"north", "people", *PEOPLE.by_name})


@given(strategies.questions)
def test_a_spelt_question_reads_as_the_same_question(question: Question) -> None:
    """Key by key, measure by measure, condition by condition: a grant for it holds."""
    asked = _answerable(question)
    # LIKE 'prefix%' takes no prefix with a sign of its own, and no empty one.
    leaves = [] if asked.where is None else list(conditions(asked.where))
    assume(
        not any(
            isinstance(leaf, Prefix) and (not leaf.text or set(leaf.text) & set("%_\\"))
            for leaf in leaves
        )
    )
    sql = spelt(question_to(asked), PEOPLE, "north")
    assume(len(sql) < 9_000 and sql.isprintable())
    found = read(sql, lambda *_: PEOPLE, Level.RESTRICTED, NAMES)
    assert text(found.question) == text(asked)
    assert found.department == "north"


@given(strategies.questions, st.data())
def test_less_is_always_less_and_survives_the_wire(question: Question, data: st.DataObject) -> None:
    """What is left was there before; the node's message and the pure value are one question."""
    asked = _answerable(question)
    keys = [key_text(key) for key in asked.group_by]
    measures = [measure_text(measure) for measure in asked.measures]
    without = data.draw(st.lists(st.sampled_from([*keys, *measures]), min_size=1, unique=True))
    assume(not set(measures) <= set(without))
    less = narrowed(asked, PEOPLE, Less(tuple(without)))
    assert {key_text(key) for key in less.group_by} == set(keys) - set(without)
    assert {measure_text(measure) for measure in less.measures} == set(measures) - set(without)
    assert less.where == asked.where
    message = question_to(asked)
    narrowed_to(message, less)
    assert text(question_from(message)) == text(less)
    assert message == question_to(less)


def _answerable(question: Question) -> Question:
    """The question in its one spelling, where the contract can answer it."""
    asked = canonical(question, PEOPLE)
    try:
        review(asked, PEOPLE, Level.RESTRICTED)
    except LandbridgeError:
        assume(False)
    return asked


MOVES = ("approve", "other", "narrow", "accept", "ask", "reply", "decline", "withdraw", "silence")


@given(
    st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 100)), max_size=30),
    st.integers(1, 3),
    st.sampled_from(["", "director"]),
)
def test_nothing_is_approved_but_by_enough_officers(
    moves: list[tuple[str, int]], reviewers: int, further: str
) -> None:
    """Whatever both sides do, in whatever order, and however long anybody is silent."""
    terms = Terms(reviewers, 10, escalates_to=further)
    standing, now, turns = Standing.opened(terms, 0.0), 0.0, [0]
    for move, hours in moves:
        now += hours * 360
        before = standing
        try:
            match move:
                case "approve" | "other":
                    standing = standing.approve(move, Scope(), now)
                case "narrow":
                    standing = standing.narrow("approve", Scope(), now)
                case "silence":
                    standing = standing.silence(now) or standing
                case "decline" | "withdraw":
                    standing = getattr(standing.on(standing.turn), move)()
                case _:
                    standing = getattr(standing, move)(now)
        except LandbridgeError as refusal:
            known = refusal.reason in ("CONSULTATION_CHANGED", "CONSULTATION_CLOSED")
            assert known
            assert standing is before
            continue
        turns.append(standing.turn)
        if standing.state is State.APPROVED and standing is not before:
            assert len(set(standing.approvals)) == len(standing.approvals) >= reviewers
            assert move in ("approve", "other", "accept")
        assert (standing.due == 0) == standing.state.closed
        if before.state.closed:
            assert standing is before
    assert turns == sorted(turns)


@pytest.mark.parametrize(
    ("needed", "granted", "enough"),
    [
        (Lifts(), Lifts(), True),
        (Lifts(Level.RESTRICTED), Lifts(Level.RESTRICTED), True),
        (Lifts(Level.RESTRICTED), Lifts(Level.INTERNAL), False),
        (Lifts(Level.INTERNAL), Lifts(), False),
        (Lifts(purpose=True), Lifts(access=True), False),
        (Lifts(access=True), Lifts(access=True, purpose=True), True),
    ],
)
def test_a_grant_covers_what_it_names(needed: Lifts, granted: Lifts, *, enough: bool) -> None:
    """Each of the three by itself."""
    assert needed.within(granted) is enough


def test_what_the_question_does_not_have_is_named() -> None:
    """A key that the question does not have is named, and nothing is guessed."""
    asked = canonical(
        read("SELECT sex, count(*) FROM people GROUP BY sex", lambda *_: PEOPLE, Level.OPEN,
             NAMES).question,
        PEOPLE,
    )  # fmt: skip
    with pytest.raises(LandbridgeError, match="has no 'age'"):
        narrowed(asked, PEOPLE, Less(("age",)))
