"""Sums without showing values: the shares add up, and what is sent is uniform."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.protocols.derivation import derived
from landbridge.protocols.product import (
    dealt,
    per_code,
    question,
    reply,
    share_of_a,
    share_of_g,
    signed,
)
from landbridge.protocols.streams import Words, words

VALUES = st.lists(st.tuples(st.booleans(), st.integers(-(2**40), 2**40), st.integers(0, 5)))


def shared(bits: Words, values: Words) -> tuple[Words, Words, Words, Words]:
    """One run of the protocol: both shares, and both messages."""
    seed_g, seed_a = secrets.token_bytes(32), secrets.token_bytes(32)
    deal = dealt(seed_g, seed_a, len(bits))
    first, second = question(bits, seed_g), reply(values, seed_a)
    ours = share_of_g(bits, second, seed_g)
    return ours, share_of_a(first, deal, seed_a), first, second


@settings(deadline=None)
@given(VALUES)
def test_the_shares_add_up_to_the_product(rows: list[tuple[bool, int, int]]) -> None:
    """Row by row, and over the rows of each code, for any values."""
    bits = np.array([bit for bit, _, _ in rows], dtype=np.uint64)
    values = np.array([value for _, value, _ in rows], dtype=np.int64).view(np.uint64)
    codes = np.array([code for _, _, code in rows], dtype=np.int64)
    g, a, _, _ = shared(bits, values)
    assert signed(g + a).tolist() == [bit * value for bit, value, _ in rows]
    totals = signed(per_code(g, codes, 6) + per_code(a, codes, 6))
    for code in range(6):
        assert totals[code] == sum(bit * value for bit, value, at in rows if at == code)


@pytest.mark.parametrize("kind", ["question", "reply"])
def test_what_is_sent_is_uniform(kind: str) -> None:
    """Chi-square over the top byte of 65,536 rows that are all alike; false alarm about 1e-6."""
    bits = np.ones(65_536, dtype=np.uint64)
    values = np.full(65_536, 812_345, dtype=np.uint64)
    _, _, first, second = shared(bits, values)
    sent = first if kind == "question" else second
    counts = np.bincount((sent >> np.uint64(56)).astype(np.int64), minlength=256)
    chi_square = float(((counts - 256) ** 2 / 256).sum())
    assert chi_square < 255 + 4.9 * np.sqrt(2 * 255) + 12


def test_neither_share_alone_says_anything() -> None:
    """Two runs over the same rows give shares that have nothing in common."""
    bits = np.ones(32, dtype=np.uint64)
    values = np.full(32, 7, dtype=np.uint64)
    one, other = shared(bits, values), shared(bits, values)
    assert not (one[0] == other[0]).any()
    assert not (one[1] == other[1]).any()


def test_a_side_that_sends_another_number_of_rows_is_refused() -> None:
    """Its sum would be over somebody else's rows."""
    seed_g, seed_a = secrets.token_bytes(32), secrets.token_bytes(32)
    bits = np.ones(3, dtype=np.uint64)
    with pytest.raises(ValueError, match="rows"):
        share_of_g(bits, reply(np.ones(2, dtype=np.uint64), seed_a), seed_g)
    with pytest.raises(ValueError, match="rows"):
        share_of_a(question(bits, seed_g), dealt(seed_g, seed_a, 4), seed_a)
    with pytest.raises(ValueError, match="code"):
        per_code(bits, np.array([0, 1, 6]), 6)


def test_streams_of_two_uses_are_unrelated() -> None:
    """One secret, two labels; and a seed of another length is no seed."""
    secret = secrets.token_bytes(32)
    one, other = words(derived(secret, b"id"), 64), words(derived(secret, b"dummy"), 64)
    assert not (one == other).any()
    with pytest.raises(ValueError, match="32 bytes"):
        words(b"short", 1)
