"""Whether what a department replied is what its handler declares; nothing else is passed on."""

from __future__ import annotations

import math

from gateway.catalogue import HandlerOffer
from landbridge.errors import error
from landbridge.v1 import batch_pb2, node_pb2
from policies.reply import Reply

Message = node_pb2.ReplyResponse | batch_pb2.HandlerReply


def reply_of(message: Message) -> Reply:
    """The reply in a node's message."""
    number = message.number if message.HasField("number") else None
    return Reply(message.code, tuple(message.reasons), number)


def require_fitting(department: str, offer: HandlerOffer, message: Message) -> None:
    """Raises ANSWER_REJECTED for a reply that the handler's declared type does not have."""
    reply = reply_of(message)
    if offer.returns == "number":
        low, high = offer.bounds
        number = reply.number
        fits = number is not None and math.isfinite(number) and low <= number <= high
        fits = fits and not reply.code
    else:
        fits = reply.number is None and reply.code in offer.codes
    if not fits or not set(reply.reasons) <= set(offer.reasons):
        raise error(
            "ANSWER_REJECTED",
            f"Department {department} sent a reply that its handler does not declare.",
            missing=(department,),
        )
