"""Many bit vectors against many value vectors, batch by batch: the three-party product as it runs.

`landbridge.protocols.product` defines one multiplication. Here the gateway G asks with J bit
vectors (one per group of the other departments), the owner A answers with V value vectors, and the
dealer B deals for all J x V products. Two things are arranged otherwise than there, and neither
changes what anybody sees:

- What cannot be drawn from a seed is `gamma = alpha * beta - delta`, and it goes to G, which is one
  hop from B, instead of delta to A, which would have to be sealed and carried. A, too, gets a seed
  alone.
- One alpha hides a bit vector for all V products and one beta a value vector for all J: every
  product has a delta of its own, so that every gamma is uniform to G.

Each seed makes one stream per vector, read from the start to the end exactly once.
"""

from __future__ import annotations

import numpy as np

from landbridge.protocols.derivation import derived
from landbridge.protocols.streams import Words, WordStream


class Dealer:
    """B: makes gamma for the rows that come next."""

    def __init__(self, seed_g: bytes, seed_a: bytes, questions: int, vectors: int) -> None:
        self._alpha = _streams(seed_g, b"alpha", questions)
        self._beta = _streams(seed_a, b"beta", vectors)
        self._delta = _streams(seed_a, b"delta", questions * vectors)

    def next(self, rows: int) -> Words:
        """gamma, shape (J, V, rows)."""
        alpha = _next(self._alpha, rows)
        beta = _next(self._beta, rows)
        delta = _next(self._delta, rows).reshape(len(self._alpha), len(self._beta), rows)
        return alpha[:, None, :] * beta[None, :, :] - delta


class Asker:
    """G: hides its bits."""

    def __init__(self, seed_g: bytes, questions: int) -> None:
        self._alpha = _streams(seed_g, b"alpha", questions)

    def next(self, column: np.ndarray) -> Words:
        """What goes to A, shape (J, rows).

        Row r has its bit in question `column[r]`, -1 for none.
        """
        asked = _next(self._alpha, len(column))
        rows = np.flatnonzero(column >= 0)
        asked[column[rows], rows] += np.uint64(1)
        return asked


class Owner:
    """A: hides its values, and keeps its share of every product."""

    def __init__(self, seed_a: bytes, questions: int, vectors: int) -> None:
        self._beta = _streams(seed_a, b"beta", vectors)
        self._delta = _streams(seed_a, b"delta", questions * vectors)
        self._questions = questions

    def next(self, asked: Words, values: Words) -> tuple[Words, Words]:
        """What goes to G, shape (V, rows), and A's shares, shape (J, V, rows)."""
        rows = values.shape[1]
        beta = _next(self._beta, rows)
        delta = _next(self._delta, rows).reshape(self._questions, len(beta), rows)
        return values + beta, delta - asked[:, None, :] * beta[None, :, :]


def chosen(column: np.ndarray, codes: np.ndarray, answered: Words, shape: tuple[int, int]) -> Words:
    """G's part that its bits pick out, summed: shape (C, J, V) for shape (C, J).

    Every row's answer counts for its own code of C and for the question of J that has its bit.
    """
    rows = np.flatnonzero(column >= 0)
    places = codes[rows].astype(np.int64) * shape[1] + column[rows]
    return np.stack(
        [per_code(vector[rows], places, shape[0] * shape[1]) for vector in answered], axis=-1
    ).reshape(*shape, len(answered))


def per_code(shares: Words, codes: np.ndarray, count: int) -> Words:
    """Sums modulo 2^64 over the rows of each code from 0 to `count` - 1.

    In two halves of 32 bits: their sums over a batch are exact in a double.
    """
    if len(shares) > BATCH:
        raise ValueError("A batch is too long for exact sums.")
    low = np.bincount(codes, (shares & np.uint64(0xFFFFFFFF)).astype(np.float64), count)
    high = np.bincount(codes, (shares >> np.uint64(32)).astype(np.float64), count)
    total: Words = low.astype(np.uint64) + (high.astype(np.uint64) << np.uint64(32))
    return total


BATCH = 1 << 20
"""Rows; 2^20 halves of 32 bits add up to less than 2^53."""


def per_code_of_all(shares: Words, codes: np.ndarray, count: int) -> Words:
    """Of shape (J, V, rows): sums of shape (C, J, V)."""
    questions, vectors, rows = shares.shape
    if count == 1:
        whole: Words = shares.sum(axis=2, dtype=np.uint64)
        return whole.reshape(1, questions, vectors)
    flat = shares.reshape(-1, rows)
    return np.stack([per_code(each, codes, count) for each in flat], axis=-1).reshape(
        count, questions, vectors
    )


def _streams(seed: bytes, use: bytes, count: int) -> list[WordStream]:
    return [WordStream(derived(seed, use + number.to_bytes(4, "big"))) for number in range(count)]


def _next(streams: list[WordStream], rows: int) -> Words:
    return np.stack([stream.next(rows) for stream in streams]).reshape(len(streams), rows)
