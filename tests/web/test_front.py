"""The front of a console, by itself: what is limited, and what ends with a token."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from gateway.console.composing import FOLDER
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.levels import Level
from landbridge.web.asking import Ask, Reply
from landbridge.web.front import REQUEST_BURST, STRANGER_BURST, Front, Visit
from landbridge.web.pages import Pages
from landbridge.web.sessions import COOKIE, Sessions
from landbridge.web.signin import Provider, SignedIn, SignIn
from landbridge.web.words import Words
from tests.web.test_signin import Clock

ANN = Caller("ann", "audit", "test", Level.RESTRICTED, frozenset(), "t", 1e12)


class Verifier:
    """Takes every token until it is revoked."""

    revoked = False

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        del token, certificate
        if self.revoked:
            raise error("TOKEN_REVOKED")
        return ANN

    verify_passed_on = verify


class Behind:
    """A site of one page."""

    title = "Test"

    def visit(self, visit: Visit) -> Reply:
        return Reply(200, visit.caller.subject.encode())

    def signed_in(self, signed: SignedIn) -> None:
        del signed

    def signed_out(self, caller: Caller) -> None:
        del caller

    def not_signed_in(self, failure: LandbridgeError) -> None:
        del failure


class Away:
    """A provider that cannot be reached."""

    def authorization(self) -> str:
        raise error("SIGN_IN_UNAVAILABLE")


@pytest.fixture
def clock() -> Clock:
    """Time that stands still."""
    return Clock()


def made(clock: Clock) -> tuple[Front, Sessions, Verifier]:
    """A front with nobody in it."""
    verifier, live = Verifier(), Sessions(900, 36_000, clock)
    provider = cast(Provider, Away())
    sign_in = SignIn(provider, verifier, "c", "https://i", lambda: "https://c/b", "openid", clock)
    pages = Pages([FOLDER])
    front = Front(Behind(), sign_in, live, verifier, pages, Words([Path("nowhere")]), clock)
    return front, live, verifier


def asked(name: str = "", path: str = "/", peer: str = "10.0.0.1") -> Ask:
    """A plain look."""
    return Ask("GET", path, cookies={COOKIE: name} if name else {}, peer=peer)


def test_a_session_that_asks_too_much_waits_and_no_other(clock: Clock) -> None:
    """A burst is let through, then so many a second; each session has its own."""
    front, live, _ = made(clock)
    mine, _ = live.begin("ann", "token")
    other, _ = live.begin("bea", "token")
    statuses = [front.answer(asked(mine)).status for _ in range(REQUEST_BURST + 1)]
    assert statuses == [200] * REQUEST_BURST + [429]
    assert front.answer(asked(other)).status == 200
    clock.now += 1
    assert front.answer(asked(mine)).status == 200


def test_a_stranger_who_asks_too_much_waits_and_no_other(clock: Clock) -> None:
    """By address; signing in is under the same limit."""
    front, live, _ = made(clock)
    statuses = [front.answer(asked()).status for _ in range(STRANGER_BURST + 1)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:-1]
    assert front.answer(asked(path="/sign-in/back")).status == 429
    assert front.answer(asked(peer="10.0.0.2")).status == 200
    name, _ = live.begin("ann", "token")
    assert front.answer(asked(name)).body == b"ann"


def test_a_revoked_token_ends_its_session_at_the_next_request(clock: Clock) -> None:
    """Also for whoever gets the token back: the session is gone."""
    front, live, verifier = made(clock)
    name, _ = live.begin("ann", "token")
    assert front.answer(asked(name)).body == b"ann"
    verifier.revoked = True
    assert b"Sign in" in cast(bytes, front.answer(asked(name)).body)
    verifier.revoked = False
    assert live.find(name) is None


def test_without_the_provider_the_door_says_so(clock: Clock) -> None:
    """The page is there, and signing in is refused in a sentence."""
    front, _, _ = made(clock)
    assert front.answer(asked()).status == 200
    came = front.answer(Ask("POST", "/sign-in", form={"next": ["/"]}, peer="10.0.0.1"))
    assert came.status == 503
    assert b"SIGN_IN_UNAVAILABLE" in cast(bytes, came.body)
