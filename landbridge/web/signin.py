"""Signing in by OpenID Connect: the authorization code flow with PKCE.

Source: OpenID Connect Core 1.0, section 3.1; RFC 7636 (PKCE, S256); RFC 9207 (`iss` in the
authorization response); RFC 9700 (best current practice). The steps are cited as (a) to (f).
"""

from __future__ import annotations

import hmac
import secrets
import threading
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import urlencode

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.id_token import IdToken
from landbridge.identity.issuers import Verifier
from landbridge.web.asking import Ask, own_place

COOKIE: Final = "__Host-landbridge-signin"
SECONDS: Final = 600.0
"""How long somebody may take at the provider."""
MOST: Final = 2_000
LONGEST: Final = 4_096


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave; nothing of it is verified yet."""

    access: str = field(repr=False)
    identity: str = field(repr=False)


class Provider(Protocol):
    """The OpenID provider, as its metadata describe it. Both raise SIGN_IN_UNAVAILABLE."""

    def authorization(self) -> str:
        """Where browsers are sent."""
        ...

    def exchange(self, code: str, verifier: str, redirect: str) -> Tokens:
        """The tokens for a code; TOKEN_INVALID where the provider refuses it."""
        ...

    def identity(self, token: str, nonce: str) -> IdToken:
        """The verified ID token; raises TOKEN_INVALID."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that was begun: what must come back, and where to go then."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    place: str
    browser: bytes = field(repr=False)
    began: float


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who came back, their access token, and the place that they had wanted to see."""

    caller: Caller
    token: str = field(repr=False)
    place: str


class SignIn:
    """One client of one provider. Safe for many threads; `clock` is monotonic, in seconds."""

    def __init__(
        self,
        provider: Provider,
        verifier: Verifier,
        client: str,
        issuer: str,
        redirect: Callable[[], str],
        scope: str,
        clock: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._verifier = verifier
        self._client = client
        self._issuer = issuer
        self._redirect = redirect
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, Pending] = OrderedDict()

    def where(self) -> str:
        """The provider's authorization endpoint; raises SIGN_IN_UNAVAILABLE."""
        return self._provider.authorization()

    def begin(self, place: str) -> tuple[str, str]:
        """(a) Where to send the browser, and the cookie that ties its return to this browser."""
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        proof, browser = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        where = self._provider.authorization()
        now = self._clock()
        with self._lock:
            while self._pending and (
                len(self._pending) >= MOST
                or now - next(iter(self._pending.values())).began > SECONDS
            ):
                self._pending.popitem(last=False)
            self._pending[state] = Pending(
                nonce, proof, own_place(place), sha256(browser.encode()).digest(), now
            )
        asked = urlencode(
            {
                "response_type": "code",
                "client_id": self._client,
                "redirect_uri": self._redirect(),
                "scope": self._scope,
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge(proof),
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if "?" in where else "?"
        line = f"{COOKIE}={browser}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={int(SECONDS)}"
        return f"{where}{joint}{asked}", line

    def complete(self, ask: Ask) -> SignedIn:
        """(b) to (f) Who came back from the provider with that answer. Raises TOKEN_INVALID."""
        # (b) Ours, of this browser, once, in time: or somebody signs a victim in as themselves.
        pending = self._taken(ask.one("state"))
        browser = sha256(ask.cookies.get(COOKIE, "").encode("utf-8", "replace")).digest()
        if pending is None or not hmac.compare_digest(browser, pending.browser):
            raise error("TOKEN_INVALID")
        # (c) From the provider that was asked (mix-up), where it says so.
        if ask.one("iss") not in ("", self._issuer):
            raise error("TOKEN_INVALID")
        code = ask.one("code")
        if ask.one("error") or not 0 < len(code) <= LONGEST:
            raise error("TOKEN_INVALID")
        # (d) The code for tokens, with the proof that we began it.
        tokens = self._provider.exchange(code, pending.verifier, self._redirect())
        # (e) The ID token says that this sign-in was the one.
        identity = self._provider.identity(tokens.identity, pending.nonce)
        # (f) The access token says who they are to us; both must mean one person.
        caller = self._verifier.verify(tokens.access)
        if identity.subject != caller.subject:
            raise error("TOKEN_INVALID")
        return SignedIn(caller, tokens.access, pending.place)

    def _taken(self, state: str) -> Pending | None:
        with self._lock:
            pending = self._pending.pop(state, None)
        if pending is None or self._clock() - pending.began > SECONDS:
            return None
        return pending


def challenge(verifier: str) -> str:
    """The S256 code challenge (RFC 7636, 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def no_cookie() -> str:
    """The line that takes the sign-in's cookie away."""
    return f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
