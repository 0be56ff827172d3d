"""What a department signs about a group: its channels, and each notice.

Ed25519 with the department's key of the manifest, over a label and canonical bytes
(docs/members.md), so that a gateway can neither send a ballot elsewhere nor publish a notice.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landbridge.errors import error
from landbridge.membership.canonical import NotCanonical, canonical_bytes, parts
from landbridge.v1 import group_pb2

_GROUP: Final = b"landbridge group v1"
_NOTICE: Final = b"landbridge notice v1"


def sign_group(view: group_pb2.GroupView, key: Ed25519PrivateKey) -> group_pb2.SignedGroup:
    """The group as its department gives it out."""
    return group_pb2.SignedGroup(group=view, signature=key.sign(_signed(_GROUP, view)))


def sign_notice(notice: group_pb2.Notice, key: Ed25519PrivateKey) -> group_pb2.SignedNotice:
    """The notice as its department gives it out."""
    return group_pb2.SignedNotice(notice=notice, signature=key.sign(_signed(_NOTICE, notice)))


def require_group(signed: group_pb2.SignedGroup, key: Ed25519PublicKey) -> group_pb2.GroupView:
    """What the department with that key signed; raises ANSWER_REJECTED."""
    try:
        key.verify(signed.signature, _signed(_GROUP, signed.group))
    except (InvalidSignature, NotCanonical):
        raise error(
            "ANSWER_REJECTED", "The group is not signed by the department that owns it."
        ) from None
    return signed.group


def require_notice(signed: group_pb2.SignedNotice, key: Ed25519PublicKey) -> group_pb2.Notice:
    """What the department with that key signed; raises ANSWER_REJECTED."""
    try:
        key.verify(signed.signature, _signed(_NOTICE, signed.notice))
    except (InvalidSignature, NotCanonical):
        raise error(
            "ANSWER_REJECTED", "A notice is not signed by the department that owns the group."
        ) from None
    return signed.notice


def _signed(label: bytes, message: group_pb2.GroupView | group_pb2.Notice) -> bytes:
    return parts((label, canonical_bytes(message)))
