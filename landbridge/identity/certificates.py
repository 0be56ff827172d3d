"""Peers by their certificate: which member of the federation is at the other end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from landbridge.errors import error

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
"""Names of federations and members: lower-case, so that no two differ by case alone."""

_IDENTITY: Final = re.compile(rf"landbridge://({NAME.pattern})/({NAME.pattern})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Peer:
    """A member, as the certificate that TLS has checked says.

    `fingerprint` is the SHA-256 of the DER certificate, 64 hex digits.
    """

    name: str
    fingerprint: str
    federation: str = ""


def identity(federation: str, member: str) -> str:
    """The URI that names a member in its certificate: `landbridge://<federation>/<member>`.

    Raises ValueError where a name is not 1 to 63 of a-z, 0-9, dot, underscore and hyphen, beginning
    and ending with a letter or digit.
    """
    for kind, name in (("federation", federation), ("member", member)):
        if not NAME.fullmatch(name):
            raise ValueError(
                f"The {kind} name {name!a} cannot stand in a certificate; use 1 to 63 of a-z, 0-9, "
                "'.', '_' and '-', beginning and ending with a letter or digit."
            )
    return f"landbridge://{federation}/{member}"


def server_name(member: str) -> str:
    """The name in a member's server certificate that is nobody else's, wherever it runs."""
    return f"{member.replace('_', '-')}.landbridge.internal"


def peer(auth_context: Mapping[str, Iterable[bytes]]) -> Peer:
    """The member at the other end of a gRPC call, from `ServicerContext.auth_context()`.

    TLS has already checked the chain and the dates. The certificate must hold exactly one URI among
    its subject alternative names, and it must be ours. Common names and DNS names say where a
    member runs, not who it is, and are not read. Raises PEER_UNKNOWN otherwise.
    """
    transport = list(auth_context.get("transport_security_type", (b"ssl",)))
    certificates = list(auth_context.get("x509_pem_cert", ()))
    if transport != [b"ssl"] or len(certificates) != 1:
        raise error("PEER_UNKNOWN")
    found = _read(certificates[0])
    if found is None:
        raise error("PEER_UNKNOWN")
    return found


def thumbprint(auth_context: Mapping[str, Iterable[bytes]]) -> str:
    """SHA-256 of the certificate that a caller showed on a gRPC call, 64 hex digits; else empty.

    TLS has checked its chain and dates against the authority of that port; on a port that asks for
    none there is none.
    """
    transport = list(auth_context.get("transport_security_type", (b"ssl",)))
    certificates = list(auth_context.get("x509_pem_cert", ()))
    if transport != [b"ssl"] or len(certificates) != 1:
        return ""
    try:
        return x509.load_pem_x509_certificate(certificates[0]).fingerprint(SHA256()).hex()
    except (ValueError, x509.InvalidVersion):
        return ""


def require_peer(
    auth_context: Mapping[str, Iterable[bytes]], name: str, federation: str | None = None
) -> Peer:
    """The peer, which is the member `name`; raises PEER_UNKNOWN for everybody else.

    `federation` must equal too; None where the trusted authority serves one federation alone.
    """
    found = peer(auth_context)
    if found.name != name or federation not in (None, found.federation):
        raise error("PEER_UNKNOWN")
    return found


def _read(pem: bytes) -> Peer | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        fingerprint = certificate.fingerprint(SHA256()).hex()
    except (
        ValueError,
        TypeError,
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        return None
    if len(uris) != 1:
        return None
    ours = _IDENTITY.fullmatch(uris[0])
    return Peer(ours[2], fingerprint, ours[1]) if ours else None
