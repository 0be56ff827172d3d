"""What a department sends to become a member, and what both operators see of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from landbridge.identity.certificates import server_name
from landbridge.identity.json_object import json_object
from landbridge.membership.canonical import parts
from landbridge.membership.code import JoinCode
from landbridge.membership.manifest import MemberEntry, canonical_json, entry_from, entry_to

_LABEL: Final = b"landbridge join v1"
LONGEST: Final = 64 * 1024


class ApplicationInvalid(Exception):
    """It is no application; says nothing of it."""


@dataclass(frozen=True, slots=True)
class Application:
    """The entry that the department asks for, and its certificate request (PKCS #10, DER)."""

    entry: bytes
    request: bytes
    proof: bytes

    @classmethod
    def make(
        cls, code: JoinCode, entry: MemberEntry, key: ec.EllipticCurvePrivateKey
    ) -> Application:
        """Proved by the code, whose key signs over all of it and the gateway's authority."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, entry.department)])
        asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
        request = asked.public_bytes(serialization.Encoding.DER)
        body = canonical_json(entry_to(entry))
        statement = _statement(code.federation, code.fingerprint, body, request)
        return cls(body, request, code.key.sign(statement))

    def read(self) -> tuple[MemberEntry, ec.EllipticCurvePublicKey]:
        """The entry, and the key that its sender has; raises ApplicationInvalid."""
        try:
            if len(self.entry) + len(self.request) > LONGEST:
                raise ApplicationInvalid
            entry = entry_from(json_object(self.entry))
            asked = x509.load_der_x509_csr(self.request)
            key = asked.public_key()
            sound = (
                canonical_json(entry_to(entry)) == self.entry
                and asked.is_signature_valid
                and isinstance(key, ec.EllipticCurvePublicKey)
                and key.curve.name == "secp256r1"
                and (entry.name, entry.rotation) == (server_name(entry.department), b"")
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if not sound or not isinstance(key, ec.EllipticCurvePublicKey):
            raise ApplicationInvalid
        return entry, key

    def proved(self, key: Ed25519PublicKey, federation: str, authority: str) -> bool:
        """By the code whose public half is `key`, towards the authority of that fingerprint."""
        try:
            key.verify(self.proof, _statement(federation, authority, self.entry, self.request))
        except InvalidSignature:
            return False
        return True

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything asked for, which two operators compare."""
        return sha256(parts((_LABEL, self.entry, self.request))).hexdigest()


def _statement(federation: str, authority: str, entry: bytes, request: bytes) -> bytes:
    return parts((_LABEL, federation.encode(), bytes.fromhex(authority), entry, request))
