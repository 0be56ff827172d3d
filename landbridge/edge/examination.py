"""What a doctor looks at that both servers have: certificates, modes, disk, port, clock, keys, log.

Each check looks at the thing itself and says what it found and what to do. Nothing is changed; a
probe file is written into the state folder and taken away again.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from landbridge.edge import health
from landbridge.edge.trust import Trust, trusted
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.signer import Signer
from landbridge.identity.certificates import server_name

State = Literal["ok", "warning", "problem"]

RENEW_DAYS: Final = 14
LEAST_BYTES: Final = 256 << 20
FEW_BYTES: Final = 1 << 30
SECONDS: Final = 3.0
"""For one attempt to reach somebody."""
CLOCK_WARNS: Final = 30.0
CLOCK_REFUSES: Final = 120.0
"""Seconds: what a node accepts between a question's signature and its own clock."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do, and is empty where all is well."""

    check: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's TLS files, and the member name that its certificate must carry."""

    key: Path
    certificate: Path
    authority: Path
    name: str


def certificate(tls: Identity, now: float, missing: str) -> list[Finding]:
    """Whether key, certificate and authority belong together, and for how long.

    `missing` says how they come to be.
    """
    read = {}
    for path in (tls.key, tls.certificate, tls.authority):
        try:
            read[path] = path.read_bytes()
        except OSError as failure:
            return [_problem("certificate", f"{path} cannot be read ({failure.strerror})", missing)]
    try:
        own = x509.load_pem_x509_certificates(read[tls.certificate])
        authorities = x509.load_pem_x509_certificates(read[tls.authority])
        key = serialization.load_pem_private_key(read[tls.key], None)
    except ValueError:
        return [_problem("certificate", "a TLS file is no PEM of its kind", missing)]
    first, found = own[0], []
    if first.public_key() != key.public_key():
        found.append(
            _problem(
                "certificate",
                f"{tls.certificate} is not that of {tls.key}",
                "put the key and the certificate there that were made together",
            )
        )
    if not any(_issued(own[-1], authority) for authority in authorities):
        found.append(
            _problem(
                "certificate",
                f"no authority in {tls.authority} issued {tls.certificate}",
                "ask the gateway's operator for the federation's authority, or join anew",
            )
        )
    if server_name(tls.name) not in _names(first):
        found.append(
            _problem(
                "certificate",
                f"{tls.certificate} does not carry the name {server_name(tls.name)}",
                "use a certificate that was made for this member",
            )
        )
    return [*found, *_validity(first, now)] or [Finding("certificate", "ok", _until(first))]


def _validity(found: x509.Certificate, now: float) -> list[Finding]:
    moment = datetime.fromtimestamp(now, UTC)
    if moment < found.not_valid_before_utc:
        return [
            _problem(
                "certificate",
                f"it is valid from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only",
                "set this machine's clock, or wait",
            )
        ]
    if moment > found.not_valid_after_utc:
        return [
            _problem("certificate", f"it ended: {_until(found)}", "renew it now; peers refuse it")
        ]
    if moment > found.not_valid_after_utc - timedelta(days=RENEW_DAYS):
        return [Finding("certificate", "warning", f"it ends soon: {_until(found)}", "renew it")]
    return []


def modes(private: Iterable[Path], state: Path) -> list[Finding]:
    """Whether nobody else can read what is secret."""
    found = [
        _problem("modes", f"others can read {path}", f"chmod {wanted:o} {path}")
        for paths, wanted in (((state,), 0o700), (sorted(set(private)), 0o600))
        for path in paths
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    return found or [Finding("modes", "ok", "what is secret is its owner's alone")]


def disk(state: Path, least: int = LEAST_BYTES, few: int = FEW_BYTES) -> list[Finding]:
    """Whether the log can grow: free bytes, and whether a written file can be made durable."""
    # Where there is no state yet, the folder that it will be made in.
    place = next(folder for folder in (state, *state.absolute().parents) if folder.exists())
    probe = place / f".doctor-{os.getpid()}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"probe\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()
        free = os.statvfs(place)
    except OSError as failure:
        return [
            _problem(
                "disk",
                f"{state} cannot be written durably ({failure.strerror})",
                "give the server's account this folder on a disk that it may write to",
            )
        ]
    left = free.f_bavail * free.f_frsize
    if left < few:
        said = f"{left >> 20} MiB are free under {state}"
        remedy = "free some space, or archive old entries: landbridge log archive"
        return [Finding("disk", "problem" if left < least else "warning", said, remedy)]
    return [Finding("disk", "ok", f"{left >> 30} GiB are free, and writing is durable")]


def sources(trust: Trust) -> list[Finding]:
    """Whether the issuers' keys and the revocation list can be read now."""
    try:
        trusted(trust).close()
    except (ValueError, OSError) as failure:
        return [
            _problem(
                "identity",
                str(failure),
                "put the issuer's key set there, or mend jwks_url (docs/identity.md)",
            )
        ]
    return [Finding("identity", "ok", "the issuers' keys were read")]


def serving(address: str, tls: Identity, clock: Callable[[], float]) -> list[Finding]:
    """Whether the server runs at its own address; where it does not, whether it could."""
    host, _, port = address.rpartition(":")
    near = "127.0.0.1" if host in ("0.0.0.0", "[::]", "") else host  # noqa: S104 - compared only
    if port == "0":
        return [Finding("port", "ok", "it takes any free port")]
    reached = reach(f"{near}:{port}", tls, tls.name, clock, "server")
    if reached[0].state == "ok" or "says" in reached[0].found:
        return reached[:1]
    taken = bindable(host.strip("[]"), port)
    if taken:
        remedy = "end what holds the port, or choose another in listen"
        return [_problem("port", f"{address} cannot be used ({taken})", remedy)]
    return [Finding("port", "warning", f"nothing runs at {address}", "start the server")]


def bindable(host: str, port: str) -> str:
    """Why no server could listen there; empty where one could."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, int(port)))
    except (OSError, ValueError, OverflowError) as failure:
        return getattr(failure, "strerror", None) or str(failure)
    return ""


def reach(
    address: str, tls: Identity, member: str, clock: Callable[[], float], check: str
) -> list[Finding]:
    """Whether a member answers at its address, what it says, and how far its clock is."""
    try:
        credentials = grpc.ssl_channel_credentials(
            tls.authority.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
        )
    except OSError:
        return [_problem(check, f"{member} cannot be asked without TLS files", "mend those first")]
    options = [("grpc.ssl_target_name_override", server_name(member))]
    try:
        with grpc.secure_channel(address, credentials, options) as channel:
            healthy, theirs = health.check(channel, SECONDS)
    except grpc.RpcError as failure:
        return [
            _problem(
                check,
                f"{member} does not answer at {address} ({_status(failure)})",
                "see whether it runs, whether a firewall lets it through, and its doctor",
            )
        ]
    said = (
        Finding(check, "ok", f"{member} at {address} says SERVING")
        if healthy
        else _problem(
            check,
            f"{member} at {address} says NOT_SERVING",
            "it stops, or its log may not be relied on: read what it told its operator",
        )
    )
    return [said, *clocks(member, theirs, clock())]


def clocks(member: str, theirs: float | None, ours: float) -> list[Finding]:
    """How far apart two clocks are; a node refuses what was signed two minutes ago or later."""
    if theirs is None:
        return []
    apart = abs(theirs - ours)
    remedy = "set both clocks by NTP (timedatectl set-ntp true)"
    if apart > CLOCK_WARNS:
        state: State = "problem" if apart >= CLOCK_REFUSES else "warning"
        return [Finding("clock", state, f"{member}'s clock is {apart:.0f} s from ours", remedy)]
    return [Finding("clock", "ok", f"{member}'s clock agrees")]


def log(state: Path) -> list[Finding]:
    """Whether the published log holds, every entry of it, under the key in the state folder."""
    if not (state / "log" / "checkpoint").exists():
        return [Finding("log", "ok", "there is no log yet")]
    try:
        key = Signer.load(state / "log.key").vkey
        found = verify_folder(state / "log", key, without_archive=True)
    except (EvidenceError, OSError) as failure:
        return [
            _problem(
                "log",
                str(failure),
                "stop the server and restore the newest copy of the state folder",
            )
        ]
    return [Finding("log", "ok", f"{found.size} entries hold")]


def attempt(check: str, remedy: str, errors: Any, look: Callable[[], str]) -> list[Finding]:
    """What `look` says is well; one of `errors` is a problem in its own words."""
    try:
        return [Finding(check, "ok", look())]
    except errors as failure:
        return [_problem(check, str(failure), remedy)]


def _problem(check: str, found: str, remedy: str) -> Finding:
    return Finding(check, "problem", found, remedy)


def _issued(chain_end: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        chain_end.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return chain_end == authority
    return True


def _names(found: x509.Certificate) -> list[str]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)


def _until(found: x509.Certificate) -> str:
    return f"valid until {found.not_valid_after_utc:%Y-%m-%d}"


def _status(failure: Any) -> str:
    return str(failure.code().name)
