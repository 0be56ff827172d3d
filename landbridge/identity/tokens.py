"""Access tokens: a signed JWT (RFC 9068) in, a caller out."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Final

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.identity.claims import Claims, read_claims
from landbridge.identity.json_object import base64url, json_object
from landbridge.identity.keys import Keys, KeySet
from landbridge.identity.revocation import Revocations
from landbridge.identity.signature import ALGORITHMS, PublicKey

LONGEST: Final = 8 * 1024
"""Characters of a token."""
_REMEMBERED: Final = 10_000
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


class TokenVerifier:
    """Turns access tokens of one issuer, for one audience, into callers. Safe between threads.

    A token once verified is remembered by its SHA-256, until it expires or the keys change, so that
    a caller who asks often pays for one signature; the times are compared at every use. `clock`
    gives seconds since 1970, `leeway` is the seconds by which issuers' clocks may differ from it.
    `algorithms` are those that keys may be used with, `organisations` those whom this issuer may
    speak for (None: all), and `revocations` is asked at every use.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: KeySet,
        clock: Callable[[], float] = time.time,
        leeway: int = 30,
        *,
        algorithms: Collection[str] = ALGORITHMS,
        organisations: Collection[str] | None = None,
        revocations: Revocations | None = None,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._leeway = leeway
        self._algorithms = frozenset(algorithms)
        self._organisations = None if organisations is None else frozenset(organisations)
        self._revocations = revocations
        self._memory = _Memory(_REMEMBERED)

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        """The caller whom the token names, and who shows that certificate.

        Raises TOKEN_EXPIRED outside its period, TOKEN_AUDIENCE where it is for somebody else,
        TOKEN_REVOKED where it or whom it names is on the list, TOKEN_BOUND where it is bound to
        another certificate (RFC 8705, section 3), CERTIFICATE_ENDED where that one has ended since
        the connection was opened, CERTIFICATE_REVOKED where it is on the list, and TOKEN_INVALID,
        always with the same sentence and no cause, for everything else.
        """
        caller = self.verify_passed_on(token)
        if caller.certificate and caller.certificate != certificate.fingerprint:
            raise error("TOKEN_BOUND")
        # TLS looked at it when the connection was opened; this looks at every request.
        if certificate.fingerprint:
            self._require_good(certificate, self._clock())
        return caller

    def verify_passed_on(self, token: str) -> Caller:
        """The same without the binding: for a node, which never sees its caller's connection.

        Only for tokens from the authenticated gateway, which has held the binding against the
        connection; `Caller.certificate` says what it must have found.
        """
        # (1) Bounded before anything looks inside.
        if len(token) > LONGEST or not token.isascii():
            raise error("TOKEN_INVALID")
        digest = hashlib.sha256(token.encode("ascii")).digest()
        # One state of the keys for the whole verification, also if they rotate meanwhile.
        keys = self._keys.current()
        claims = self._memory.recall(digest, keys.generation)
        known = claims is not None
        if claims is None:
            # Refused below, outside: the reason must not travel behind the refusal either.
            with suppress(ValueError):
                claims = self._open(token, keys)
        if claims is None:
            raise error("TOKEN_INVALID")
        # (7) The period, by our clock now.
        now = self._clock()
        claims.require_period(now, self._leeway)
        # (8) The list, also for a token that is known.
        if self._revocations is not None and self._revocations.hold(claims.caller, claims.key, now):
            raise error("TOKEN_REVOKED")
        if not known:
            self._memory.keep(digest, keys.generation, claims)
        return claims.caller

    def _require_good(self, certificate: Presented, now: float) -> None:
        if now >= certificate.ends:
            raise error("CERTIFICATE_ENDED")
        listed = self._revocations
        if listed is not None and listed.hold_certificate(certificate.fingerprint, "", now):
            raise error("CERTIFICATE_REVOKED")

    def _open(self, token: str, keys: Keys) -> Claims:
        # (2) Three parts, each in the only spelling of its bytes: no second text for one token.
        parts = _COMPACT.fullmatch(token)
        if parts is None:
            raise ValueError("it is not a compact JWS")
        header, payload, _ = (base64url(part) for part in parts.groups())
        # (3) The header, and (4) the key that it names.
        key = _key(header, keys, self._keys.missed)
        if key.algorithm not in self._algorithms:
            raise ValueError("the algorithm is not among those in use")
        # (5) The signature, before anything reads what it covers.
        if key.payload(token) != payload:
            raise ValueError("the signature covers something else")
        # (6) The claims.
        claims = read_claims(json_object(payload), self._issuer, self._audience)
        if self._organisations is not None and (
            claims.caller.organisation not in self._organisations
        ):
            raise ValueError("the issuer does not speak for that organisation")
        return replace(claims, key=key.id)


def _key(header: bytes, keys: Keys, missed: Callable[[], None]) -> PublicKey:
    members = json_object(header)
    # Whatever else can stand in a header (jku, jwk, x5u, x5c, crit, b64) offers a key, or changes
    # what the signature covers.
    if members.keys() != _HEADER:
        raise ValueError("the header is not alg, typ and kid")
    # Access tokens only (RFC 9068, section 4): an ID token of the same issuer is for the client.
    typ = members["typ"]
    if not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise ValueError("the token is not an access token")
    kid = members["kid"]
    key = keys.by_id.get(kid) if isinstance(kid, str) else None
    if key is None:
        missed()
        raise ValueError("no such key")
    # The key decides about the algorithm; the header may only agree (RFC 8725, section 3.1).
    if members["alg"] != key.algorithm:
        raise ValueError("the algorithm is not the key's")
    return key


class _Memory:
    """The most recently used verified tokens, each with the state of the keys it was verified by.

    What is kept under a digest never outlives that state; time is not its business.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._claims: OrderedDict[bytes, tuple[int, Claims]] = OrderedDict()

    def recall(self, digest: bytes, generation: int) -> Claims | None:
        with self._lock:
            kept = self._claims.get(digest)
            if kept is None or kept[0] != generation:
                return None
            self._claims.move_to_end(digest)
            return kept[1]

    def keep(self, digest: bytes, generation: int, claims: Claims) -> None:
        with self._lock:
            self._claims[digest] = (generation, claims)
            self._claims.move_to_end(digest)
            if len(self._claims) > self._size:
                self._claims.popitem(last=False)
