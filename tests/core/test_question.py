"""The algebra: one spelling per question, the same meaning in it, and bounds that hold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies.bounds import interval
from policies.canonical import canonical, text
from policies.question import All, Comparison, Expression, Not, Predicate, Question, Relation
from policies.review import review
from tests.core import reference, strategies
from tests.people import COLUMNS, TARGET, contract, crowd

CONTRACT = contract()
ROWS = [*crowd(60), TARGET, (1, None, "D1", 0, "M", 10_000_000, None, None, None, None)]
NAMED = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


@given(strategies.questions)
def test_the_canonical_form_is_its_own(question: Question) -> None:
    """Idempotence: a node can demand the canonical form and compare."""
    once = canonical(question, CONTRACT)
    assert canonical(once, CONTRACT) == once
    assert text(canonical(once, CONTRACT)) == text(once)


@given(strategies.predicates)
def test_rewriting_a_condition_changes_no_row(predicate: Predicate) -> None:
    """NULLs included: a row counts under the canonical form exactly when it did before."""
    question = Question("people", (), (), predicate)
    rewritten = canonical(question, CONTRACT).where
    assert rewritten is not None
    for row in NAMED:
        assert (reference.truth(predicate, row) is True) == (
            reference.truth(rewritten, row) is True
        )


@given(strategies.predicates, st.randoms())
def test_order_and_repetition_of_conditions_do_not_matter(
    predicate: Predicate, random: st.DataObject
) -> None:
    """Attack 45: the same conditions in any order and number are one question."""
    parts = [predicate, Comparison("age", Relation.GREATER, 3), Not(Not(predicate))]
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = Question("people", (), (), All(tuple(parts)))
    other = Question("people", (), (), All((All(tuple(shuffled)), parts[0])))
    assert canonical(one, CONTRACT) == canonical(other, CONTRACT)


@given(strategies.questions, strategies.questions)
def test_two_questions_with_one_text_are_one_question(one: Question, other: Question) -> None:
    """The text is what the memory is keyed by, so it must be unambiguous."""
    first, second = canonical(one, CONTRACT), canonical(other, CONTRACT)
    assert (text(first) == text(second)) == (first == second)


@given(strategies.expressions, st.sampled_from(NAMED))
def test_no_value_leaves_its_interval(expression: Expression, row: dict[str, object]) -> None:
    """Interval arithmetic is sound: sensitivity rests on it."""
    try:
        bounds = interval(expression, CONTRACT)
    except LandbridgeError as refused:
        assert refused.reason == "UNBOUNDED_EXPRESSION"  # noqa: PT017 - either outcome is right
        return
    found = reference.value(expression, row, CONTRACT)
    if found is not None:
        slack = 1e-9 * max(1.0, abs(bounds.low), abs(bounds.high))
        assert bounds.low - slack <= found <= bounds.high + slack
        assert bounds.low_units <= round(found / bounds.step) <= bounds.high_units
        assert not bounds.whole or float(found).is_integer()


@settings(max_examples=200)
@given(strategies.questions)
def test_a_reviewed_question_uses_only_what_the_caller_may_see(question: Question) -> None:
    """Whatever passes the review under a clearance has no column above it in any clause."""
    known = canonical(question, CONTRACT)
    try:
        usage = review(known, CONTRACT, Level.OPEN)
    except LandbridgeError:
        return
    assert all(CONTRACT.by_name[use.column].level <= Level.OPEN for use in usage.uses)


@pytest.mark.parametrize("clearance", list(Level))
@pytest.mark.parametrize("clause", ["select", "filter", "group"])
@pytest.mark.parametrize("column", COLUMNS)
def test_levels_hold_in_every_clause(column: str, clause: str, clearance: Level) -> None:
    """Column by column, clause by clause: at or under the clearance, and never the unit."""
    from policies.question import ColumnOf, Count, IsNull, Whole

    question = Question(
        "people",
        (Count(ColumnOf(column)) if clause == "select" else Count(),),
        (Whole(column),) if clause == "group" else (),
        IsNull(column) if clause == "filter" else None,
    )
    known = CONTRACT.by_name[column]
    try:
        review(canonical(question, CONTRACT), CONTRACT, clearance)
        refusal = ""
    except LandbridgeError as refused:
        refusal = refused.reason
    if clause == "select" and not known.nullable:
        assert refusal == ""  # counting what is never NULL is counting rows
    elif column == CONTRACT.unit:
        assert refusal == "LEVEL_FORBIDS"
    elif known.level > clearance:
        assert refusal == "NOT_AVAILABLE"
    elif clause == "group" and not known.domain:
        assert refusal == "UNDECLARED_DOMAIN"
    else:
        assert refusal == ""
