"""Attacks on what a validly signed token claims."""

from __future__ import annotations

import json

import pytest

from landbridge.identity.tokens import TokenVerifier

from .forge import AUDIENCE, NOW, Clock, Signer, claims, compact, header, token
from .refusal import assert_refused

REQUIRED = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "org", "clearance", "purposes"]
TEXTS = ["sub", "org", "client_id", "jti"]


def raw(signer: Signer, **written: str) -> str:
    """A token whose payload holds those members exactly as they are written."""
    members = {name: json.dumps(value) for name, value in claims().items()} | written
    payload = ",".join(f'"{name}":{value}' for name, value in members.items())
    return compact(signer, header(signer), b"{" + payload.encode() + b"}")


@pytest.mark.parametrize("name", REQUIRED)
def test_every_required_claim_is_required(verifier: TokenVerifier, ed: Signer, name: str) -> None:
    """RFC 9068, section 2.2, and our three; attack 87 for a token without exp."""
    assert_refused(verifier, token(ed, **{name: None}))


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", ["null", "true", "[]", "{}", '[["x"]]', '""', "[7]"])
def test_a_claim_of_another_type_is_refused(
    verifier: TokenVerifier, ed: Signer, name: str, value: str
) -> None:
    """No claim is coerced; the empty list is a list of purposes, and a list is no audience."""
    if (name, value) == ("purposes", "[]"):
        assert verifier.verify(raw(ed, purposes="[]")).purposes == frozenset()
        return
    audience = name == "aud" and value not in {"null", "true", "{}"}
    assert_refused(
        verifier, raw(ed, **{name: value}), "TOKEN_AUDIENCE" if audience else "TOKEN_INVALID"
    )


@pytest.mark.parametrize("issuer", ["https://identity.example/", "https://IDENTITY.example", "x"])
def test_another_issuer_is_refused(verifier: TokenVerifier, ed: Signer, issuer: str) -> None:
    """Issuers are compared as text: what looks like the same address may be another tenant."""
    assert_refused(verifier, token(ed, iss=issuer))


@pytest.mark.parametrize(
    "audience",
    ["landbridge:others", AUDIENCE + "/", AUDIENCE.upper(), [AUDIENCE], [AUDIENCE, "x"], [], ""],
)
def test_a_token_for_somebody_else_is_refused(
    verifier: TokenVerifier, ed: Signer, audience: object
) -> None:
    """Attack 88: also a list that holds us, for each other member of it could replay the token."""
    assert_refused(verifier, token(ed, aud=audience), "TOKEN_AUDIENCE")


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "written",
    [
        '"1800000000"',
        "true",
        "false",
        "null",
        "[1800000000]",
        "{}",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "-1",
        "-1e-3",
        "253402300800",
        "1e17",
        "1" * 5_000,
        "1" * 19,
        "1800000000." + "0" * 100 + "e1000",
        "01800000000",
        "+1800000000",
        "0x6b49d200",
        "1_800_000_000",
        "\u0661\u0668",
        "",
    ],
    ids=lambda written: repr(written[:20]),
)
def test_a_time_is_a_finite_number_in_range(
    verifier: TokenVerifier, ed: Signer, name: str, written: str
) -> None:
    """Attack 87: times that are texts, infinite, not numbers, or far too long; never a fault."""
    assert_refused(verifier, raw(ed, **{name: written}))


@pytest.mark.parametrize("written", ["1800000000.5", "1.8e9", "1800000000"])
def test_a_time_may_have_a_fraction(verifier: TokenVerifier, ed: Signer, written: str) -> None:
    """RFC 7519 allows a NumericDate that is no integer."""
    assert verifier.verify(raw(ed, iat=written, nbf=written)).subject == "alice"


def test_a_token_ends_at_its_expiry_and_the_leeway(
    verifier: TokenVerifier, ed: Signer, clock: Clock
) -> None:
    """Attack 87 and fault F23: the stated leeway and not a moment more."""
    good = token(ed)
    clock.now = NOW + 3600 + 29.999
    verifier.verify(good)
    clock.now = NOW + 3600 + 30
    assert_refused(verifier, good, "TOKEN_EXPIRED")
    assert_refused(verifier, token(ed, jti="unseen"), "TOKEN_EXPIRED")


def test_a_token_begins_at_nbf_less_the_leeway(
    verifier: TokenVerifier, ed: Signer, clock: Clock
) -> None:
    """Attack 87: a token for later is not for now."""
    later = token(ed, nbf=NOW + 1000)
    assert_refused(verifier, later, "TOKEN_EXPIRED")
    clock.now = NOW + 969.9
    assert_refused(verifier, later, "TOKEN_EXPIRED")
    clock.now = NOW + 970
    verifier.verify(later)


def test_a_token_from_the_future_is_refused(verifier: TokenVerifier, ed: Signer) -> None:
    """Attack 87: iat in the future, beyond the leeway."""
    verifier.verify(token(ed, iat=NOW + 30))
    assert_refused(verifier, token(ed, iat=NOW + 31))


def test_a_token_lives_a_day_at_most(verifier: TokenVerifier, ed: Signer) -> None:
    """A stolen token must die by itself; and a life that ends before it begins is none."""
    day = 24 * 3600
    verifier.verify(token(ed, exp=NOW + day))
    assert_refused(verifier, token(ed, exp=NOW + day + 1))
    assert_refused(verifier, token(ed, exp=NOW))
    assert_refused(verifier, token(ed, exp=NOW - 1))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "text",
    [
        "alice\0",
        "\0",
        "ali\nce",
        "alice\t",
        "alice\x7f",
        "alice\x85",
        "\ud800",
        "alice\udfff",
        "\u202ealice",
        "al\u200bice",
        "\ufeffalice",
        "alice\u2028",
        "alice\u00a0",
        " alice",
        "alice ",
        " ",
        "",
        "a" * 201,
        "a" * 5_000,
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_names_are_printable_and_short(
    verifier: TokenVerifier, ed: Signer, name: str, text: str
) -> None:
    """NUL, lone surrogates, control and direction characters forge lines and look-alikes."""
    assert_refused(verifier, token(ed, **{name: text}))
    assert_refused(verifier, token(ed, purposes=["planning", text]))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("text", ["a", "a" * 200, "李小龍", "Zoë O'Neill", "x:y/z@w", "𠮷"])
def test_names_of_all_scripts_pass(
    verifier: TokenVerifier, ed: Signer, name: str, text: str
) -> None:
    """The positive control of the test above: people have names of many kinds."""
    caller = verifier.verify(token(ed, **{name: text}))
    assert text in {caller.subject, caller.organisation, caller.client, caller.token_id}


@pytest.mark.parametrize(
    "clearance", ["RESTRICTED", "Open", "top", "", "1", 1, True, ["open"], "\u0131nternal", "open "]
)
def test_a_clearance_is_the_name_of_a_level(
    verifier: TokenVerifier, ed: Signer, clearance: object
) -> None:
    """No number, no other case, and no foreign letter whose upper case is ours."""
    assert_refused(verifier, token(ed, clearance=clearance))


@pytest.mark.parametrize(
    "purposes", ["planning", {"planning": 1}, 7, ["planning", 7], [["planning"]], ["p"] * 65]
)
def test_purposes_are_a_list_of_names(
    verifier: TokenVerifier, ed: Signer, purposes: object
) -> None:
    """One text is not a list, for it would be read letter by letter."""
    assert_refused(verifier, token(ed, purposes=purposes))


@pytest.mark.parametrize(
    "tail",
    [
        b',"sub":"admin"}',
        b',"\\u0073ub":"admin"}',
        b',"exp":1800003600}',
        b',"clearance":"sealed"}',
        b',"note":{"a":1,"a":1}}',
        b',"note":[{"b":[{"c":0,"c":0}]}]}',
    ],
)
def test_a_claim_stands_once(verifier: TokenVerifier, ed: Signer, tail: bytes) -> None:
    """Attack 89: two subjects in one validly signed token; PyJWT would take the last."""
    payload = json.dumps(claims()).encode()[:-1] + tail
    assert_refused(verifier, compact(ed, header(ed), payload))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        json.dumps(claims()).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(claims()).encode(),
        json.dumps(claims()).encode() + b"{}",
        json.dumps(claims()).encode()[:-1] + b',"note":"\xed\xa0\x80"}',
        json.dumps(claims()).encode()[:-1] + b',"note":"\n"}',
        json.dumps(claims()).encode()[:-1] + b',"note":NaN}',
        json.dumps(claims()).encode()[:-1] + b',"note":1e999}',
        json.dumps(claims()).encode()[:-1] + b',"note":' + b"9" * 5_000 + b"}",
        json.dumps(claims()).encode()[:-1] + b',"note":' + b"9" * 19 + b"}",
        json.dumps(claims()).encode()[:-1] + b',"note":' + b"[" * 5_000 + b"}",
        b'{"a":' * 1_100,
    ],
    ids=lambda payload: repr(payload[-12:]),
)
def test_a_payload_is_one_json_object(verifier: TokenVerifier, ed: Signer, payload: bytes) -> None:
    """Validly signed bytes that a parser falls over, or that only a lenient one takes."""
    assert_refused(verifier, compact(ed, header(ed), payload))


def test_other_claims_are_ignored(verifier: TokenVerifier, ed: Signer) -> None:
    """RFC 7519: what we do not know does not concern us; RFC 9068 tokens carry scope and more."""
    verifier.verify(token(ed, scope="openid", auth_time=NOW, roles=["x"], email="a\0b"))


def test_a_token_bound_to_a_key_is_no_bearer_token(verifier: TokenVerifier, ed: Signer) -> None:
    """Attack 92: whoever stole a token bound to a certificate must not use it without that."""
    assert_refused(verifier, token(ed, cnf={"x5t#S256": "AAAA"}))


def test_a_refusal_says_nothing_of_the_token(verifier: TokenVerifier, ed: Signer) -> None:
    """Invariant I7 and class U: neither the text nor the attributes of the refusal quote it."""
    secret = "Zoltan-Q-4711"
    for forged in (token(ed, sub=secret + "\0"), token(ed, aud=secret), token(ed, nbf=NOW + 99)):
        try:
            verifier.verify(forged)
        except Exception as refusal:  # noqa: BLE001 - whatever it is, it must not quote
            shown = f"{refusal!r} {refusal} {vars(refusal)}"
            assert secret not in shown
            assert forged not in shown
        else:
            pytest.fail("a bad token was accepted")
