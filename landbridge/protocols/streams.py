"""Numbers modulo 2^64 from a secret: ChaCha20 (RFC 8439) as a pseudo-random generator."""

from __future__ import annotations

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""A vector of numbers modulo 2^64; sums and products of such wrap, as they must."""
SECRET_BYTES: Final = 32
_START: Final = bytes(16)


def derived(secret: bytes, info: bytes) -> bytes:
    """A key of 32 bytes for one use of a secret (HKDF-SHA256, RFC 5869, without salt)."""
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(secret)


def words(seed: bytes, count: int) -> Words:
    """The first `count` numbers of the seed's stream; the seed has 32 bytes and is used once."""
    if len(seed) != SECRET_BYTES:
        raise ValueError("A seed has 32 bytes.")
    stream = Cipher(ChaCha20(seed, _START), mode=None).encryptor().update(bytes(8 * count))
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64, copy=False)


class WordStream:
    """A seed's numbers one batch after the other; what `words` gives at once."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_BYTES:
            raise ValueError("A seed has 32 bytes.")
        self._stream = Cipher(ChaCha20(seed, _START), mode=None).encryptor()

    def next(self, count: int) -> Words:
        """The next `count` numbers."""
        stream = self._stream.update(bytes(8 * count))
        return np.frombuffer(stream, dtype="<u8").astype(np.uint64)
