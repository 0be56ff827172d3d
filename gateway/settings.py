"""The gateway's configuration file, `gateway.toml`, and the manifest of members that it signs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.departments import Member
from landbridge.edge.settings import SettingsInvalid, open_settings
from landbridge.membership.manifest import Manifest, ManifestInvalid, read_manifest
from landbridge.membership.pinned import replace_durably


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides; paths are relative to the file."""

    federation: str
    name: str
    listen: str
    state: Path
    access: Path
    manifest: Path
    issuer: str
    audience: str
    jwks: Path
    tls_key: Path
    tls_certificate: Path
    tls_authority: Path
    calls: int


def read(path: Path) -> Settings:
    """The settings in the file; raises SettingsInvalid, naming every problem."""
    top, problems = open_settings(path)
    identity, tls, limits = (top.section(name) for name in ("identity", "tls", "limits"))
    settings = Settings(
        federation=top.text("federation"),
        name=top.text("name", "gateway"),
        listen=top.text("listen", "127.0.0.1:0"),
        state=top.path("state", "state"),
        access=top.path("access", "access.cedar"),
        manifest=top.path("manifest", "manifest.json"),
        issuer=identity.text("issuer"),
        audience=identity.text("audience"),
        jwks=identity.path("jwks"),
        tls_key=tls.path("key"),
        tls_certificate=tls.path("certificate"),
        tls_authority=tls.path("authority"),
        calls=limits.integer("calls", 32),
    )
    for section in (top, identity, tls, limits):
        section.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return settings


def open_manifest(settings: Settings, key: Ed25519PrivateKey) -> Manifest:
    """The gateway's own manifest; one without members is written where there is none yet.

    Raises SettingsInvalid for a file that this gateway did not sign.
    """
    path = settings.manifest
    if not path.exists():
        empty = Manifest(settings.federation, 0, settings.name, key.public_key()).following(())
        replace_durably(path, empty.signed(key))
        return empty
    try:
        manifest = read_manifest(path.read_bytes(), key.public_key())
    except ManifestInvalid as invalid:
        raise SettingsInvalid(str(path), [f"cannot be used ({invalid})"]) from None
    if (manifest.federation, manifest.gateway) != (settings.federation, settings.name):
        raise SettingsInvalid(str(path), ["is that of another federation or gateway"])
    return manifest


def members_of(manifest: Manifest) -> tuple[Member, ...]:
    """The members as the gateway connects to them."""
    return tuple(
        Member(
            each.department,
            each.title,
            each.address,
            each.name,
            each.contracts,
            each.handlers,
            each.log_key,
        )
        for each in manifest.members
    )
