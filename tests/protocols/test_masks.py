"""What a department sends in a pooled question is noise to everybody, and the sum is the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from landbridge.protocols.masks import (
    MODULUS,
    Exchanges,
    keystream,
    masked,
    to_words,
    unmasked,
)
from landbridge.protocols.streams import Words

QUESTION = bytes(range(32))
NAMES = ("ewr", "faa", "jfk", "lga", "noaa")
KEYS = {name: X25519PrivateKey.generate() for name in NAMES}


def public(names: tuple[str, ...]) -> Mapping[str, X25519PublicKey]:
    """The part of a manifest that masks need."""
    return {name: KEYS[name].public_key() for name in names}


def sending(cells: Sequence[int], name: str, names: tuple[str, ...] = NAMES) -> Words:
    """What that member sends."""
    return masked(to_words(cells), name, Exchanges(KEYS[name]), public(names), QUESTION)


@given(st.data(), st.integers(1, len(NAMES)), st.integers(0, 40))
def test_the_masks_cancel_in_the_sum(data: st.DataObject, members: int, cells: int) -> None:
    """For any vectors, also negative ones, as long as the sum fits 63 bits."""
    names = NAMES[:members]
    vector = st.lists(st.integers(-(2**59), 2**59), min_size=cells, max_size=cells)
    true = {name: data.draw(vector) for name in names}
    sent = [
        masked(to_words(true[name]), name, Exchanges(KEYS[name]), public(names), QUESTION)
        for name in names
    ]
    assert unmasked(sent) == [sum(column) for column in zip(*true.values(), strict=True)]


def test_a_missing_member_leaves_nothing_that_could_be_read() -> None:
    """The gateway drops the round: what is left is still masked towards who is missing."""
    sent = [
        masked(to_words([5] * 64), name, Exchanges(KEYS[name]), public(NAMES), QUESTION)
        for name in NAMES[:-1]
    ]
    left = unmasked(sent)
    assert all(abs(cell) > 2**40 for cell in left)  # false alarm: 64 x 2^-23, under 1e-5


def test_a_masked_vector_is_uniform() -> None:
    """Chi-square of the top byte over 65,536 masked zeros, 255 degrees: false alarm 1e-6."""
    sent = masked(
        to_words([0] * 65_536), "ewr", Exchanges(KEYS["ewr"]), public(NAMES[:2]), QUESTION
    )
    counts = [0] * 256
    for cell in sent.tolist():
        counts[cell >> 56] += 1
    chi_square = sum((count - 256) ** 2 / 256 for count in counts)
    # Wilson and Hilferty's normal approximation, at 4.75 standard deviations.
    assert ((chi_square / 255) ** (1 / 3) - (1 - 2 / (9 * 255))) / math.sqrt(2 / (9 * 255)) < 4.75


def test_two_questions_have_unrelated_masks() -> None:
    """The key is bound to the question's hash: the difference of two sendings tells nothing."""
    other = bytes(31) + b"\x01"
    first, second = (
        masked(to_words([7] * 32), "ewr", Exchanges(KEYS["ewr"]), public(NAMES[:2]), question)
        for question in (QUESTION, other)
    )
    differences = {(int(a) - int(b)) % MODULUS for a, b in zip(first, second, strict=True)}
    assert len(differences) == 32


def test_both_ends_make_the_same_stream() -> None:
    """And a third member makes another."""
    names = NAMES[:3]
    ends = [
        KEYS[a].exchange(KEYS[b].public_key())
        for a, b in ((names[0], names[1]), (names[1], names[0]), (names[0], names[2]))
    ]
    first, second, third = (list(keystream(end, QUESTION, 4)) for end in ends)
    assert first == second != third


def test_the_stream_is_the_one_that_the_protocol_says() -> None:
    """HKDF and ChaCha20 written out by hand, from RFC 5869 and RFC 8439."""
    shared = bytes(range(32, 64))
    assert list(keystream(shared, QUESTION, 20)) == by_hand(shared, QUESTION, 20)


def by_hand(shared: bytes, question_hash: bytes, count: int) -> list[int]:
    """The stream, computed without the library."""
    import hmac
    import struct

    extracted = hmac.digest(bytes(32), shared, "sha256")
    key = hmac.digest(extracted, b"pool" + question_hash + b"\x01", "sha256")
    stream = b""
    for block in range(-(-8 * count // 64)):
        state = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key)]
        state += [block, 0, 0, 0]
        working = list(state)
        for _ in range(10):
            for a, b, c, d in (
                (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
            ):  # fmt: skip
                for add, xor, turn in ((b, d, 16), (d, b, 12), (b, d, 8), (d, b, 7)):
                    into, from_ = (a, add) if xor == d else (c, add)
                    working[into] = (working[into] + working[from_]) % 2**32
                    mixed = working[xor] ^ working[into]
                    working[xor] = (mixed << turn | mixed >> (32 - turn)) % 2**32
        block_out = ((w + s) % 2**32 for w, s in zip(working, state, strict=True))
        stream += struct.pack("<16I", *block_out)
    return list(struct.unpack(f"<{count}Q", stream[: 8 * count]))


def test_what_is_no_question_hash_or_no_member_is_refused() -> None:
    """A mask under a wrong label would be a mask used twice."""
    with pytest.raises(ValueError, match="32 bytes"):
        masked(to_words([1]), "ewr", Exchanges(KEYS["ewr"]), public(NAMES), b"short")
    with pytest.raises(ValueError, match="takes part"):
        masked(to_words([1]), "nobody", Exchanges(KEYS["ewr"]), public(NAMES), QUESTION)


def test_a_key_of_low_order_is_refused() -> None:
    """It would give a mask that everybody knows (RFC 7748, section 6.1)."""
    keys = {**public(NAMES[:1]), "evil": X25519PublicKey.from_public_bytes(bytes(32))}
    with pytest.raises(ValueError, match="shared key"):
        masked(to_words([1]), "ewr", Exchanges(KEYS["ewr"]), keys, QUESTION)


def test_an_exchange_is_made_once_and_forgotten_with_its_key() -> None:
    """A member's new key gets an exchange of its own, and the old secret does not stay behind."""
    own = Exchanges(KEYS["ewr"])
    old, new = KEYS["jfk"].public_key(), KEYS["lga"].public_key()
    assert own.shared(old) == own.shared(old) == KEYS["jfk"].exchange(KEYS["ewr"].public_key())
    assert own.remembered == {old.public_bytes_raw()}
    own.keep({new.public_bytes_raw()})
    assert own.remembered == frozenset()
    assert own.shared(new) != own.shared(old)
