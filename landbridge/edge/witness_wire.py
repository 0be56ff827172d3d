"""A witness's reply as it crosses the wire between members."""

from __future__ import annotations

from landbridge.evidence.witness_memory import Reply
from landbridge.v1 import witness_pb2


def reply_to(reply: Reply) -> witness_pb2.AddCheckpointResponse:
    """The message of a reply."""
    return witness_pb2.AddCheckpointResponse(
        status=reply.status, body=reply.body, checkpoint=reply.checkpoint
    )


def reply_from(message: witness_pb2.AddCheckpointResponse) -> Reply:
    """The reply in a message; nothing of it is believed yet."""
    return Reply(message.status, message.body, message.checkpoint)
