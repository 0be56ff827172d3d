"""What members agree on is one hash of all of it, and every part counts."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from landbridge.protocols.agreement import Round, keys_digest, without

ROUND = Round(b"question", "0f" * 16, 1_000_000, "university", "ab" * 32, ("a", "b"), bytes(32))


def parts(*contents: bytes) -> bytes:
    """As docs/pooled.md says, written out by hand."""
    return b"".join(len(content).to_bytes(8, "big") + content for content in contents)


def test_the_hash_is_the_one_that_is_documented() -> None:
    """Byte by byte."""
    content = parts(
        b"landbridge pooled v1",
        b"question",
        b"\x0f" * 16,
        (1_000_000).to_bytes(8, "big"),
        b"university",
        b"ab" * 32,
        parts(b"a", b"b"),
        bytes(32),
        b"",
    )
    assert ROUND.hash == sha256(content).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"question": b"another"},
        {"question_id": "f0" * 16},
        {"micro_epsilon": 1_000_001},
        {"recipient": "institute"},
        {"terms": "ac" * 32},
        {"members": ("a", "c")},
        {"members": ("ab",)},
        {"keys": b"\x01" + bytes(31)},
        {"repeats": bytes(32)},
    ],
)
def test_whatever_differs_makes_another_hash(change: dict[str, Any]) -> None:
    """So that masks cancel among those only who were told the same."""
    assert replace(ROUND, **change).hash != ROUND.hash


def test_what_is_no_question_id_has_no_hash() -> None:
    """Sixteen bytes, neither more nor fewer."""
    with pytest.raises(ValueError, match="16 bytes"):
        _ = replace(ROUND, question_id="0f" * 15).hash


def test_keys_are_told_apart_by_holder_and_order_does_not_matter() -> None:
    """Two members that swap their keys are another set of members."""
    one, two = (X25519PrivateKey.generate().public_key() for _ in range(2))
    assert keys_digest({"a": one, "b": two}) == keys_digest({"b": two, "a": one})
    assert keys_digest({"a": one, "b": two}) != keys_digest({"a": two, "b": one})


def test_the_next_question_id_follows_from_the_first() -> None:
    """The same at every retry, another for every set of members."""
    first = without("0f" * 16, ("a", "b"))
    assert first == without("0f" * 16, ("a", "b"))
    assert len({first, without("0f" * 16, ("a",)), without("f0" * 16, ("a", "b"))}) == 3
    assert len(bytes.fromhex(first)) == 16
