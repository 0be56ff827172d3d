"""An envelope opens for one recipient, from one sender, for one purpose, and nowhere else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.protocols.envelope import Envelope, open_, seal
from landbridge.protocols.sealing import OpeningKey, SealingKey

SENDER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
HERE, ELSEWHERE = OpeningKey.create(), OpeningKey.create()
INFO = b"link" + bytes(32)


def refused(envelope: Envelope, info: bytes = INFO, recipient: OpeningKey = HERE) -> str:
    """The sentence of the refusal."""
    with pytest.raises(LandbridgeError) as caught:
        open_(envelope, info, recipient, SENDER.public_key())
    assert caught.value.reason == "ANSWER_REJECTED"
    assert caught.value.__cause__ is None
    return caught.value.message


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=1_000), st.binary(max_size=100))
def test_what_is_sealed_is_opened(content: bytes, info: bytes) -> None:
    """Any content, any label."""
    envelope = seal(content, info, HERE.sealing, SENDER)
    assert open_(envelope, info, HERE, SENDER.public_key()) == content


def test_the_carrier_learns_only_the_length() -> None:
    """Two envelopes of one content have nothing in common."""
    first, second = (seal(b"\0" * 64, INFO, HERE.sealing, SENDER) for _ in range(2))
    assert first.sealed != second.sealed
    assert b"\0" * 16 not in first.sealed
    assert len(first.sealed) == len(second.sealed)


def test_every_other_use_of_an_envelope_gets_one_and_the_same_refusal() -> None:
    """Another question, another recipient, another sender: no word of which it was."""
    good = seal(b"secret", INFO, HERE.sealing, SENDER)
    forged = seal(b"secret", INFO, HERE.sealing, STRANGER)
    relabelled = Envelope(good.sealed, SENDER.sign(good.sealed))
    sentences = {
        refused(good, info=b"link" + b"\1" * 32),
        refused(good, recipient=ELSEWHERE),
        refused(forged),
        refused(relabelled),
        refused(Envelope(b"", b"")),
        refused(Envelope(good.sealed[:40], good.signature)),
    }
    assert len(sentences) == 1


def test_a_gateway_cannot_make_an_envelope_its_own() -> None:
    """Stripping the signature and signing anew shows in the sender's key."""
    good = seal(b"secret", INFO, HERE.sealing, SENDER)
    stolen = seal(b"x", INFO, HERE.sealing, STRANGER)
    assert refused(Envelope(good.sealed, stolen.signature))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_bit_passes(data: st.DataObject) -> None:
    """Anywhere in the sealed content or in the signature."""
    good = seal(b"secret", INFO, HERE.sealing, SENDER)
    whole = bytearray(good.sealed + good.signature)
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << place % 8
    cut = len(good.sealed)
    refused(Envelope(bytes(whole[:cut]), bytes(whole[cut:])))


def test_keys_come_back_from_their_bytes() -> None:
    """As the manifest and the key file hold them."""
    again = OpeningKey.from_bytes(HERE.to_bytes())
    public = SealingKey.from_bytes(HERE.sealing.to_bytes())
    assert open_(seal(b"x", INFO, public, SENDER), INFO, again, SENDER.public_key()) == b"x"
    for short in (b"", HERE.to_bytes()[:-1]):
        with pytest.raises(ValueError, match="bytes"):
            OpeningKey.from_bytes(short)
        with pytest.raises(ValueError, match="bytes"):
            SealingKey.from_bytes(short)
