"""A typed question survives the wire; what is not one does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.convert import question_to
from landbridge.errors import LandbridgeError
from landbridge.v1 import node_pb2, question_pb2
from nodes.convert import question_from
from policies.question import Question
from tests.core import strategies


@given(strategies.questions)
def test_a_question_comes_back_as_it_was_sent(question: Question) -> None:
    """Encoded by the gateway, decoded by the node."""
    sent = question_to(question).SerializeToString()
    assert question_from(question_pb2.Question.FromString(sent)) == question


@given(strategies.questions, st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_no_change_on_the_way_is_anything_but_a_question_or_a_refusal(
    question: Question, place: int, change: bytes
) -> None:
    """Mutated bytes are another question of the algebra, or refused; never an exception else."""
    sent = bytearray(question_to(question).SerializeToString())
    place %= len(sent)
    sent[place : place + len(change)] = change
    message = question_pb2.Question()
    try:
        message.ParseFromString(bytes(sent))
    except Exception:  # noqa: BLE001 - protobuf's own refusal, before any code of ours
        return
    try:
        question_from(message)
    except LandbridgeError as refused:
        assert refused.reason == "INVALID_ARGUMENT"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "message",
    [
        question_pb2.Question(measures=[question_pb2.Measure()]),
        question_pb2.Question(measures=[question_pb2.Measure(sum=question_pb2.Sum())]),
        question_pb2.Question(where=question_pb2.Predicate()),
        question_pb2.Question(
            where=question_pb2.Predicate(
                comparison=question_pb2.Comparison(
                    column="a", literal=question_pb2.Literal(integer=1)
                )
            )
        ),
        question_pb2.Question(
            where=question_pb2.Predicate(membership=question_pb2.Membership(
                column="a", literals=[question_pb2.Literal()]
            ))
        ),
        question_pb2.Question(
            where=question_pb2.Predicate(comparison=question_pb2.Comparison(
                column="a",
                operator=question_pb2.Comparison.OPERATOR_LESS,
                literal=question_pb2.Literal(date=2**31 - 1),
            ))
        ),
    ],
)  # fmt: skip
def test_unset_choices_are_refused(message: question_pb2.Question) -> None:
    """Unknown means no."""
    with pytest.raises(LandbridgeError) as refused:
        question_from(message)
    assert refused.value.reason == "INVALID_ARGUMENT"


def test_a_field_that_a_newer_gateway_knows_is_refused() -> None:
    """A condition that this node would not see must not be dropped silently."""
    question = question_pb2.Question(contract="people")
    newer = question.SerializeToString() + b"\xfa\x07\x01x"  # field 127, one byte
    with pytest.raises(LandbridgeError, match="does not know"):
        question_from(question_pb2.Question.FromString(newer))
    assert node_pb2.AnswerRequest(question=question).HasField("question")
