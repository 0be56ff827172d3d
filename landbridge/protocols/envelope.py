"""Sealed and signed: what one member gives another through a gateway that may only carry it.

The sender signs with Ed25519 over a label, the recipient's key and the ciphertext; the recipient
checks that against the pinned manifest before opening. HPKE (RFC 9180, base mode) with the hybrid
of ML-KEM-768 and X25519, HKDF-SHA256 and AES-256-GCM, as `cryptography` ships it.

`info` says what the envelope is for (a kind of message, the question's hash): one that is made for
something else opens nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from landbridge.errors import error
from landbridge.protocols.sealing import OpeningKey, SealingKey

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_LABEL: Final = b"landbridge envelope v1"
MAXIMUM_CONTENT: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels: the sealed content (encapsulated key first) and the sender's signature."""

    sealed: bytes
    signature: bytes


def seal(content: bytes, info: bytes, recipient: SealingKey, sender: Ed25519PrivateKey) -> Envelope:
    """The content for `recipient` alone, from `sender`; a new one at every call."""
    if len(content) > MAXIMUM_CONTENT:
        raise ValueError("An envelope holds at most 16 MiB.")
    sealed = _SUITE.encrypt(content, recipient.for_hpke(), info)
    return Envelope(sealed, sender.sign(_statement(info, recipient, sealed)))


def open_(
    envelope: Envelope, info: bytes, recipient: OpeningKey, sender: Ed25519PublicKey
) -> bytes:
    """The content.

    Raises ANSWER_REJECTED, always with the same sentence, for an envelope that is not from
    `sender`, not for `recipient`, not made for `info`, or changed on its way.
    """
    try:
        sender.verify(envelope.signature, _statement(info, recipient.sealing, envelope.sealed))
        return _SUITE.decrypt(envelope.sealed, recipient.for_hpke(), info)
    except (InvalidSignature, InvalidTag, ValueError):
        pass  # raised below, without a cause: which of them it was is nobody's business
    raise error("ANSWER_REJECTED", "A sealed message is not from its sender, or not for this step.")


def _statement(info: bytes, recipient: SealingKey, sealed: bytes) -> bytes:
    """What is signed; each part with its length, so that no two statements are spelt alike."""
    parts = (_LABEL, info, recipient.to_bytes(), sealed)
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def seal_unsigned(content: bytes, info: bytes, recipient: SealingKey) -> bytes:
    """The content for `recipient` alone, from nobody: what it says must prove itself.

    For contributors, who have no key that anybody pinned; all of it is bound to `info`.
    """
    return _SUITE.encrypt(content, recipient.for_hpke(), info)


def open_unsigned(sealed: bytes, info: bytes, recipient: OpeningKey) -> bytes:
    """The content; raises ValueError, whatever was wrong, and says nothing of what."""
    try:
        return _SUITE.decrypt(sealed, recipient.for_hpke(), info)
    except (InvalidTag, ValueError):
        pass
    raise ValueError("This is not sealed to this key for this use.")
