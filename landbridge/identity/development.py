"""A certificate authority and a token issuer for development, tests and demonstrations.

NOT FOR PRODUCTION: their private keys lie unencrypted in a folder, nothing is revoked, and they
certify whatever they are asked. Departments bring their own authority and identity provider.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
import stat
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from landbridge.identity.certificates import identity
from landbridge.identity.json_object import json_object
from landbridge.levels import Level

_AUTHORITY_KEY: Final = "development-ca.key.pem"
_AUTHORITY: Final = "development-ca.pem"
_ISSUER_KEY: Final = "development-issuer.key.pem"
_ISSUER: Final = "development-issuer.json"
_JWKS: Final = "jwks.json"
# Certificates begin a little in the past, for machines whose clocks differ; short ones, less so.
_SKEW: Final = timedelta(minutes=5)
_SKEW_SHARE: Final = 10
_AUTHORITY_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class DevelopmentAuthority:
    """Certifies the members of one federation, for development only. `ca_pem` is what they trust.

    The folder holds `development-ca.pem` and `development-ca.key.pem` (mode 0600).
    """

    federation: str
    ca_pem: bytes
    _certificate: x509.Certificate = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(
        cls, folder: Path, federation: str, now: float | None = None
    ) -> DevelopmentAuthority:
        """A new authority in that folder; FileExistsError where there is one already.

        ValueError for a name that no certificate can hold. It is valid for ten years from `now`.
        """
        identity(federation, "authority")
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
                x509.NameAttribute(NameOID.COMMON_NAME, "Landbridge DEVELOPMENT authority"),
            ]
        )
        certificate = (
            _unsigned(name, name, key.public_key(), _AUTHORITY_DAYS, now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(key, SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        write_private(folder / _AUTHORITY_KEY, _pem(key))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (folder / _AUTHORITY).write_bytes(pem)
        return cls(federation, pem, certificate, key)

    @classmethod
    def load(cls, folder: Path) -> DevelopmentAuthority:
        """The authority in that folder; FileNotFoundError, PermissionError or ValueError if not."""
        key = serialization.load_pem_private_key(_read_private(folder / _AUTHORITY_KEY), None)
        pem = (folder / _AUTHORITY).read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if (
            not isinstance(key, ec.EllipticCurvePrivateKey)
            or key.public_key() != certificate.public_key()
            or len(names) != 1
        ):
            raise ValueError(f"{folder} holds no development authority; create one anew.")
        return cls(str(names[0].value), pem, certificate, key)

    def certificate(
        self, member: str, hosts: Sequence[str], days_valid: float = 30, now: float | None = None
    ) -> tuple[bytes, bytes]:
        """A new private key and certificate for a member, both PEM; EC P-256.

        Good for serving at `hosts` (DNS names and IP addresses) and for calling. ValueError for a
        member name that no certificate can hold.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem(key), self.certify(member, hosts, key.public_key(), days_valid, now)

    def certify(
        self,
        member: str,
        hosts: Sequence[str],
        key: ec.EllipticCurvePublicKey,
        days_valid: float = 30,
        now: float | None = None,
    ) -> bytes:
        """A certificate, PEM, for a key that the member made itself; otherwise as `certificate`."""
        if isinstance(hosts, str):
            raise TypeError("hosts is a sequence of names, not one name")
        names = [
            x509.UniformResourceIdentifier(identity(self.federation, member)),
            *map(_host, hosts),
        ]
        certificate = (
            _unsigned(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, member)]),
                self._certificate.subject,
                key,
                days_valid,
                now,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class DevelopmentIssuer:
    """Issues access tokens (RFC 9068, EdDSA), for development only.

    The folder holds `jwks.json` (public, what a `KeySet` loads), `development-issuer.json` (issuer
    and audience) and `development-issuer.key.pem` (mode 0600).
    """

    issuer: str
    audience: str
    _key: ed25519.Ed25519PrivateKey = field(repr=False)

    @classmethod
    def create(cls, folder: Path, issuer: str, audience: str) -> DevelopmentIssuer:
        """A new issuer in that folder; FileExistsError where there is one already."""
        made = cls(issuer, audience, ed25519.Ed25519PrivateKey.generate())
        folder.mkdir(parents=True, exist_ok=True)
        write_private(folder / _ISSUER_KEY, _pem(made._key))
        settings = {"issuer": issuer, "audience": audience}
        (folder / _ISSUER).write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
        # Renamed into place: a server that follows the file never sees half of it.
        unfinished = folder / f"{_JWKS}.new"
        unfinished.write_text(json.dumps({"keys": [made.jwk]}, indent=2) + "\n", "utf-8")
        unfinished.replace(folder / _JWKS)
        return made

    @classmethod
    def load(cls, folder: Path) -> DevelopmentIssuer:
        """The issuer in that folder; FileNotFoundError, PermissionError or ValueError if not."""
        key = serialization.load_pem_private_key(_read_private(folder / _ISSUER_KEY), None)
        settings = json_object((folder / _ISSUER).read_bytes())
        issuer, audience = settings.get("issuer"), settings.get("audience")
        if not (
            isinstance(key, ed25519.Ed25519PrivateKey)
            and isinstance(issuer, str)
            and isinstance(audience, str)
        ):
            # The files are wrong, not the type of an argument.
            raise ValueError(f"{folder} holds no development issuer; create one anew.")  # noqa: TRY004 - the file is wrong, no argument
        return cls(issuer, audience, key)

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JWKS entry; its `kid` is the key's thumbprint (RFC 7638)."""
        raw = self._key.public_key().public_bytes_raw()
        required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
        thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
        return required | {"kid": _base64url(thumbprint), "alg": "EdDSA", "use": "sig"}

    def issue(
        self,
        subject: str,
        *,
        organisation: str,
        clearance: Level | str,
        purposes: Iterable[str],
        client: str = "cli",
        lifetime: float = 3600,
        now: float | None = None,
    ) -> str:
        """A token for that subject, valid for `lifetime` seconds from `now` (seconds since 1970).

        It says what it is told to, also what a verifier will refuse. ValueError for an unknown
        level, TypeError for purposes that are one text.
        """
        if isinstance(purposes, str):
            raise TypeError("purposes is a collection of texts, not one text")
        level = Level.named(clearance) if isinstance(clearance, str) else clearance
        issued = time.time() if now is None else now
        header = {"alg": "EdDSA", "kid": self.jwk["kid"], "typ": "at+jwt"}
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "client_id": client,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": secrets.token_hex(16),
            "org": organisation,
            "clearance": level.label,
            "purposes": sorted(set(purposes)),
        }
        return self._signed(header, claims)

    def identify(
        self,
        subject: str,
        *,
        client: str,
        nonce: str,
        lifetime: float = 300,
        now: float | None = None,
    ) -> str:
        """An ID token (OpenID Connect Core 1.0, section 2) for a client's sign-in."""
        issued = time.time() if now is None else now
        header = {"alg": "EdDSA", "kid": self.jwk["kid"], "typ": "JWT"}
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": client,
            "sub": subject,
            "nonce": nonce,
            "iat": issued,
            "auth_time": issued,
            "exp": issued + lifetime,
        }
        return self._signed(header, claims)

    def _signed(self, header: dict[str, str], claims: dict[str, object]) -> str:
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_base64url(self._key.sign(signed.encode()))}"


def write_private(path: Path, pem: bytes) -> None:
    """A new file that only its owner can read, from its first moment; FileExistsError if there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise FileExistsError(f"{path} exists; load it, or choose another folder.") from None
    with os.fdopen(descriptor, "wb") as stream:
        # The umask can only have taken rights away from 0600; this gives the owner's back.
        os.fchmod(descriptor, 0o600)
        stream.write(pem)


def _read_private(path: Path) -> bytes:
    with path.open("rb") as stream:
        if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
            raise PermissionError(f"{path} can be read by others; set its mode to 0600.")
        return stream.read()


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days_valid: float,
    now: float | None,
) -> x509.CertificateBuilder:
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    life = timedelta(days=days_valid)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - min(_SKEW, life / _SKEW_SHARE))
        .not_valid_after(moment + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
