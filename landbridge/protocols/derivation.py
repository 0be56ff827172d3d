"""Keys for one use each from a secret.

Loads nothing that computes with vectors: a node's start and its loader need it too.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 32


def derived(secret: bytes, info: bytes) -> bytes:
    """A key of 32 bytes for one use of a secret (HKDF-SHA256, RFC 5869, without salt)."""
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(secret)
