"""Names that people have for one question: the same at every participant, and nowhere else.

Section 2 of the protocols, "Rows". A pseudonym is one block of AES-256 (FIPS 197), a permutation
under a key that the gateway does not have and that dies with the question; so pseudonyms of two
people never meet, and those of one person in two questions are unrelated.

The block is the id's canonical bytes, padded with zeros to 15, then their number; or, where they
are more than 15, the first 16 bytes of their SHA-256 with a last byte over 15, so that no short id
is spelt like a long one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

BLOCK: Final = 16
LONGEST: Final = 15
"""Bytes of an id that stand in its block as they are."""

Blocks = NDArray[np.uint8]
"""n blocks, shape (n, 16)."""


def canonical(value: int | str) -> bytes:
    """An id's one spelling: a whole number in decimals, text in UTF-8, as they are.

    A department that keeps numbers and one that keeps them as text mean the same person.
    """
    return str(value).encode() if isinstance(value, int) else value.encode()


def blocks(ids: Iterable[bytes]) -> Blocks:
    """The block of each id."""
    return np.frombuffer(b"".join(map(_block, ids)), dtype=np.uint8).reshape(-1, BLOCK)


def _block(canonical_id: bytes) -> bytes:
    if len(canonical_id) <= LONGEST:
        return canonical_id.ljust(LONGEST, b"\0") + bytes([len(canonical_id)])
    digest = hashlib.sha256(canonical_id).digest()
    return digest[:LONGEST] + bytes([digest[LONGEST] | 0x10])


def pseudonyms(of: Blocks, key: bytes) -> Blocks:
    """The pseudonym of each block, under a key of 32 bytes that is made for one question.

    Single blocks of a permutation, each id at most once a side: what makes ECB wrong for texts,
    that equal blocks stay equal, is what is wanted here.
    """
    if len(key) != 32:
        raise ValueError("A key of pseudonyms has 32 bytes.")
    encryptor = Cipher(AES256(key), ECB()).encryptor()  # noqa: S305 - see above
    sealed = encryptor.update(np.ascontiguousarray(of).tobytes()) + encryptor.finalize()
    return np.frombuffer(sealed, dtype=np.uint8).reshape(-1, BLOCK)


def in_order(of: Blocks) -> NDArray[np.intp]:
    """The places of the rows in the order of their pseudonyms; equal ones do not occur."""
    halves = np.ascontiguousarray(of).view(">u8").reshape(-1, 2)
    return np.lexsort((halves[:, 1], halves[:, 0]))


def matched(ours: Blocks, theirs: Blocks) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places in `ours` and in `theirs` of the pseudonyms that both have, both sides in order.

    Raises ValueError for a side that is out of order or has a pseudonym twice: it did not follow
    the protocol, and a count of its rows would be no count of people.
    """
    left, right = _keys(ours), _keys(theirs)
    at = np.searchsorted(right, left)
    found = at < len(right)
    found[found] = right[at[found]] == left[found]
    places = np.flatnonzero(found)
    return places, at[places]


def _keys(of: Blocks) -> np.ndarray:
    """The pseudonyms as values that compare like their bytes, checked to be strictly ascending."""
    keys = np.ascontiguousarray(of).view(f"S{BLOCK}").reshape(-1)
    halves = np.ascontiguousarray(of).view(">u8").reshape(-1, 2)
    high, low = halves[:-1], halves[1:]
    ascending = (high[:, 0] < low[:, 0]) | ((high[:, 0] == low[:, 0]) & (high[:, 1] < low[:, 1]))
    if not ascending.all():
        raise ValueError("Pseudonyms are out of order, or one of them is there twice.")
    return keys
