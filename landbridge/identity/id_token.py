"""ID tokens: that somebody signed in at the provider, just now, for this client.

Source: OpenID Connect Core 1.0, sections 2 and 3.1.3.7; the numbers are those of the latter's list.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from landbridge.errors import error
from landbridge.identity.json_object import base64url, json_object
from landbridge.identity.signature import PublicKey

LEEWAY: Final = 30.0
LONGEST: Final = 16 * 1024
OLDEST: Final = 600.0
"""Seconds since it was issued: it came with the code that was just redeemed."""


@dataclass(frozen=True, slots=True)
class IdToken:
    """Who signed in."""

    subject: str


class IdTokens:
    """Verifies the ID tokens of one issuer for one client. `clock` gives seconds since 1970."""

    def __init__(
        self,
        issuer: str,
        client: str,
        keys: Mapping[str, PublicKey],
        clock: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._client = client
        self._keys = keys
        self._clock = clock

    def verify(self, token: str, nonce: str) -> IdToken:
        """Who signed in; TOKEN_INVALID, and KeyError where its key is not among these."""
        try:
            return self._verified(token, nonce)
        except ValueError:
            raise error("TOKEN_INVALID") from None

    def verify_known(self, token: str, nonce: str) -> IdToken:
        """The same, where an unknown key is one more reason to refuse."""
        try:
            return self._verified(token, nonce)
        except (ValueError, KeyError):
            raise error("TOKEN_INVALID") from None

    def _verified(self, token: str, nonce: str) -> IdToken:
        if len(token) > LONGEST or not token.isascii() or token.count(".") != 2:
            raise ValueError("not a compact JWS")
        header, payload, _ = (base64url(part) for part in token.split("."))
        said = json_object(header)
        # Whatever else offers a key or changes what is signed: see `tokens`.
        if said.keys() - {"alg", "kid", "typ"} or said.get("typ", "JWT") != "JWT":
            raise ValueError("the header is not that of an ID token")
        identifier = said.get("kid")
        if not isinstance(identifier, str):
            raise ValueError("it names no key")  # noqa: TRY004 - a header, not an argument
        key = self._keys[identifier]
        if said.get("alg") != key.algorithm:  # 7
            raise ValueError("the algorithm is not the key's")
        if key.payload(token) != payload:  # 6
            raise ValueError("the signature covers something else")
        claims = json_object(payload)
        if claims.get("iss") != self._issuer:  # 2
            raise ValueError("another issuer")
        audience = claims.get("aud")
        if audience not in (self._client, [self._client]):  # 3
            raise ValueError("for somebody else")
        if claims.get("azp", self._client) != self._client:  # 4, 5
            raise ValueError("asked for by somebody else")
        now = self._clock()
        expires, issued = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
        if now >= expires + LEEWAY or not -LEEWAY <= now - issued <= OLDEST:  # 9, 10
            raise ValueError("not of this time")
        found = claims.get("nonce")
        if not isinstance(found, str) or not hmac.compare_digest(  # 11
            found.encode("utf-8", "replace"), nonce.encode()
        ):
            raise ValueError("of another sign-in")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise ValueError("of nobody")
        return IdToken(subject)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time is not a number")  # noqa: TRY004 - a claim, not an argument
    return float(value)
