"""Numbers modulo 2^64 from a secret: ChaCha20 (RFC 8439) as a pseudo-random generator."""

from __future__ import annotations

from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from landbridge.protocols.derivation import SECRET_BYTES

Words = NDArray[np.uint64]
"""A vector of numbers modulo 2^64; sums and products of such wrap, as they must."""
_START: Final = bytes(16)


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
