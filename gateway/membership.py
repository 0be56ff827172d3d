"""What an operator does about members: invite, look, approve, reject. Commands, not the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.register import ADMITTED, WAITING, Register, RegisterRefuses
from gateway.settings import Settings, open_manifest
from landbridge.identity.certificates import server_name
from landbridge.identity.development import DevelopmentAuthority, write_private
from landbridge.membership.application import Application
from landbridge.membership.code import LIFETIME, JoinCode
from landbridge.membership.keys import signing_key
from landbridge.membership.pinned import replace_durably

_DAY: Final = 86_400.0
_GRANTED: Final = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)


def prepare(settings: Settings) -> None:
    """Makes the federation's authority and the gateway's certificate where there are none yet.

    An operator who brings an authority of their own has put the files there before.
    """
    if settings.tls_authority.exists() or settings.tls_key.exists():
        return
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = DevelopmentAuthority.create(_authority(settings), settings.federation)
    host = settings.listen.rpartition(":")[0].strip("[]")
    hosts = dict.fromkeys(["localhost", "127.0.0.1", host, server_name(settings.name)])
    key, certificate = authority.certificate(
        settings.name, tuple(hosts), settings.certificate_seconds / _DAY
    )
    write_private(settings.tls_key, key)
    replace_durably(settings.tls_certificate, certificate)
    replace_durably(settings.tls_authority, authority.ca_pem)


def invite(
    settings: Settings, department: str, address: str, clock: Callable[[], float]
) -> JoinCode:
    """A join code for that department, good once and for fifteen minutes.

    `address` is where the department reaches this gateway. Raises RegisterRefuses.
    """
    if not _DEPARTMENT.fullmatch(department):
        raise RegisterRefuses(
            "A department is a lower-case name of up to 31 letters, digits and underscores."
        )
    if server_name(department) == server_name(settings.name):
        raise RegisterRefuses("The gateway's own name is no department.")
    prepare(settings)
    authority = x509.load_pem_x509_certificate(_load(settings).ca_pem)
    code = JoinCode.create(
        settings.federation,
        settings.name,
        department,
        address,
        int(clock()) + LIFETIME,
        authority.public_bytes(Encoding.DER),
    )
    Register(settings.state, settings.federation, clock).invite(code)
    return code


def approve(
    settings: Settings, department: str, fingerprint: str, clock: Callable[[], float]
) -> None:
    """Certifies the applicant and puts it into the manifest; raises RegisterRefuses.

    A member that is there already is replaced: other departments then ask their operators.
    """
    authority = _load(settings)
    key = signing_key(settings.state)
    manifest = open_manifest(settings, key)

    def certify(application: Application) -> bytes:
        entry, public = application.read()
        # Not its address: who may choose a host could take the gateway's, and callers' tokens.
        certificate = authority.certify(
            department, (server_name(department),), public, settings.certificate_seconds / _DAY
        )
        others = [each for each in manifest.members if each.department != department]
        # In the manifest first: an applicant that is told yes finds itself there.
        replace_durably(settings.manifest, manifest.following((*others, entry)).signed(key))
        return certificate

    Register(settings.state, settings.federation, clock).decide(department, fingerprint, certify)


def reject(settings: Settings, department: str, clock: Callable[[], float]) -> None:
    """Refuses the applicant; raises RegisterRefuses where nobody waits."""
    Register(settings.state, settings.federation, clock).decide(department, "", None)


def revoke(settings: Settings, department: str, clock: Callable[[], float]) -> None:
    """Takes the department out of the manifest; a running gateway follows within seconds.

    Raises RegisterRefuses where it is no member.
    """
    key = signing_key(settings.state)
    manifest = open_manifest(settings, key)
    if manifest.member(department) is None:
        raise RegisterRefuses(f"Department {department} is no member.")
    Register(settings.state, settings.federation, clock).forget(department)
    staying = [each for each in manifest.members if each.department != department]
    replace_durably(settings.manifest, manifest.following(staying).signed(key))


def grant(
    settings: Settings, department: str, contracts: Sequence[str], handlers: Sequence[str]
) -> None:
    """Lets the gateway ask a member for further contracts and handlers; raises RegisterRefuses.

    The member decides what it serves; this is what the gateway believes it to serve.
    """
    key = signing_key(settings.state)
    manifest = open_manifest(settings, key)
    entry = manifest.member(department)
    if entry is None:
        raise RegisterRefuses(f"Department {department} is no member.")
    for name in (*contracts, *handlers):
        if not _GRANTED.fullmatch(name):
            raise RegisterRefuses(
                "A contract or handler is a lower-case name of up to 63 letters, digits and "
                "underscores; handlers without their department."
            )
    wider = replace(
        entry,
        contracts=tuple(sorted({*entry.contracts, *contracts})),
        handlers=tuple(sorted({*entry.handlers, *handlers})),
    )
    if wider == entry:
        return
    members = [wider if each is entry else each for each in manifest.members]
    replace_durably(settings.manifest, manifest.following(members).signed(key))


def listing(settings: Settings, clock: Callable[[], float]) -> list[dict[str, object]]:
    """Members, and those who wait, each with what an operator compares."""
    applicants = Register(settings.state, settings.federation, clock).applicants()
    listed: list[dict[str, object]] = [
        {
            "department": each.department,
            "state": "member",
            "address": each.address,
            "contracts": list(each.contracts),
            "handlers": list(each.handlers),
            "fingerprint": applicants[each.department].application.fingerprint
            if each.department in applicants and applicants[each.department].state == ADMITTED
            else "",
        }
        for each in open_manifest(settings, signing_key(settings.state)).members
    ]
    for department, applicant in sorted(applicants.items()):
        if applicant.state == WAITING:
            entry, _ = applicant.application.read()
            listed.append(
                {
                    "department": department,
                    "state": WAITING,
                    "address": entry.address,
                    "contracts": list(entry.contracts),
                    "handlers": list(entry.handlers),
                    "fingerprint": applicant.application.fingerprint,
                }
            )
    return listed


def own_authority(settings: Settings) -> DevelopmentAuthority | None:
    """The gateway's own authority; None where its operator brings another."""
    try:
        return DevelopmentAuthority.load(_authority(settings))
    except FileNotFoundError:
        return None


def _authority(settings: Settings) -> Path:
    return settings.state / "authority"


def _load(settings: Settings) -> DevelopmentAuthority:
    authority = own_authority(settings)
    if authority is None:
        raise RegisterRefuses(
            "This gateway has no authority of its own: its certificates come from elsewhere, and "
            "so must its members'."
        )
    return authority
