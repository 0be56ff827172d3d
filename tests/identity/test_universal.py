"""Claims that hold for every token, not only for the listed ones."""

from __future__ import annotations

import base64
import json
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.identity.caller import Caller
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier

from .forge import AUDIENCE, ISSUER, Clock, Signer, b64, claims, compact, header, token, write_jwks

REASONS = {"TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_AUDIENCE"}
BASE64URL = string.ascii_letters + string.digits + "-_"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def judge(signers: dict[str, Signer]) -> Iterator[TokenVerifier]:
    """A verifier shared by all examples of a property; it already remembers a good token."""
    with tempfile.TemporaryDirectory() as folder:
        keys = KeySet.load(write_jwks(Path(folder) / "jwks.json", *signers.values()), Clock())
        verifier = TokenVerifier(ISSUER, AUDIENCE, keys, Clock())
        for signer in signers.values():
            verifier.verify(token(signer))
        yield verifier


def outcome(verifier: TokenVerifier, forged: str) -> Caller | str:
    """The caller or the reason; anything else that is raised fails the test."""
    try:
        return verifier.verify(forged)
    except LandbridgeError as refusal:
        reason = refusal.reason
    assert reason in REASONS
    return reason


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
@settings(deadline=None)
@given(data=st.data())
def test_any_change_of_one_character_is_refused(
    judge: TokenVerifier, signers: dict[str, Signer], algorithm: str, data: st.DataObject
) -> None:
    """Changed, dropped or doubled anywhere, by any byte or by another letter of the alphabet."""
    good = token(signers[algorithm])
    place = data.draw(st.integers(0, len(good) - 1))
    letter = data.draw(
        st.sampled_from(BASE64URL + ".") | st.characters(max_codepoint=255, categories=None)
    )
    forged = data.draw(
        st.sampled_from(
            [
                good[:place] + letter + good[place + 1 :],
                good[:place] + letter + good[place:],
                good[:place] + good[place + 1 :],
            ]
        )
    )
    if forged != good:
        assert outcome(judge, forged) == "TOKEN_INVALID"


def test_every_single_bit_of_the_signature_matters(
    judge: TokenVerifier, signers: dict[str, Signer]
) -> None:
    """Exhaustive where the property above samples: each bit of each signature, flipped."""
    for signer in signers.values():
        head, body, signature = token(signer).split(".")
        judge.verify(f"{head}.{body}.{signature}")
        sound = base64.urlsafe_b64decode(signature + "==")
        for bit in range(len(sound) * 8):
            flipped = bytearray(sound)
            flipped[bit // 8] ^= 1 << bit % 8
            assert outcome(judge, f"{head}.{body}.{b64(bytes(flipped))}") == "TOKEN_INVALID"


@settings(deadline=None)
@given(payload=values)
def test_no_signed_json_makes_the_verifier_fall_over(
    judge: TokenVerifier, ed: Signer, payload: object
) -> None:
    """A hostile or broken issuer gets refusals, never a fault; NaN and Infinity included."""
    assert isinstance(outcome(judge, compact(ed, header(ed), payload)), str)


@settings(deadline=None)
@given(changes=st.dictionaries(st.sampled_from([*claims(), "nbf", "cnf", "x"]), values, max_size=3))
def test_no_odd_claims_make_the_verifier_fall_over(
    judge: TokenVerifier, ed: Signer, changes: dict[str, object]
) -> None:
    """Almost good tokens reach the deeper checks; whoever passes has the types that we promise."""
    found = outcome(judge, compact(ed, header(ed), claims() | changes))
    if isinstance(found, Caller):
        texts = [found.subject, found.organisation, found.client, found.token_id, *found.purposes]
        assert all(0 < len(text) <= 200 and text.isprintable() for text in texts)
        assert type(found.expires) is float


@settings(deadline=None)
@given(payload=st.binary(max_size=200))
def test_no_signed_bytes_make_the_verifier_fall_over(
    judge: TokenVerifier, ed: Signer, payload: bytes
) -> None:
    """The payload need not be JSON, nor text."""
    assert outcome(judge, compact(ed, header(ed), payload)) == "TOKEN_INVALID"


@settings(deadline=None)
@given(head=st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "jwk"]), values) | values)
def test_no_header_makes_the_verifier_fall_over(
    judge: TokenVerifier, ed: Signer, head: object
) -> None:
    """Headers are judged before any signature, so anybody can send them."""
    assert outcome(judge, compact(ed, head, claims())) == "TOKEN_INVALID"


@settings(deadline=None)
@given(forged=st.text() | st.from_regex(r"[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){0,4}", fullmatch=True))
def test_no_text_makes_the_verifier_fall_over(judge: TokenVerifier, forged: str) -> None:
    """What comes in place of a token is refused, whatever it is."""
    assert outcome(judge, forged) == "TOKEN_INVALID"


@settings(deadline=None)
@given(name=st.sampled_from(sorted(claims())), value=values)
def test_no_claim_can_be_said_twice(
    judge: TokenVerifier, ed: Signer, name: str, value: object
) -> None:
    """Attack 89 for every claim and every second value, before or after the first."""
    whole = json.dumps(claims())[1:-1]
    second = f"{json.dumps(name)}:{json.dumps(value)}"
    for payload in (f"{{{whole},{second}}}", f"{{{second},{whole}}}"):
        assert outcome(judge, compact(ed, header(ed), payload.encode())) == "TOKEN_INVALID"
