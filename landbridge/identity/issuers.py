"""Whose tokens are accepted, where several issuers are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.identity.json_object import base64url, json_object
from landbridge.identity.tokens import LONGEST


class Verifier(Protocol):
    """Turns access tokens into callers: `tokens.TokenVerifier`, or several of them."""

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        """The caller, who shows that certificate; or a refusal."""

    def verify_passed_on(self, token: str) -> Caller:
        """The same, where the gateway has held the caller's certificate against the token."""


class Issuers:
    """One verifier per issuer. A token's own `iss` picks it by exact match, before any key is used.

    What is read before the signature is that one claim, and it decides nothing but whose keys the
    signature must be made with: the verifier that is picked checks `iss` again, signed.
    """

    def __init__(self, verifiers: Mapping[str, Verifier]) -> None:
        self._verifiers: Final = dict(verifiers)

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        """As `TokenVerifier.verify`; TOKEN_INVALID where the issuer is none of ours."""
        return self._of(token).verify(token, certificate)

    def verify_passed_on(self, token: str) -> Caller:
        """As `TokenVerifier.verify_passed_on`."""
        return self._of(token).verify_passed_on(token)

    def _of(self, token: str) -> Verifier:
        issuer = _issuer(token) if len(token) <= LONGEST else None
        verifier = self._verifiers.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise error("TOKEN_INVALID")
        return verifier


def _issuer(token: str) -> object:
    """What the token says of its issuer, unverified; None where it says nothing readable."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        return json_object(base64url(parts[1])).get("iss")
    except ValueError:
        return None
