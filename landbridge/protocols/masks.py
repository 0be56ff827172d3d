"""Pairwise masks: what one department sends is uniform, and the sum of all of them is the truth.

Section 1, step 5 of the protocols: any two members i < j of a pooled question share a key that only
they can make, i adds the stream of it and j subtracts it. All arithmetic is modulo 2^64.

Sources: K. Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning
(2017), section 4, without its recovery of dropouts: a round that loses a member is asked anew under
another question id. X25519 is RFC 7748, HKDF RFC 5869, ChaCha20 RFC 8439.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HASH_BYTES: Final = 32
MODULUS: Final = 2**64
_NONCE: Final = bytes(16)
"""Block counter and nonce. A key makes one stream only: it is bound to the question's hash."""


def masked(
    cells: Sequence[int],
    member: str,
    private: X25519PrivateKey,
    members: Mapping[str, X25519PublicKey],
    question_hash: bytes,
) -> list[int]:
    """The cells, modulo 2^64, under the masks of `member` towards all others.

    `members` are the X25519 keys of everybody who takes part, `member` included, as the pinned
    manifest has them; `question_hash` is SHA-256 over question and question id, 32 bytes, and must
    never be used for two vectors. Raises ValueError for a hash of another length, for a member that
    does not take part, and for a key of low order.
    """
    if len(question_hash) != HASH_BYTES:
        raise ValueError("A question hash has 32 bytes.")
    if member not in members:
        raise ValueError("Only a member that takes part masks.")
    total = [cell % MODULUS for cell in cells]
    for other, public in members.items():
        if other == member:
            continue
        stream = keystream(private.exchange(public), question_hash, len(total))
        sign = 1 if member < other else -1
        total = [(cell + sign * mask) % MODULUS for cell, mask in zip(total, stream, strict=True)]
    return total


def unmasked(vectors: Sequence[Sequence[int]]) -> list[int]:
    """The sum of everybody's vectors, read as signed numbers: the masks cancel.

    It means something only where every member's vector is there; a sum that lacks one is uniform.
    """
    sums = (sum(parts) % MODULUS for parts in zip(*vectors, strict=True))
    return [cell - MODULUS if cell >= MODULUS // 2 else cell for cell in sums]


def keystream(shared: bytes, question_hash: bytes, count: int) -> memoryview:
    """`count` masks of two members, from what X25519 gives them both."""
    key = HKDF(SHA256(), 32, salt=None, info=b"pool" + question_hash).derive(shared)
    stream = Cipher(ChaCha20(key, _NONCE), mode=None).encryptor().update(bytes(8 * count))
    if sys.byteorder != "little":  # the wire's order, whatever the machine's
        stream = b"".join(stream[at : at + 8][::-1] for at in range(0, len(stream), 8))
    return memoryview(stream).cast("Q")
