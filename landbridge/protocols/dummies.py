"""Noise as people who do not exist: how many of them each joint cell of a linked question gets.

Section 2 of the protocols. All participants derive the same numbers from a secret that the gateway
does not have, so that their dummies join like people and the gateway only ever counts noisy cells.

The number is t + X cut to [0, 2t], X a discrete Laplace variable of scale b: P(X = x) is
proportional to exp(-|x| / b) (A. Ghosh, T. Roughgarden, M. Sundararajan, Universally
Utility-Maximizing Privacy Mechanisms, 2009). Cutting gives up at most P(|X| > t) = delta. The
distribution is finite, so it is drawn from a table of its cumulative weights, exactly to 2^-120.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import accumulate
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

BITS: Final = 128
MAXIMUM_REACH: Final = 100_000
"""Largest t; more dummies than that in one cell no answer is worth."""
_DIGITS: Final = 60


def reach(scale: float, delta: float) -> int:
    """The smallest t with P(|X| > t) <= delta for the discrete Laplace variable of that scale.

    P(|X| > t) = 2 q^(t+1) / (1 + q) with q = exp(-1 / scale).
    """
    if not (scale > 0 and 0 < delta < 1):
        raise ValueError("A scale is positive, and delta lies between 0 and 1.")
    with localcontext() as context:
        context.prec = _DIGITS
        q = (-1 / Decimal(scale)).exp()
        needed = (Decimal(delta) * (1 + q) / 2).ln() / q.ln() - 1
        found = max(0, int(needed.to_integral_value(rounding="ROUND_CEILING")))
    if found > MAXIMUM_REACH:
        raise ValueError("So much noise would take more dummies than a linked question carries.")
    return found


def counts(secret: bytes, cells: int, scale: float, t: int) -> list[int]:
    """How many dummies each cell gets, from 0 to 2t; the same for everybody with the secret.

    `secret` is 32 bytes, made for this question alone.
    """
    table = _table(scale, t)
    stream = _stream(secret)
    return [bisect_right(table, next(stream)) for _ in range(cells)]


def _stream(secret: bytes) -> Iterator[int]:
    """Uniform numbers below 2^128 (ChaCha20, RFC 8439)."""
    generator = Cipher(ChaCha20(secret, bytes(16)), mode=None).encryptor()
    while True:
        yield int.from_bytes(generator.update(bytes(BITS // 8)), "little")


@lru_cache(maxsize=64)
def _table(scale: float, t: int) -> tuple[int, ...]:
    """Upper ends, below 2^128, of the first 2t of the 2t + 1 outcomes."""
    if not 0 <= t <= MAXIMUM_REACH:
        raise ValueError("The reach of the noise is outside what a linked question carries.")
    with localcontext() as context:
        context.prec = _DIGITS
        q = (-1 / Decimal(scale)).exp()
        weights = [(1 - q) / (1 + q) * q ** abs(x) for x in range(-t, t + 1)]
        # What lies outside [-t, t] counts as its ends.
        beyond = q ** (t + 1) / (1 + q)
        weights[0] += beyond
        weights[-1] += beyond
        ends = [int(total * (1 << BITS)) for total in accumulate(weights)]
    return tuple(ends[:-1])
