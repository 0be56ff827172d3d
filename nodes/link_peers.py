"""The other departments of a linked question, by this department's own pin and nobody's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from landbridge.errors import error
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.protocols.derivation import SECRET_BYTES
from landbridge.protocols.envelope import Envelope, open_, seal


@dataclass(frozen=True, slots=True)
class Peers:
    """Seals to members and opens what members sealed; `keys` are this department's own."""

    department: str
    keys: MemberKeys
    manifest: Callable[[], Manifest]

    def member(self, department: str) -> MemberEntry:
        """As this department pinned it, whatever the gateway says; raises INVALID_ARGUMENT."""
        found = self.manifest().member(department)
        if found is None:
            raise error(
                "INVALID_ARGUMENT",
                f"Department {self.department} has no member {department} in its manifest.",
            )
        return found

    def seal(self, content: bytes, info: bytes, recipient: str) -> Envelope:
        """For that member alone, signed."""
        return seal(content, info, self.member(recipient).keys.sealing, self.keys.signing)

    def open(self, envelope: Envelope, info: bytes, sender: str) -> bytes:
        """What that member sealed for this department and this use; raises ANSWER_REJECTED."""
        return open_(envelope, info, self.keys.opening, self.member(sender).keys.signing)

    def secret(self, envelope: Envelope, info: bytes, sender: str) -> bytes:
        """The same, where it holds 32 bytes of randomness."""
        content = self.open(envelope, info, sender)
        if len(content) != SECRET_BYTES:
            raise error("ANSWER_REJECTED", "A sealed message holds no secret of 32 bytes.")
        return content
