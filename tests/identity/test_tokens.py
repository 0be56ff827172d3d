"""Attacks on the header, the key and the signature of a token."""

from __future__ import annotations

import json
import socket
from typing import NoReturn

import pytest

from landbridge.identity.caller import Caller
from landbridge.identity.tokens import TokenVerifier
from landbridge.levels import Level

from .forge import NOW, Signer, b64, claims, compact, ed25519_signer, header, hmac_signer, token
from .refusal import assert_refused


def test_a_good_token_of_each_algorithm_names_its_caller(
    verifier: TokenVerifier, signer: Signer
) -> None:
    """The positive control: without it every refusal below would prove nothing."""
    assert verifier.verify(token(signer)) == Caller(
        subject="alice",
        organisation="harbour-office",
        client="notebook",
        clearance=Level.RESTRICTED,
        purposes=frozenset({"planning", "research"}),
        token_id="t-1",
        expires=NOW + 3600.0,
    )


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_media_types_are_compared_without_case(
    verifier: TokenVerifier, ed: Signer, typ: str
) -> None:
    """RFC 7515 leaves the case of media types open, and some issuers write them long."""
    assert verifier.verify(compact(ed, header(ed, typ=typ), claims())).subject == "alice"


@pytest.mark.parametrize(
    "typ",
    ["JWT", "jwt", "", " at+jwt", "at+jwt ", "at+jwt\0", "at+jwt;v=1", "at+\uff4awt", 7, None],
)
def test_another_kind_of_token_is_no_access_token(
    verifier: TokenVerifier, ed: Signer, typ: object
) -> None:
    """Attack 88: an ID token of the same issuer is meant for the client, not for us."""
    assert_refused(verifier, compact(ed, header(ed, typ=typ), claims()))


@pytest.mark.parametrize("missing", ["alg", "typ", "kid"])
def test_a_header_lacks_nothing(verifier: TokenVerifier, ed: Signer, missing: str) -> None:
    """Attack 88: PyJWT would accept a token without typ."""
    head = header(ed)
    del head[missing]
    assert_refused(verifier, compact(ed, head, claims()))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", "eddsa", "HS256", "ES256", "PS256"])
def test_the_header_cannot_choose_the_algorithm(
    verifier: TokenVerifier, ed: Signer, name: str, verifications: list[str]
) -> None:
    """Attack 85: a header that names another algorithm than the key's reaches no key at all."""
    assert_refused(verifier, compact(ed, header(ed, alg=name), claims()))
    assert verifications == []


@pytest.mark.parametrize("algorithm", [None, 7, True, ["EdDSA"], {"EdDSA": 1}])
def test_an_algorithm_is_a_text(verifier: TokenVerifier, ed: Signer, algorithm: object) -> None:
    """Attack 85: a list that contains the right name is not the right name."""
    assert_refused(verifier, compact(ed, header(ed, alg=algorithm), claims()))


def test_an_unsigned_token_is_refused(verifier: TokenVerifier, ed: Signer) -> None:
    """Attack 85: alg none with an empty signature, with and without its last dot."""
    head = b64(json.dumps(header(ed, alg="none")).encode())
    body = b64(json.dumps(claims()).encode())
    for forged in (f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.AA"):
        assert_refused(verifier, forged)


def test_a_public_key_is_no_shared_secret(verifier: TokenVerifier, signer: Signer) -> None:
    """Attack 85: HS256 keyed with what everybody can read, under the kid of the real key."""
    secrets = [
        b"",
        json.dumps(signer.jwk).encode(),
        json.dumps(signer.jwk, separators=(",", ":")).encode(),
        str(signer.jwk.get("x", signer.jwk.get("n"))).encode(),
        signer.pem,
        signer.pem.strip(),
    ]
    for secret in secrets:
        forger = hmac_signer(signer.kid, secret)
        assert_refused(verifier, token(forger))
        assert_refused(verifier, compact(forger, header(forger, alg=signer.alg), claims()))


def test_a_key_signs_under_its_own_id_only(
    verifier: TokenVerifier, signers: dict[str, Signer]
) -> None:
    """Attack 85: each trusted key, presented under the id or the algorithm of each other one."""
    for one in signers.values():
        for other in signers.values():
            if one is not other:
                assert_refused(verifier, compact(one, header(other), claims()))
                assert_refused(verifier, compact(one, header(one, kid=other.kid), claims()))
                assert_refused(verifier, compact(one, header(one, alg=other.alg), claims()))


def test_a_stranger_with_our_kid_is_refused(verifier: TokenVerifier) -> None:
    """A kid is a name, and anybody can write it."""
    assert_refused(verifier, token(ed25519_signer("ed-1")))


def _no_connection(*_: object) -> NoReturn:
    raise AssertionError("a token made us open a connection")


@pytest.mark.parametrize(
    "kid",
    [
        "../../dev/null",
        "/dev/null",
        "' OR 1",
        "",
        "ED-1",
        "ed-1\0",
        "ed-1 ",
        7,
        True,
        None,
        ["ed-1"],
        {"ed-1": 1},
        "k" * 5_000,
        "k" * 65_536,
        "https://evil.example/key",
        "\ud800",
    ],
    ids=lambda kid: ascii(kid)[:20],
)
def test_a_key_id_is_a_name_in_the_set_and_nothing_else(
    verifier: TokenVerifier,
    ed: Signer,
    kid: object,
    monkeypatch: pytest.MonkeyPatch,
    verifications: list[str],
) -> None:
    """Attack 86: key ids that are paths, queries, addresses, numbers or very long."""
    monkeypatch.setattr(socket.socket, "connect", _no_connection)
    assert_refused(verifier, compact(ed, header(ed, kid=kid), claims()))
    assert verifications == []


@pytest.mark.parametrize(
    "extra",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"jwk": ed25519_signer("own").jwk},
        {"crit": []},
        {"crit": ["exp"], "exp": NOW + 3600},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"Alg": "EdDSA"},
        {"": ""},
    ],
    ids=lambda extra: "+".join(extra),
)
def test_a_header_holds_nothing_else(
    verifier: TokenVerifier,
    ed: Signer,
    extra: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attack 86: members that bring a key along, or change what the signature covers."""
    monkeypatch.setattr(socket.socket, "connect", _no_connection)
    assert_refused(verifier, compact(ed, header(ed) | extra, claims()))


def test_an_unencoded_payload_is_refused(verifier: TokenVerifier, ed: Signer) -> None:
    """Attack 86: RFC 7797, signed over the bare payload, and detached."""
    head = b64(json.dumps(header(ed, b64=False, crit=["b64"])).encode())
    body = json.dumps(claims()).encode()
    signature = b64(ed.sign(head.encode() + b"." + body))
    for middle in ("", b64(body), body.decode()):
        assert_refused(verifier, f"{head}.{middle}.{signature}")


def test_a_key_that_the_token_brings_along_is_not_used(verifier: TokenVerifier) -> None:
    """Attack 86: self-signed, with the matching key in the header."""
    own = ed25519_signer("ed-1")
    assert_refused(verifier, compact(own, header(own, jwk=own.jwk), claims()))


@pytest.mark.parametrize(
    "head",
    [
        b'{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"ed-1"}',
        b'{"alg":"EdDSA","typ":"JWT","typ":"at+jwt","kid":"ed-1"}',
        b'{"alg":"EdDSA","typ":"at+jwt","kid":"ed-1","kid":"ed-1"}',
        b'{"alg":"EdDSA","typ":"at+jwt","kid":"x","\\u006bid":"ed-1"}',
    ],
)
def test_a_header_member_stands_once(verifier: TokenVerifier, ed: Signer, head: bytes) -> None:
    """Attack 89: validly signed, and read one way by us and another way by somebody else."""
    assert_refused(verifier, compact(ed, head, claims()))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"null",
        b"[]",
        b'"EdDSA"',
        b"7",
        b"{",
        b"{}",
        b"\xff",
        b'\xef\xbb\xbf{"alg":"EdDSA","typ":"at+jwt","kid":"ed-1"}',
        '{"alg":"EdDSA","typ":"at+jwt","kid":"ed-1"}'.encode("utf-16"),
        b'{"alg":"EdDSA","typ":"at+jwt","kid":"ed-1"} {}',
        b'{"alg":"EdDSA","typ":"at+jwt","kid":"ed-1",}',
        b"[" * 5_000,
        b'{"a":' * 1_000,
    ],
    ids=lambda head: repr(head[:16]),
)
def test_a_header_is_one_json_object(verifier: TokenVerifier, ed: Signer, head: bytes) -> None:
    """Nothing that only a lenient parser takes, and nothing that makes a parser fall over."""
    assert_refused(verifier, compact(ed, head, claims()))


@pytest.mark.parametrize("forged", ["", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "ab" * 9])
def test_what_is_no_token_at_all_is_refused(verifier: TokenVerifier, forged: str) -> None:
    """Text of any other shape."""
    assert_refused(verifier, forged)


@pytest.mark.parametrize("odd", ["=", "\n", " ", "\0", ".", "é", "\ud800", "\uff21", "+", "/"])
def test_nothing_may_stand_before_between_or_after(
    verifier: TokenVerifier, ed: Signer, odd: str
) -> None:
    """Padding, blanks and foreign letters that a lenient base64 decoder skips."""
    good = token(ed)
    head, body, signature = good.split(".")
    for forged in (
        odd + good,
        good + odd,
        f"{head}{odd}.{body}.{signature}",
        f"{head}.{odd}{body}.{signature}",
        f"{head}.{body}.{odd}{signature}",
    ):
        assert_refused(verifier, forged)


def test_a_token_has_one_spelling(verifier: TokenVerifier, ed: Signer) -> None:
    """Bits that base64 leaves over: 86 characters spell 64 bytes in 16 ways, one is accepted."""
    good = token(ed)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(good[-1])
    assert len(good.rsplit(".", 1)[1]) == 86
    for left_over in range(16):
        spelling = good[:-1] + alphabet[(last & 0b110000) | left_over]
        if spelling != good:
            assert_refused(verifier, spelling)


def test_a_token_longer_than_8_kib_is_refused_before_it_is_read(
    verifier: TokenVerifier, ed: Signer, verifications: list[str]
) -> None:
    """Length is judged first: the longest that passes is verified, one more is not looked at."""
    room = 8192 - len(token(ed, note=""))
    padding = room * 3 // 4
    while len(token(ed, note="n" * (padding + 1))) <= 8192:
        padding += 1
    longest = token(ed, note="n" * padding)
    assert 8190 <= len(longest) <= 8192
    verifier.verify(longest)
    assert verifications == ["ed-1"]
    assert_refused(verifier, token(ed, note="n" * (padding + 3)))
    assert_refused(verifier, "A" * 64_000_000)
    assert verifications == ["ed-1"]


def test_the_signature_is_judged_before_the_claims_are_read(
    verifier: TokenVerifier, ed: Signer
) -> None:
    """An unsigned token must not learn that it has expired, or for whom it should be."""
    good = token(ed, exp=NOW - 10, iat=NOW - 20, aud="somebody")
    assert_refused(verifier, good[:-8] + "AAAAAAAA")
