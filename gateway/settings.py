"""The gateway's configuration file, `gateway.toml`, and the manifest of members that it signs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gateway.connection import Member
from gateway.console.settings import ConsoleSettings, read_console
from gateway.outside import OutsideWitness
from landbridge.edge.operating import Operating, read_operating
from landbridge.edge.settings import NOTHING, Known, SettingsInvalid, open_settings
from landbridge.edge.state import log_signer, witness_key
from landbridge.edge.trust import Trust, read_trust
from landbridge.membership.manifest import Manifest, ManifestInvalid, read_manifest
from landbridge.membership.pinned import replace_durably

PREFIX: Final = "LANDBRIDGE_GATEWAY__"
"""What the environment variables begin with that give a gateway's settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides; paths are relative to the file.

    `certificate_seconds` is how long the certificates live that the gateway's own authority makes.
    On `listen_mutual`, if not empty, callers must show a certificate of the authority
    `tls_callers`; tokens that are bound to a certificate pass there only. On `listen_flight`, if
    not empty, Arrow Flight SQL is spoken. A gateway with a name as `replica` answers beside the
    first one, with a log of its own; enrolling members and witnessing their logs is for the first.
    With `share_port` replicas on one machine listen at the same ports; with `workers` above 1 one
    program starts so many of them.
    """

    federation: str
    name: str
    listen: str
    listen_mutual: str
    state: Path
    access: Path
    manifest: Path
    trust: Trust
    tls_key: Path
    tls_certificate: Path
    tls_authority: Path
    tls_callers: Path | None
    calls: int
    call_seconds: int = 60
    certificate_seconds: int = 30 * 86_400
    quorum: int = 0
    maximum_unwitnessed_seconds: int = 14_400
    witnesses: Path | None = None
    replica: str = ""
    share_port: bool = False
    workers: int = 1
    reflection: bool = False
    operating: Operating = field(default_factory=Operating)
    procedures: Path | None = None
    cases_url: str = ""
    listen_flight: str = ""
    console: ConsoleSettings = field(default_factory=ConsoleSettings)

    @property
    def case_store(self) -> str:
        """Where cases are kept, as SQLAlchemy names it: a file here unless configured."""
        return self.cases_url or f"sqlite:///{self.state / 'cases.sqlite'}"


def log_name(settings: Settings) -> str:
    """The origin of this process's log."""
    own = f"{settings.federation}/{settings.name}"
    return f"{own}/{settings.replica}" if settings.replica else own


def read(
    path: Path, environment: Mapping[str, str] = NOTHING, known: list[Known] | None = None
) -> Settings:
    """The settings in the file and in `environment`; raises SettingsInvalid, naming every problem.

    `known` collects every setting that there is.
    """
    top, problems = open_settings(path, PREFIX, environment, known)
    tls, limits, log, cases = (top.section(name) for name in ("tls", "limits", "log", "cases"))
    settings = Settings(
        federation=top.text("federation"),
        name=top.text("name", "gateway"),
        listen=top.text("listen", "127.0.0.1:0"),
        listen_mutual=top.text("listen_mutual", ""),
        state=top.path("state", "state"),
        access=top.path("access", "access.cedar"),
        manifest=top.path("manifest", "manifest.json"),
        trust=read_trust(top, problems),
        tls_key=tls.path("key"),
        tls_certificate=tls.path("certificate"),
        tls_authority=tls.path("authority"),
        tls_callers=tls.optional_path("callers"),
        calls=limits.integer("calls", 32),
        call_seconds=limits.integer("call_seconds", 60),
        certificate_seconds=tls.integer("certificate_days", 30) * 86_400,
        quorum=log.integer("quorum", 0, least=0),
        maximum_unwitnessed_seconds=log.integer("maximum_unwitnessed_seconds", 14_400),
        witnesses=log.optional_path("witnesses"),
        replica=top.text("replica", ""),
        share_port=top.boolean("share_port", default=False),
        workers=top.integer("workers", 1),
        reflection=top.boolean("reflection", default=False),
        operating=read_operating(top, problems),
        procedures=top.path("procedures", "procedures"),
        cases_url=cases.text("url", ""),
        listen_flight=top.text("listen_flight", ""),
        console=read_console(top, problems),
    )
    trusted_issuers = {each.name for each in settings.trust.issuers}
    if settings.console.issuer and settings.console.issuer not in trusted_issuers:
        problems.append("console.issuer must be one of the issuers that the gateway trusts")
    if settings.cases_url and not settings.cases_url.startswith("postgresql+psycopg://"):
        problems.append("cases.url is postgresql+psycopg://..., or left out for a file")
    if settings.workers > 1 and any(
        each.endswith(":0") for each in (settings.listen_mutual, settings.listen_flight)
    ):
        problems.append("listen_mutual and listen_flight need a port that all workers know")
    if settings.workers > 1 and settings.replica:
        problems.append("a replica is one process; workers belong to the first gateway")
    if bool(settings.listen_mutual) != (settings.tls_callers is not None):
        problems.append("listen_mutual and tls.callers belong together; one of them is missing")
    for section in (top, tls, limits, log, cases):
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
        own = f"{settings.federation}/{settings.name}"
        empty = Manifest(
            settings.federation,
            1,
            settings.name,
            key.public_key(),
            gateway_log=log_signer(settings.state, own).vkey,
            gateway_witness=witness_key(settings.state, own).vkey,
        )
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
    """The members as the gateway connects to them.

    A log or witness key under another name than the member's own is none: it could be another
    member's, whose log it would then speak for.
    """
    return tuple(
        Member(
            each.department,
            each.title,
            each.address,
            each.name,
            each.contracts,
            each.handlers,
            each.log_key if each.owns_log_key(manifest.federation) else "",
            each.witness_key if each.owns_witness_key(manifest.federation) else "",
            each.keys.signing,
        )
        for each in manifest.members
    )


def masking_keys(manifest: Manifest) -> dict[str, X25519PublicKey]:
    """Each member's key for pairwise masks."""
    return {each.department: each.keys.masking for each in manifest.members}


def read_witnesses(path: Path | None) -> tuple[OutsideWitness, ...]:
    """The witnesses outside the federation: a JSON list of key and url; none without a file.

    Raises SettingsInvalid.
    """
    if path is None:
        return ()
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(OutsideWitness(str(each["key"]), str(each["url"])) for each in listed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
        raise SettingsInvalid(
            str(path), [f"lists witnesses without key and url ({type(failure).__name__})"]
        ) from None
    if any(not each.url.startswith(("https://", "http://")) for each in found):
        raise SettingsInvalid(str(path), ["has a witness whose url is neither https nor http"])
    return found
