"""The OpenID provider: found by its metadata, asked over HTTPS.

Source: OpenID Connect Discovery 1.0, section 4; RFC 8414. The metadata must name the very issuer
that this server was told to trust, wherever they were fetched from.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from landbridge.errors import error
from landbridge.identity.fetch import Address, Fetcher, Posted
from landbridge.identity.followed import SourceError
from landbridge.identity.id_token import IdToken, IdTokens
from landbridge.identity.json_object import json_object
from landbridge.identity.keys import read_keys
from landbridge.web.signin import LONGEST, Tokens

FRESH: Final = 3_600.0
"""Seconds for which metadata and keys are kept; unknown keys are looked for once a minute."""
AGAIN: Final = 60.0
SUFFIX: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we need of a provider's metadata, and where a browser signs out, if anywhere."""

    authorization: str
    token: str
    keys: str
    fetched: float


@dataclass(frozen=True, slots=True)
class Client:
    """What a client of the provider is told by its operator.

    `address` is where the provider is reached, the issuer itself unless another way leads there;
    `secret` is for confidential clients, empty for public ones, which PKCE alone protects.
    """

    issuer: str
    address: str
    ca: Path | None
    client: str
    secret: str = field(default="", repr=False)


class HttpsProvider:
    """The provider over the network. Safe for many threads. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        client: Client,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._tokens: tuple[float, IdTokens] | None = None

    def authorization(self) -> str:
        """The authorization endpoint; raises SIGN_IN_UNAVAILABLE."""
        return self._known().authorization

    def exchange(self, code: str, verifier: str, redirect: str) -> Tokens:
        """RFC 6749, 4.1.3, with the verifier of RFC 7636, 4.5."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._client.client,
            "code_verifier": verifier,
        }
        basic = ""
        if self._client.secret:
            # RFC 6749, 2.3.1: both are encoded as form values first.
            basic = f"{quote(self._client.client, '')}:{quote(self._client.secret, '')}"
        try:
            posted = Fetcher(self._known().token, self._client.ca).post(
                urlencode(form).encode("ascii"), basic
            )
        except SourceError as problem:
            raise error("SIGN_IN_UNAVAILABLE", str(problem)) from None
        return _tokens(posted)

    def identity(self, token: str, nonce: str) -> IdToken:
        """The ID token, verified with the provider's keys; unknown ones are looked for once."""
        known = self._keys()
        try:
            return known.verify(token, nonce)
        except KeyError:
            return self._keys(again=True).verify_known(token, nonce)

    def _known(self) -> Metadata:
        with self._lock:
            kept = self._metadata
            if kept is not None and self._clock() - kept.fetched < FRESH:
                return kept
            try:
                self._metadata = self._fetched()
            except (SourceError, ValueError, KeyError, TypeError) as problem:
                if kept is not None:
                    return kept
                said = str(problem) if isinstance(problem, SourceError) else ""
                raise error("SIGN_IN_UNAVAILABLE", said or "Its metadata cannot be used.") from None
            return self._metadata

    def _fetched(self) -> Metadata:
        address = self._client.address.rstrip("/") + SUFFIX
        document = Fetcher(address, self._client.ca)("").document or b"{}"
        said: dict[str, Any] = json.loads(document)
        if said["issuer"] != self._client.issuer:
            raise SourceError(f"{address} is the metadata of another issuer.")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, keys = (str(said[name]) for name in names)
        for each in (authorization, token, keys):
            Address.of(each)  # https, or this very machine
        return Metadata(authorization, token, keys, self._clock())

    def _keys(self, *, again: bool = False) -> IdTokens:
        known = self._known()
        with self._lock:
            kept = self._tokens
            if kept is not None and self._clock() - kept[0] < (AGAIN if again else FRESH):
                return kept[1]
            try:
                document = Fetcher(known.keys, self._client.ca)("").document or b"{}"
                keys = read_keys(document, known.keys)
            except SourceError as problem:
                raise error("SIGN_IN_UNAVAILABLE", str(problem)) from None
            made = IdTokens(self._client.issuer, self._client.client, keys, self._wall)
            self._tokens = (self._clock(), made)
            return made


def _tokens(posted: Posted) -> Tokens:
    if posted.status != 200:
        raise error("TOKEN_INVALID")
    try:
        said = json_object(posted.document)
    except ValueError:
        raise error("TOKEN_INVALID") from None
    access, identity = said.get("access_token"), said.get("id_token")
    kind = said.get("token_type")
    if not (
        isinstance(access, str)
        and isinstance(identity, str)
        and isinstance(kind, str)
        and kind.lower() == "bearer"
        and max(len(access), len(identity)) <= 4 * LONGEST
    ):
        raise error("TOKEN_INVALID")
    return Tokens(access, identity)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as a Content-Security-Policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
