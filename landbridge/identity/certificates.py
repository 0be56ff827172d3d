"""Peers by their certificate: which member of the federation is at the other end."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from landbridge.errors import error

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
"""Names of federations and members: lower-case, so that no two differ by case alone."""

_REMEMBERED: Final = 256
"""Certificates whose reading is remembered: a request shows one that was read before."""
_IDENTITY: Final = re.compile(rf"landbridge://({NAME.pattern})/({NAME.pattern})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Peer:
    """A member, as the certificate that TLS has checked says.

    `fingerprint` is the SHA-256 of the DER certificate, 64 hex digits; `serial` its number, lower
    case hex; `ends` when it ends, in seconds since 1970.
    """

    name: str
    fingerprint: str
    federation: str = ""
    serial: str = ""
    ends: float = math.inf


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
    found = read_member(certificates[0])
    if found is None:
        raise error("PEER_UNKNOWN")
    return found


@dataclass(frozen=True, slots=True)
class Presented:
    """The certificate that a caller showed when the connection was opened.

    `fingerprint` is its SHA-256, 64 hex digits, empty where none was shown; `ends` is when it ends,
    in seconds since 1970. A connection can outlive it.
    """

    fingerprint: str = ""
    ends: float = math.inf


NONE_PRESENTED: Final = Presented()


def presented(auth_context: Mapping[str, Iterable[bytes]]) -> Presented:
    """What a caller showed on a gRPC call.

    TLS has checked its chain and dates against the authority of that port; on a port that asks for
    none there is none.
    """
    transport = list(auth_context.get("transport_security_type", (b"ssl",)))
    certificates = list(auth_context.get("x509_pem_cert", ()))
    if transport != [b"ssl"] or len(certificates) != 1:
        return NONE_PRESENTED
    return _presented(certificates[0])


@lru_cache(_REMEMBERED)
def _presented(pem: bytes) -> Presented:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        ends = certificate.not_valid_after_utc.timestamp()
        return Presented(certificate.fingerprint(SHA256()).hex(), ends)
    except (ValueError, x509.InvalidVersion):
        return NONE_PRESENTED


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


@dataclass(frozen=True, slots=True)
class Admission:
    """The one member that is let in, at every request of every connection.

    TLS looks at a certificate once, when the connection is opened, and a connection can outlive
    its certificate: by its end, or because it was revoked. `revoked` says whether one is revoked at
    that time, `clock` gives seconds since 1970.
    """

    name: str
    federation: str | None
    revoked: Callable[[Peer, float], bool] = lambda _, __: False
    clock: Callable[[], float] = time.time

    def require(self, auth_context: Mapping[str, Iterable[bytes]]) -> Peer:
        """The peer; raises PEER_UNKNOWN, CERTIFICATE_REVOKED or CERTIFICATE_ENDED."""
        found = require_peer(auth_context, self.name, self.federation)
        now = self.clock()
        if self.revoked(found, now):
            raise error("CERTIFICATE_REVOKED")
        if now >= found.ends:
            raise error("CERTIFICATE_ENDED")
        return found


@lru_cache(_REMEMBERED)
def read_member(pem: bytes) -> Peer | None:
    """The member that a certificate names; None where it names none. Checks no chain, no date.

    Remembered by the certificate's bytes, which say all of it: a connection shows the same one at
    every request. Whether it is revoked or has ended is asked anew each time.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        fingerprint = certificate.fingerprint(SHA256()).hex()
        serial, ends = f"{certificate.serial_number:x}", certificate.not_valid_after_utc.timestamp()
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
    return Peer(ours[2], fingerprint, ours[1], serial, ends) if ours else None
