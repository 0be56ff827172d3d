"""Access tokens: a signed JWT (RFC 9068) in, a caller out."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.claims import Claims, read_claims
from landbridge.identity.json_object import base64url, json_object
from landbridge.identity.keys import Keys, KeySet
from landbridge.identity.signature import PublicKey

_LONGEST: Final = 8 * 1024
_REMEMBERED: Final = 10_000
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


class TokenVerifier:
    """Turns access tokens of one issuer, for one audience, into callers. Safe between threads.

    A token once verified is remembered by its SHA-256, until it expires or the keys change, so that
    a caller who asks often pays for one signature; the times are compared at every use. `clock`
    gives seconds since 1970, `leeway` is the seconds by which issuers' clocks may differ from it.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: KeySet,
        clock: Callable[[], float] = time.time,
        leeway: int = 30,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._leeway = leeway
        self._memory = _Memory(_REMEMBERED)

    def verify(self, token: str) -> Caller:
        """The caller whom the token names.

        Raises TOKEN_EXPIRED outside its period, TOKEN_AUDIENCE where it is for somebody else, and
        TOKEN_INVALID, always with the same sentence and no cause, for everything else.
        """
        # (1) Bounded before anything looks inside.
        if len(token) > _LONGEST or not token.isascii():
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
        claims.require_period(self._clock(), self._leeway)
        if not known:
            self._memory.keep(digest, keys.generation, claims)
        return claims.caller

    def _open(self, token: str, keys: Keys) -> Claims:
        # (2) Three parts, each in the only spelling of its bytes: no second text for one token.
        parts = _COMPACT.fullmatch(token)
        if parts is None:
            raise ValueError("it is not a compact JWS")
        header, payload, _ = (base64url(part) for part in parts.groups())
        # (3) The header, and (4) the key that it names.
        key = _key(header, keys, self._keys.missed)
        # (5) The signature, before anything reads what it covers.
        if key.payload(token) != payload:
            raise ValueError("the signature covers something else")
        # (6) The claims.
        return read_claims(json_object(payload), self._issuer, self._audience)


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
