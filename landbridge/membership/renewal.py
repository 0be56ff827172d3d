"""A member's certificate before it ends: what the member signs, and what its gateway holds it to.

The request is made with the present certificate, which must still be good, and signed by the
member's signing key, which the manifest lists. So neither an old certificate with its TLS key nor a
captured request makes anybody a member: the certificate that comes of it is for the same key again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from landbridge.identity.certificates import read_member
from landbridge.membership.canonical import parts

_LABEL: Final = b"landbridge renewal v1"
SHARE: Final = 3
"""A certificate is renewed in the last third of its life."""


class RenewalInvalid(Exception):
    """Nothing that a certificate may be made for, or none that was asked for; one sentence."""


@dataclass(frozen=True, slots=True)
class Life:
    """When a certificate counts; seconds since 1970."""

    begins: float
    ends: float

    @classmethod
    def of(cls, pem: bytes) -> Life:
        """That of a certificate, PEM; ValueError where it is none."""
        certificate = x509.load_pem_x509_certificate(pem)
        return cls(
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
        )

    @property
    def renews(self) -> float:
        """From when on another is asked for."""
        return self.ends - (self.ends - self.begins) / SHARE

    @property
    def overdue(self) -> float:
        """From when on an operator should know that no other came."""
        return self.ends - (self.ends - self.begins) / (2 * SHARE)

    @property
    def last_moment(self) -> str:
        """The end, for people."""
        return datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """The present certificate (PEM), a PKCS #10 request (DER) for its key, and the proof."""

    certificate: bytes
    request: bytes
    proof: bytes

    @classmethod
    def make(
        cls,
        federation: str,
        department: str,
        certificate: bytes,
        key: ec.EllipticCurvePrivateKey,
        signing: Ed25519PrivateKey,
    ) -> RenewalRequest:
        """One for that certificate, whose key is `key`."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, department)])
        asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
        request = asked.public_bytes(serialization.Encoding.DER)
        said = _statement(federation, department, certificate, request)
        return cls(certificate, request, signing.sign(said))

    def key(
        self,
        federation: str,
        department: str,
        authority: x509.Certificate,
        signing: Ed25519PublicKey,
        now: float,
    ) -> ec.EllipticCurvePublicKey:
        """The key that may be certified again for that department.

        Raises RenewalInvalid unless `signing` signed the request, the present certificate is that
        authority's for this department, is good at `now`, and has the same key.
        """
        try:
            signing.verify(
                self.proof, _statement(federation, department, self.certificate, self.request)
            )
            certificate = x509.load_pem_x509_certificate(self.certificate)
            certificate.verify_directly_issued_by(authority)
            asked = x509.load_der_x509_csr(self.request)
            key = asked.public_key()
            sound = asked.is_signature_valid and key == certificate.public_key()
            member = read_member(self.certificate)
            life = Life.of(self.certificate)
        except (InvalidSignature, ValueError, TypeError):
            raise RenewalInvalid("It was not signed by this member's keys.") from None
        named = member is not None and (member.federation, member.name) == (federation, department)
        if not sound or not named or not isinstance(key, ec.EllipticCurvePublicKey):
            raise RenewalInvalid("It is not for the key and name of the present certificate.")
        if not life.begins <= now < life.ends:
            raise RenewalInvalid("The present certificate has ended; the department joins anew.")
        return key


def require_successor(
    renewed: bytes, present: bytes, authority: bytes, federation: str, member: str, now: float
) -> None:
    """Returns for a certificate that may take the place of `present`; all PEM.

    Raises RenewalInvalid unless the authority issued it to the same member and key, it is good now
    and lasts longer.
    """
    try:
        certificate = x509.load_pem_x509_certificate(renewed)
        issuers = x509.load_pem_x509_certificates(authority)
        earlier = x509.load_pem_x509_certificate(present)
        found = read_member(renewed)
        life, before = Life.of(renewed), Life.of(present)
    except ValueError:
        raise RenewalInvalid("It is no certificate.") from None
    sound = (
        any(_issued(certificate, issuer) for issuer in issuers)
        and certificate.public_key() == earlier.public_key()
        and found is not None
        and (found.federation, found.name) == (federation, member)
        and life.begins <= now < life.ends
        and life.ends > before.ends
    )
    if not sound:
        raise RenewalInvalid("It cannot take the place of the present certificate.")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _statement(federation: str, department: str, certificate: bytes, request: bytes) -> bytes:
    present = sha256(certificate).digest()
    return parts((_LABEL, federation.encode(), department.encode(), present, request))
