"""Pairwise masks: what one department sends is uniform, and the sum of all of them is the truth.

Section 1, step 5 of the protocols: any two members i < j of a pooled question share a key that only
they can make, i adds the stream of it and j subtracts it. All arithmetic is modulo 2^64.

Sources: K. Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning
(2017), section 4, without its recovery of dropouts: a round that loses a member is asked anew under
another question id. X25519 is RFC 7748, HKDF RFC 5869, ChaCha20 RFC 8439.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from landbridge.protocols.derivation import derived
from landbridge.protocols.streams import Words, words

HASH_BYTES: Final = 32
MODULUS: Final = 2**64


class Exchanges:
    """What X25519 gives one member with each other's key, made once per key.

    An exchange costs as much as masking a thousand cells. It depends on the two keys alone, so what
    is remembered under a key's own bytes is right for as long as it is remembered; `keep` forgets
    those of keys that are pinned no more. Threads may use it at the same time.
    """

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self._lock = threading.Lock()
        self._known: dict[bytes, bytes] = {}

    @property
    def public(self) -> X25519PublicKey:
        """The member's own public key."""
        return self._private.public_key()

    @property
    def remembered(self) -> frozenset[bytes]:
        """The keys, in bytes, of which the exchange is remembered."""
        return frozenset(self._known)

    def shared(self, public: X25519PublicKey) -> bytes:
        """The secret with the holder of that key; raises ValueError for a key of low order."""
        raw = public.public_bytes_raw()
        found = self._known.get(raw)
        if found is None:
            found = self._private.exchange(public)
            with self._lock:
                self._known[raw] = found
        return found

    def keep(self, pinned: Collection[bytes]) -> None:
        """Forgets the exchange with every key that is not among these."""
        with self._lock:
            self._known = {raw: found for raw, found in self._known.items() if raw in pinned}


def masked(
    cells: Words,
    member: str,
    exchanges: Exchanges,
    members: Mapping[str, X25519PublicKey],
    question_hash: bytes,
) -> Words:
    """The cells, modulo 2^64, under the masks of `member` towards all others.

    `members` are the X25519 keys of everybody who takes part, `member` included, as the pinned
    manifest has them; `question_hash` is 32 bytes and must never be used for two vectors. Raises
    ValueError for a hash of another length, for a member that does not take part, and for a key of
    low order.
    """
    if len(question_hash) != HASH_BYTES:
        raise ValueError("A question hash has 32 bytes.")
    if member not in members:
        raise ValueError("Only a member that takes part masks.")
    total = cells.copy()
    for other, public in members.items():
        if other == member:
            continue
        mask = keystream(exchanges.shared(public), question_hash, len(total))
        if member < other:
            total += mask
        else:
            total -= mask
    return total


def unmasked(vectors: Sequence[Words]) -> list[int]:
    """The sum of everybody's vectors, read as signed numbers: the masks cancel.

    It means something only where every member's vector is there; a sum that lacks one is uniform.
    Raises ValueError for vectors of several lengths, and for none.
    """
    if len({len(vector) for vector in vectors}) != 1:
        raise ValueError("Everybody's vector has the same length.")
    total = np.zeros(len(vectors[0]), dtype=np.uint64)
    for vector in vectors:
        total += vector
    found: list[int] = total.view(np.int64).tolist()
    return found


def keystream(shared: bytes, question_hash: bytes, count: int) -> Words:
    """`count` masks of two members, from what X25519 gives them both.

    The key makes one stream only: it is bound to the question's hash.
    """
    return words(derived(shared, b"pool" + question_hash), count)


def to_words(cells: Sequence[int]) -> Words:
    """Signed numbers of 64 bits, modulo 2^64; raises OverflowError for larger ones."""
    return np.array(cells, dtype=np.int64).view(np.uint64)


def to_bytes(vector: Words) -> bytes:
    """Eight bytes each, the least significant first."""
    return vector.astype("<u8", copy=False).tobytes()


def from_bytes(raw: bytes) -> Words:
    """What `to_bytes` wrote; raises ValueError where that is no whole number of numbers."""
    return np.frombuffer(raw, dtype="<u8").astype(np.uint64, copy=False)
