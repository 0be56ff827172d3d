"""What the members of a pooled question must all have in common, as one hash.

Masks are bound to it, so they cancel only where every member was asked the same question, at the
same price, for the same recipient, under the same terms, with the same others, whose keys it has
pinned itself. Whatever a gateway tells one member and not another changes the hash of one of them,
and the sum is then uniform. docs/pooled.md spells the bytes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from landbridge.membership.canonical import parts

_ROUND: Final = b"landbridge pooled v1"
_KEYS: Final = b"landbridge pooled keys v1"
_AGAIN: Final = b"landbridge pooled again v1"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a pooled question.

    `question` are the canonical bytes of the typed question, `terms` the digest of the contract in
    hex, `keys` of `keys_digest`. `repeats` is the hash of the round whose very vectors are sent
    again, empty for one that draws.
    """

    question: bytes
    question_id: str
    micro_epsilon: int
    recipient: str
    terms: str
    members: tuple[str, ...]
    keys: bytes
    repeats: bytes = b""

    @property
    def hash(self) -> bytes:
        """SHA-256, 32 bytes; raises ValueError for a question id that is not 16 bytes in hex."""
        identifier = bytes.fromhex(self.question_id)
        if len(identifier) != 16:
            raise ValueError("A question id has 16 bytes.")
        return sha256(
            parts(
                (
                    _ROUND,
                    self.question,
                    identifier,
                    self.micro_epsilon.to_bytes(8, "big"),
                    self.recipient.encode(),
                    self.terms.encode(),
                    parts(member.encode() for member in self.members),
                    self.keys,
                    self.repeats,
                )
            )
        ).digest()


def keys_digest(members: Mapping[str, X25519PublicKey]) -> bytes:
    """SHA-256 over the members' names and masking keys, in ascending order of names."""
    found = (
        part
        for name in sorted(members)
        for part in (name.encode(), members[name].public_bytes_raw())
    )
    return sha256(parts((_KEYS, *found))).digest()


def without(question_id: str, members: tuple[str, ...]) -> str:
    """The id under which a question is asked again of fewer members; the same at every retry."""
    named = (member.encode() for member in members)
    return sha256(parts((_AGAIN, bytes.fromhex(question_id), *named))).hexdigest()[:32]
