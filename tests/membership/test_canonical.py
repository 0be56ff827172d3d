"""Canonical bytes: what is signed and hashed is the same wherever it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.convert import question_to
from landbridge.membership.canonical import NotCanonical, canonical_bytes
from landbridge.v1 import node_pb2, question_pb2, release_pb2
from policies.question import Question
from tests.core import strategies


@given(strategies.questions, st.text(max_size=9), st.integers(0, 2**64 - 1))
def test_the_bytes_are_those_of_a_second_implementation(
    question: Question, purpose: str, price: int
) -> None:
    """The library's deterministic form is one of the encodings; ours is defined to be that one."""
    request = node_pb2.AnswerRequest(
        asking=node_pb2.Asking(purpose=purpose),
        question=question_to(question),
        micro_epsilon=price,
        members=["north", "south"],
    )
    assert canonical_bytes(request) == request.SerializeToString(deterministic=True)


@given(
    st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), max_size=6),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4),
)
def test_maps_negative_numbers_and_reals_too(arguments: dict[str, int], reals: list[float]) -> None:
    """A map has no order of its own on the wire; here it has."""
    request = node_pb2.ReplyRequest(
        arguments={name: question_pb2.Literal(integer=value) for name, value in arguments.items()}
    )
    read_back = node_pb2.ReplyRequest.FromString(canonical_bytes(request))
    assert read_back == request
    backwards = node_pb2.ReplyRequest()
    for name in sorted(arguments, reverse=True):
        backwards.arguments[name].integer = arguments[name]
    assert canonical_bytes(backwards) == canonical_bytes(request)
    packed = node_pb2.EstimateResponse(standard_deviations=reals)
    assert canonical_bytes(packed) == packed.SerializeToString(deterministic=True)


def test_bytes_by_hand() -> None:
    """A third implementation: the protobuf encoding guide and a pencil."""
    question = question_pb2.Question(contract="a", joined=["b"])
    number = question_pb2.Question.DESCRIPTOR.fields_by_name["joined"].number
    assert canonical_bytes(question) == b"\x0a\x01a" + bytes([number << 3 | 2]) + b"\x01b"
    assert canonical_bytes(question_pb2.Literal(integer=-2)) == b"\x08\x03"
    # A choice that is made counts, though its value is the default.
    assert canonical_bytes(question_pb2.Literal(integer=0)) == b"\x08\x00"
    assert canonical_bytes(release_pb2.Budget(spent_micro_rho=300)) == b"\x08\xac\x02"


def test_what_the_schema_does_not_know_has_no_bytes() -> None:
    """Nor has it at any depth, and neither has a number that is not finite."""
    for message in (
        node_pb2.AnswerRequest.FromString(b"\xfa\x07\x01x"),
        node_pb2.AnswerRequest(question=question_pb2.Question.FromString(b"\xfa\x07\x01x")),
        question_pb2.Literal(real=float("nan")),
        question_pb2.Literal(real=float("inf")),
    ):
        with pytest.raises(NotCanonical):
            canonical_bytes(message)
