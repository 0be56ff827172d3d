"""A linked question on the wire; generated types stop here."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.convert import question_to
from landbridge.v1 import link_pb2
from policies.linked import LinkedQuestion


def linked_to(question: LinkedQuestion, documents: Mapping[str, bytes]) -> link_pb2.LinkedQuestion:
    """The wire form; `documents` are the contracts' own texts by department."""
    return link_pb2.LinkedQuestion(
        question=question_to(question.question),
        sides=[
            link_pb2.LinkedSide(department=side.department, document=documents[side.department])
            for side in question.sides
        ],
        key=question.key,
        micro_epsilon=question.micro_epsilon,
    )
