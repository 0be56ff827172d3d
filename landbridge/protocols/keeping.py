"""What a gateway has others keep for it: sealed by itself, for itself.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, under a key that HKDF-SHA256 (RFC
5869) derives from the gateway's own secret for this use alone. So a gateway that lost its disk, or
a replica with the same secret, opens it again, and whoever keeps it learns its length.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from landbridge.errors import error
from landbridge.protocols.derivation import derived

_INFO: Final = b"landbridge kept answer v1"
_NONCE: Final = 12


class Keeper:
    """Seals and opens; `secret` are 32 bytes that nobody but the gateway and its replicas has."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(derived(secret, _INFO))

    def seal(self, content: bytes, about: bytes) -> bytes:
        """The content, which opens only as what is said of `about`."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """The content; raises ANSWER_REJECTED for what was not sealed here, or about another."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
        except (InvalidTag, ValueError):
            raise error("ANSWER_REJECTED", "What was kept for the gateway does not open.") from None
