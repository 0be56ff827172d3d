"""A pseudonym stands for one person in one question, and for nothing outside it."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.protocols.pseudonyms import blocks, canonical, in_order, matched, pseudonyms

KEY = bytes(range(32))
IDS = st.lists(st.one_of(st.text(max_size=30), st.integers()).map(canonical), unique=True)


def named(ids: list[bytes], key: bytes = KEY) -> np.ndarray:
    """The ids' pseudonyms in order."""
    found = pseudonyms(blocks(ids), key)
    return found[in_order(found)]


@settings(deadline=None)
@given(IDS)
def test_no_two_people_share_a_block(ids: list[bytes]) -> None:
    """Short and long ids, with zeros at their ends, digits and words."""
    assert len({bytes(block) for block in blocks(ids)}) == len(ids)


@settings(deadline=None)
@given(IDS, IDS)
def test_joining_pseudonyms_is_joining_people(ours: list[bytes], theirs: list[bytes]) -> None:
    """As many as both have, each found at both of its places."""
    left, right = named(ours), named(theirs)
    at_left, at_right = matched(left, right)
    assert len(at_left) == len(set(ours) & set(theirs))
    assert [bytes(b) for b in left[at_left]] == [bytes(b) for b in right[at_right]]


def test_numbers_and_texts_of_them_are_one_person() -> None:
    """Departments keep ids in different types."""
    assert canonical(4711) == canonical("4711") == b"4711"


def test_two_questions_have_unrelated_pseudonyms() -> None:
    """Nothing joins, and the order of one says nothing of the order of the other."""
    ids = [canonical(n) for n in range(2_000)]
    one, other = (pseudonyms(blocks(ids), secrets.token_bytes(32)) for _ in range(2))
    assert not {bytes(b) for b in one} & {bytes(b) for b in other}
    first, second = (np.argsort(in_order(side)).astype(float) for side in (one, other))
    # Under independence the rank correlation is normal with deviation 1/sqrt(n): 5 of them.
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 5 / np.sqrt(2_000)


def test_the_pseudonym_is_the_published_cipher() -> None:
    """FIPS 197, appendix C.3: AES-256 of one block."""
    plain = np.frombuffer(bytes.fromhex("00112233445566778899aabbccddeeff"), dtype=np.uint8)
    found = pseudonyms(plain.reshape(1, 16), KEY)
    assert found.tobytes().hex() == "8ea2b7ca516745bfeafc49904b496089"


def test_a_side_that_did_not_follow_the_protocol_is_refused() -> None:
    """Out of order, or one person twice."""
    good = named([canonical(n) for n in range(5)])
    for bad in (good[::-1], good[[0, 0, 1]]):
        with pytest.raises(ValueError, match="order"):
            matched(bad, good)
        with pytest.raises(ValueError, match="order"):
            matched(good, bad)
    with pytest.raises(ValueError, match="32 bytes"):
        pseudonyms(blocks([b"x"]), b"short")


def test_an_empty_side_joins_nothing() -> None:
    """A department without a single row in the filter."""
    none, some = named([]), named([b"x"])
    for pair in ((none, some), (some, none), (none, none)):
        assert [len(side) for side in matched(*pair)] == [0, 0]
