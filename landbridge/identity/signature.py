"""Signatures over tokens. The one file that imports PyJWT.

Only its signature layer is used (RFC 7515): what PyJWT makes of headers and claims is more lenient
than we are, and is decided in `tokens` and `claims`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import jwt

from landbridge.identity.json_object import base64url

ALGORITHMS: Final = ("EdDSA", "ES256", "RS256")
"""The algorithms that a key can be pinned to, as RFC 7518 and RFC 8037 spell them."""

_SHAPES: Final[dict[str, dict[str, str]]] = {
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "RS256": {"kty": "RSA"},
}
_NUMBERS: Final = {"OKP": ("x",), "EC": ("x", "y"), "RSA": ("n", "e")}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
# Under 2048 bits RSA is breakable; over 8192 a verification takes long enough to be an attack.
_RSA_BITS: Final = range(2048, 8192 + 1)
_RSA_EXPONENTS: Final = range(65537, 2**32)


class SignatureError(ValueError):
    """The key did not sign this token."""


@dataclass(frozen=True, slots=True, eq=False)
class PublicKey:
    """A verification key, pinned to the one algorithm that its JWKS entry names."""

    id: str
    algorithm: str
    _key: jwt.PyJWK = field(repr=False)

    @classmethod
    def read(cls, entry: Mapping[str, object]) -> PublicKey:
        """The key that a JWK spells (RFC 7517); `kid` and `alg` are required.

        Raises ValueError whose text completes "entry so-and-so ...".
        """
        identifier = entry.get("kid")
        if not isinstance(identifier, str) or not identifier:
            raise ValueError('has no "kid"; give every key a name of its own')
        algorithm = entry.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise ValueError(f'must pin its algorithm: "alg" is one of {", ".join(ALGORITHMS)}')
        for member, needed in _SHAPES[algorithm].items():
            if entry.get(member) != needed:
                raise ValueError(f'is pinned to {algorithm}, so its "{member}" must be "{needed}"')
        if any(member in entry for member in _PRIVATE):
            raise ValueError("holds private key material; withdraw that key and publish another")
        if entry.get("use", "sig") != "sig":
            raise ValueError('is not for signatures; "use" must be "sig"')
        operations = entry.get("key_ops", ["verify"])
        if not isinstance(operations, list) or "verify" not in operations:
            raise ValueError('may not verify; "key_ops" must hold "verify"')
        numbers = {name: _number(entry, name) for name in _NUMBERS[_SHAPES[algorithm]["kty"]]}
        if algorithm == "RS256":
            if numbers["n"].bit_length() not in _RSA_BITS:
                raise ValueError("must have an RSA modulus of 2048 to 8192 bits")
            if numbers["e"] not in _RSA_EXPONENTS:
                raise ValueError("must have an RSA exponent of 65537 or a little more")
        try:
            return cls(identifier, algorithm, jwt.PyJWK(dict(entry), algorithm))
        except (jwt.PyJWTError, ValueError):
            raise ValueError(f"is not a usable {algorithm} key") from None

    def payload(self, token: str) -> bytes:
        """The payload of a compact JWS that this key signed with its own algorithm.

        Raises SignatureError otherwise. The header must have been judged before.
        """
        try:
            # PyJWT takes the algorithm from the key, and refuses a header that names another.
            opened = _JWS.decode_complete(token, key=self._key, algorithms=[self.algorithm])
        except (jwt.PyJWTError, ValueError):
            raise SignatureError("the signature is not this key's") from None
        payload: bytes = opened["payload"]
        return payload


_JWS: Final = jwt.PyJWS(algorithms=ALGORITHMS)


def _number(entry: Mapping[str, object], name: str) -> int:
    text = entry.get(name)
    try:
        return int.from_bytes(base64url(text if isinstance(text, str) else ""), "big")
    except ValueError as reason:
        raise ValueError(f'has no usable "{name}": {reason}') from None
