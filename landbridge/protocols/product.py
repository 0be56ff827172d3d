"""The inner product of a bit vector and a value vector that two parties keep from each other.

Section 2 of the protocols, "Sums without showing values". The gateway G holds b (the row is in the
intersection), a department A holds v (the row's value), and a third party B deals random numbers
and sees no row. All arithmetic is modulo 2^64. What G and A send each other is uniform to its
reader, and their shares add up to b v, row by row.

Source: D. Beaver, Commodity-based cryptography (1997): a dealer's correlated randomness for one
multiplication. Each seed is for one vector of one question and never used again.
"""

from __future__ import annotations

import numpy as np

from landbridge.protocols.streams import Words, words


def dealt(seed_g: bytes, seed_a: bytes, rows: int) -> Words:
    """B: what A gets beside its seed, `alpha * beta - gamma`; G gets `seed_g` alone."""
    alpha, gamma = _of_g(seed_g, rows)
    return alpha * words(seed_a, rows) - gamma


def question(bits: Words, seed_g: bytes) -> Words:
    """G to A: the bits, hidden by alpha."""
    alpha, _ = _of_g(seed_g, len(bits))
    return bits + alpha


def reply(values: Words, seed_a: bytes) -> Words:
    """A to G: the values, hidden by beta."""
    return values + words(seed_a, len(values))


def share_of_g(bits: Words, replied: Words, seed_g: bytes) -> Words:
    """G's share of every product; raises ValueError where A's reply has another length."""
    _require_length(bits, replied)
    _, gamma = _of_g(seed_g, len(bits))
    return bits * replied + gamma


def share_of_a(asked: Words, deal: Words, seed_a: bytes) -> Words:
    """A's share of every product; raises ValueError where G's question has another length."""
    _require_length(deal, asked)
    return deal - asked * words(seed_a, len(deal))


def per_code(shares: Words, codes: np.ndarray, count: int) -> Words:
    """Sums modulo 2^64 over the rows of each code from 0 to `count` - 1."""
    if len(codes) != len(shares) or (
        len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < count
    ):
        raise ValueError("Every row has one code of those that there are.")
    order = np.argsort(codes, kind="stable")
    totals = np.zeros(count + 1, dtype=np.uint64)
    # Differences of a running sum wrap as the sum does, so that nothing is lost.
    running = np.concatenate(
        [np.zeros(1, dtype=np.uint64), np.cumsum(shares[order], dtype=np.uint64)]
    )
    ends = np.searchsorted(codes[order], np.arange(count), side="right")
    totals[1:] = running[ends]
    return np.diff(totals)


def signed(total: Words) -> np.ndarray:
    """A sum of shares as signed numbers, right where the true sum fits 63 bits."""
    return total.view(np.int64)


def _of_g(seed_g: bytes, rows: int) -> tuple[Words, Words]:
    both = words(seed_g, 2 * rows)
    return both[:rows], both[rows:]


def _require_length(ours: Words, theirs: Words) -> None:
    if len(ours) != len(theirs):
        raise ValueError("The other side's vector has another number of rows.")
