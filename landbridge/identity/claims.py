"""What a token claims (RFC 9068, section 2.2, and three claims of ours), read strictly and purely.

Ours: `org`, the caller's organisation; `clearance`, the name of an access level; `purposes`, the
list of purposes that the caller may state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.json_object import base64url
from landbridge.levels import Level

_LONGEST_TEXT: Final = 200
_MOST_PURPOSES: Final = 64
_LONGEST_LIFE: Final = 24 * 3600
# The last second of the year 9999: every calendar and log format still holds it.
_LAST_SECOND: Final = 253_402_300_799


class ClaimError(ValueError):
    """A claim is missing or malformed; a constant sentence, which never leaves the server."""


@dataclass(frozen=True, slots=True)
class Claims:
    """A caller and when the claim to be that caller holds; times are seconds since 1970.

    `key` is the `kid` of the key that signed it, once that is known.
    """

    caller: Caller
    issued: float
    not_before: float
    key: str = ""

    def require_period(self, now: float, leeway: float) -> None:
        """Holds at `now`, give or take `leeway` seconds; `exp` itself is already too late.

        Raises TOKEN_INVALID for a token from the future, TOKEN_EXPIRED outside `nbf` to `exp`.
        """
        if self.issued > now + leeway:
            raise error("TOKEN_INVALID")
        if not self.not_before - leeway <= now < self.caller.expires + leeway:
            raise error("TOKEN_EXPIRED")


def read_claims(claims: Mapping[str, object], issuer: str, audience: str) -> Claims:
    """The claims of a payload whose signature was verified; claims not listed are ignored.

    Raises TOKEN_AUDIENCE where `aud` is not that one audience, and ClaimError for everything else.
    """
    if _text(claims, "iss") != issuer:
        raise ClaimError("iss is not the issuer whose keys these are")
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    not_before = _seconds(claims, "nbf") if "nbf" in claims else issued
    if not 0 < expires - issued <= _LONGEST_LIFE:
        raise ClaimError("the lifetime is not between nothing and 24 hours")
    caller = Caller(
        subject=_text(claims, "sub"),
        organisation=_text(claims, "org"),
        client=_text(claims, "client_id"),
        clearance=_level(claims, "clearance"),
        purposes=_purposes(claims, "purposes"),
        token_id=_text(claims, "jti"),
        expires=expires,
        certificate=_certificate(claims["cnf"]) if "cnf" in claims else "",
    )
    match claims.get("aud"):
        case str(single) if single == audience:
            return Claims(caller, issued, not_before)
        # A list is refused even if it holds us: each other member could replay the token here.
        case str() | list():
            raise error("TOKEN_AUDIENCE")
        case _:
            raise ClaimError("aud is not a text")


def _certificate(confirmation: object) -> str:
    """The thumbprint of RFC 8705, section 3.1, in hex.

    A token that is bound in another way (RFC 7800: a key, DPoP), or in two, is refused: it must not
    be taken without a check that we cannot make.
    """
    if not isinstance(confirmation, dict) or confirmation.keys() != {"x5t#S256"}:
        raise ClaimError("the token is bound to something else than a certificate")
    written = confirmation["x5t#S256"]
    digest = base64url(written) if isinstance(written, str) else b""
    if len(digest) != 32:
        raise ClaimError("the thumbprint is not a SHA-256")
    return digest.hex()


def _text(claims: Mapping[str, object], name: str) -> str:
    return _readable(claims.get(name))


def _readable(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise ClaimError("a claim is not a text of 1 to 200 characters")
    # Printable leaves out NUL, control characters, lone surrogates, direction marks, characters of
    # no width and blanks other than the space: whatever would let two names look alike in a log.
    if not value.isprintable() or value != value.strip():
        raise ClaimError("a claim holds characters that a name does not")
    return value


def _seconds(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    # True is an int in Python, and no time.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimError("a time is not a number")
    if not 0 <= value <= _LAST_SECOND:
        raise ClaimError("a time is out of range")
    return float(value)


def _level(claims: Mapping[str, object], name: str) -> Level:
    written = _text(claims, name)
    try:
        level = Level.named(written)
    except ValueError:
        raise ClaimError("there is no such level") from None
    # Upper-casing maps a few foreign letters onto ours; the label is the only spelling.
    if level.label != written:
        raise ClaimError("a level is spelt in another way")
    return level


def _purposes(claims: Mapping[str, object], name: str) -> frozenset[str]:
    value = claims.get(name)
    if not isinstance(value, list) or len(value) > _MOST_PURPOSES:
        raise ClaimError("purposes are not a list of at most 64")
    return frozenset(_readable(purpose) for purpose in value)
