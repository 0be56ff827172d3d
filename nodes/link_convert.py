"""Between the wire and this node's values of a linked question; generated types stop here."""

from __future__ import annotations

from landbridge.errors import error
from landbridge.v1 import link_pb2
from nodes.convert import question_from, refuse_unknown_fields
from policies import odcs
from policies.contract import Contract
from policies.linked import LinkedQuestion, Side

MAXIMUM_DOCUMENT = 256 * 1024


def linked_from(message: link_pb2.LinkedQuestion) -> LinkedQuestion:
    """The typed question; raises INVALID_ARGUMENT for anything outside the algebra."""
    refuse_unknown_fields(message)
    return LinkedQuestion(
        question_from(message.question),
        tuple(
            Side(side.department, _contract(side.document, place))
            for place, side in enumerate(message.sides)
        ),
        tuple(message.key),
        message.micro_epsilon,
    )


def _contract(document: bytes, place: int) -> Contract:
    """Another owner's contract is what the gateway shows; it is read as strictly as one's own."""
    try:
        if len(document) <= MAXIMUM_DOCUMENT:
            return odcs.read(document, f"side {place + 1}")
    except odcs.ContractInvalid:
        pass  # its words are about another department's document
    raise error("INVALID_ARGUMENT", "A contract in the linked question cannot be read.")
