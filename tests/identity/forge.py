"""Tokens made by hand: own base64, own JSON, own signing, so that no library is lenient for us."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://identity.example"
AUDIENCE = "landbridge:islands"
NOW = 1_800_000_000


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Signer:
    """A key pair of an issuer: its JWKS entry, its public key as PEM, its way of signing."""

    kid: str
    alg: str
    jwk: dict[str, object]
    pem: bytes
    sign: Callable[[bytes], bytes]


def b64(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """A whole number as a JWK spells it."""
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def pem(key: PublicKeyTypes) -> bytes:
    """The public key as everybody can have it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ed25519_signer(kid: str) -> Signer:
    """A new EdDSA key."""
    key = ed25519.Ed25519PrivateKey.generate()
    x = b64(key.public_key().public_bytes_raw())
    jwk: dict[str, object] = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA"}
    return Signer(kid, "EdDSA", jwk, pem(key.public_key()), key.sign)


def p256_signer(kid: str) -> Signer:
    """A new ES256 key."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    x, y = b64(point.x.to_bytes(32, "big")), b64(point.y.to_bytes(32, "big"))
    jwk: dict[str, object] = {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return Signer(kid, "ES256", jwk | {"kid": kid, "alg": "ES256"}, pem(key.public_key()), sign)


def rsa_signer(kid: str, bits: int = 2048) -> Signer:
    """A new RS256 key."""
    key = rsa.generate_private_key(65537, bits)
    public = key.public_key().public_numbers()
    jwk: dict[str, object] = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}

    def sign(message: bytes) -> bytes:
        return key.sign(message, padding.PKCS1v15(), SHA256())

    return Signer(kid, "RS256", jwk | {"kid": kid, "alg": "RS256"}, pem(key.public_key()), sign)


def hmac_signer(kid: str, secret: bytes) -> Signer:
    """A forger's HS256 key, which no JWKS of ours holds."""
    return Signer(kid, "HS256", {}, b"", lambda message: hmac.digest(secret, message, "sha256"))


def header(signer: Signer, **members: object) -> dict[str, object]:
    """The right header for that signer, with those members put in."""
    return {"alg": signer.alg, "typ": "at+jwt", "kid": signer.kid} | members


def claims(**members: object) -> dict[str, object]:
    """A payload that is valid at `NOW`, with those members put in or, where None, left out."""
    whole: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "notebook",
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "t-1",
        "org": "harbour-office",
        "clearance": "restricted",
        "purposes": ["planning", "research"],
    }
    whole |= members
    return {name: value for name, value in whole.items() if value is not None}


def compact(signer: Signer, head: object, payload: object) -> str:
    """The compact JWS of two parts; bytes are taken as they are, all else is spelt as JSON."""
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, payload)
    ]
    signed = ".".join(b64(part) for part in parts)
    return f"{signed}.{b64(signer.sign(signed.encode()))}"


def token(signer: Signer, **members: object) -> str:
    """A token of that signer, its claims changed as for `claims`."""
    return compact(signer, header(signer), claims(**members))


def write_jwks(path: Path, *signers: Signer) -> Path:
    """The file, replaced as an operator should: a whole new one renamed into place."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"keys": [signer.jwk for signer in signers]}))
    fresh.replace(path)
    return path
