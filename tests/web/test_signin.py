"""Signing in by OpenID Connect, against a provider that is a real HTTPS server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.identity.id_token import IdTokens
from landbridge.identity.keys import KeySet, read_keys
from landbridge.identity.tokens import TokenVerifier
from landbridge.web.asking import Ask, own_place
from landbridge.web.provider import Client, HttpsProvider
from landbridge.web.signin import COOKIE, SECONDS, SignIn
from tests.web.provider import AUDIENCE, CLIENT, ISSUER, Browser, World, authorize, fields_of, world

REDIRECT = "https://127.0.0.1:1/sign-in/back"


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One provider for all."""
    with world(tmp_path_factory.mktemp("provider")) as found:
        yield found


def made(here: World, clock: Clock | None = None, **changes: str) -> SignIn:
    """A console's sign-in there."""
    client = Client(
        changes.get("issuer", ISSUER),
        changes.get("address", here.provider.address),
        here.ca,
        CLIENT,
    )
    verifier = TokenVerifier(ISSUER, AUDIENCE, KeySet.load(here.jwks))
    return SignIn(
        HttpsProvider(client, time.time, time.monotonic),
        verifier,
        CLIENT,
        client.issuer,
        lambda: REDIRECT,
        "openid",
        clock or Clock(),
    )


def back(location: str, cookie: str, **changes: str) -> Ask:
    """The browser's return, as the provider sent it, or with something changed."""
    said = {**fields_of(location), **changes}
    kept = {} if not cookie else {COOKIE: cookie.partition(";")[0].partition("=")[2]}
    return Ask("GET", "/sign-in/back", {name: [each] for name, each in said.items()}, {}, kept)


def refused(sign_in: SignIn, ask: Ask) -> str:
    """The reason for which nobody is signed in."""
    with pytest.raises(LandbridgeError) as refusal:
        sign_in.complete(ask)
    return refusal.value.reason


def test_somebody_signs_in_and_comes_to_where_they_wanted_to_go(here: World) -> None:
    """The whole flow: code, PKCE, nonce, both tokens of one person."""
    sign_in = made(here)
    where, cookie = sign_in.begin("/log?kind=query")
    assert fields_of(where)["code_challenge_method"] == "S256"
    signed = sign_in.complete(back(authorize(Browser(here.ca), where), cookie))
    assert (signed.caller.subject, signed.caller.organisation) == ("auditor", "audit-office")
    assert signed.place == "/log?kind=query"
    assert "HttpOnly" in cookie
    assert "Secure" in cookie


def test_a_code_is_good_once(here: World) -> None:
    """A code in somebody's history signs nobody in again."""
    sign_in = made(here)
    where, cookie = sign_in.begin("/")
    returned = back(authorize(Browser(here.ca), where), cookie)
    sign_in.complete(returned)
    assert refused(sign_in, returned) == "TOKEN_INVALID"


@pytest.mark.parametrize("change", ["state", "code", "iss", "error", "cookie"])
def test_an_answer_that_is_not_of_this_sign_in_signs_nobody_in(here: World, change: str) -> None:
    """Login CSRF (another browser), mix-up (another issuer), a made-up code, a provider's no."""
    sign_in = made(here)
    where, cookie = sign_in.begin("/")
    location = authorize(Browser(here.ca), where)
    ask = back(location, "") if change == "cookie" else back(location, cookie, **{change: "other"})
    assert refused(sign_in, ask) == "TOKEN_INVALID"


def test_a_stolen_code_is_worth_nothing_without_the_proof(here: World) -> None:
    """PKCE: a code that was begun by another sign-in cannot be redeemed in mine."""
    victim, thief = made(here), made(here)
    where, _ = victim.begin("/")
    stolen = fields_of(authorize(Browser(here.ca), where))["code"]
    mine, cookie = thief.begin("/")
    returned = authorize(Browser(here.ca), mine)
    assert refused(thief, back(returned, cookie, code=stolen)) == "TOKEN_INVALID"


def test_a_code_is_redeemed_with_its_own_proof_only(here: World) -> None:
    """RFC 7636, 4.6: whoever read the code on its way has not seen the verifier."""
    sign_in = made(here)
    client = Client(ISSUER, here.provider.address, here.ca, CLIENT)
    provider = HttpsProvider(client, time.time, time.monotonic)
    for proof in ("", "x" * 64):
        where, _ = sign_in.begin("/")
        code = fields_of(authorize(Browser(here.ca), where))["code"]
        with pytest.raises(LandbridgeError) as refusal:
            provider.exchange(code, proof, REDIRECT)
        assert refusal.value.reason == "TOKEN_INVALID"


def test_a_sign_in_takes_ten_minutes_at_most(here: World) -> None:
    """What lies open on a screen over lunch is begun anew."""
    clock = Clock()
    sign_in = made(here, clock)
    where, cookie = sign_in.begin("/")
    returned = back(authorize(Browser(here.ca), where), cookie)
    clock.now += SECONDS + 1
    assert refused(sign_in, returned) == "TOKEN_INVALID"


def test_metadata_of_another_issuer_are_not_believed(here: World) -> None:
    """OpenID Connect Discovery 1.0, section 4.3: the issuer must be the very one."""
    with pytest.raises(LandbridgeError) as refusal:
        made(here, issuer="https://other.test").begin("/")
    assert refusal.value.reason == "SIGN_IN_UNAVAILABLE"


def test_a_provider_that_is_away_is_said_to_be(here: World) -> None:
    """In one sentence; the console itself goes on."""
    with pytest.raises(LandbridgeError) as refusal:
        made(here, address="https://127.0.0.1:9").begin("/")
    assert refusal.value.reason == "SIGN_IN_UNAVAILABLE"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "other"},
        {"client": "another-client"},
        {"lifetime": -3_600},
        {"now": time.time() - 4_000, "lifetime": 90_000},
        {"now": time.time() + 4_000},
    ],
)
def test_an_id_token_of_another_sign_in_is_nobodys(here: World, changes: dict[str, object]) -> None:
    """Nonce, audience and time are each enough to refuse it (3.1.3.7)."""
    terms: dict[str, object] = {"client": CLIENT, "nonce": "mine", **changes}
    token = here.issuer.identify("auditor", **terms)  # type: ignore[arg-type]
    keys = read_keys(here.jwks.read_bytes(), "jwks")
    with pytest.raises(LandbridgeError):
        IdTokens(ISSUER, CLIENT, keys, time.time).verify(token, "mine")
    good = here.issuer.identify("auditor", client=CLIENT, nonce="mine")
    assert IdTokens(ISSUER, CLIENT, keys, time.time).verify(good, "mine").subject == "auditor"


def test_an_access_token_is_no_id_token(here: World) -> None:
    """And the other way round: each has its type."""
    access = here.provider.token("auditor")
    keys = read_keys(here.jwks.read_bytes(), "jwks")
    with pytest.raises(LandbridgeError):
        IdTokens(ISSUER, CLIENT, keys, time.time).verify(access, "")
    identity = here.issuer.identify("auditor", client=AUDIENCE, nonce="n")
    with pytest.raises(LandbridgeError):
        TokenVerifier(ISSUER, AUDIENCE, KeySet.load(here.jwks)).verify(identity)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redirect_uri", "https://elsewhere.example/back"),
        ("redirect_uri", "http://127.0.0.1/back"),
        ("client_id", "somebody"),
        ("code_challenge_method", "plain"),
        ("nonce", ""),
        ("response_type", "token"),
    ],
)
def test_the_development_issuer_keeps_the_rules(here: World, name: str, value: str) -> None:
    """It lets anybody be anybody, and still sends no code elsewhere and asks for the proof."""
    where, _ = made(here).begin("/")
    asked = {**fields_of(where), name: value}
    came = Browser(here.ca).post(f"{here.provider.address}/authorize", {**asked, "as": "auditor"})
    assert came.status == 400


def test_the_development_issuer_says_what_it_is(here: World) -> None:
    """On its page and in its metadata, so that nobody takes it for production."""
    where, _ = made(here).begin("/")
    browser = Browser(here.ca)
    assert "NOT FOR PRODUCTION" in browser.get(where).body
    metadata = browser.get(f"{here.provider.address}/.well-known/openid-configuration")
    assert "NOT FOR PRODUCTION" in json.loads(metadata.body)["landbridge_warning"]


@pytest.mark.parametrize(
    "place", ["https://evil.example", "//evil.example", "/\\evil", "javascript:x", "", "/a\nb"]
)
def test_nobody_is_sent_elsewhere_by_a_link(place: str) -> None:
    """Open redirects are how a page of ours would vouch for a stranger's."""
    assert own_place(place) == "/"


def test_the_development_issuer_listens_on_loopback_only(here: World, tmp_path: Path) -> None:
    """Whoever is not on this machine cannot be anybody."""
    del tmp_path
    assert here.provider.address.startswith("https://127.0.0.1:")
