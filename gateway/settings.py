"""The gateway's configuration file, `gateway.toml`, and the manifest of members beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gateway.departments import Member
from gateway.outside import OutsideWitness
from landbridge.edge.settings import SettingsInvalid, open_settings
from landbridge.edge.trust import Trust, read_trust


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides; paths are relative to the file.

    On `listen_mutual`, if not empty, callers must show a certificate of the authority
    `tls_callers`; tokens that are bound to a certificate pass there only.
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
    quorum: int = 0
    maximum_unwitnessed_seconds: int = 14_400


def read(path: Path) -> Settings:
    """The settings in the file; raises SettingsInvalid, naming every problem."""
    top, problems = open_settings(path)
    tls, limits, log = (top.section(name) for name in ("tls", "limits", "log"))
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
        quorum=log.integer("quorum", 0, least=0),
        maximum_unwitnessed_seconds=log.integer("maximum_unwitnessed_seconds", 14_400),
    )
    if bool(settings.listen_mutual) != (settings.tls_callers is not None):
        problems.append("listen_mutual and tls.callers belong together; one of them is missing")
    for section in (top, tls, limits, log):
        section.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return settings


def read_manifest(path: Path) -> tuple[Member, ...]:
    """The members: a JSON list of department, title, address, name, contracts, handlers,
    log_key, and, where the member is a witness of the gateway's log, witness_key.

    Raises SettingsInvalid.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["members"]
        members = tuple(
            Member(
                department=str(member["department"]),
                title=str(member["title"]),
                address=str(member["address"]),
                name=str(member["name"]),
                contracts=tuple(map(str, member["contracts"])),
                handlers=tuple(map(str, member["handlers"])),
                log_key=str(member["log_key"]),
                witness_key=str(member.get("witness_key", "")),
            )
            for member in listed
        )
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise SettingsInvalid(
            str(path), [f"is no manifest ({type(failure).__name__}: {failure})"]
        ) from None
    if len({member.department for member in members}) < len(members) or not members:
        raise SettingsInvalid(str(path), ["lists no member, or one of them twice"])
    return members


def read_witnesses(path: Path) -> tuple[OutsideWitness, ...]:
    """The witnesses outside the federation: the manifest's list of key and url, where it has one.

    Raises SettingsInvalid.
    """
    try:
        listed = json.loads(path.read_text(encoding="utf-8")).get("witnesses", [])
        found = tuple(OutsideWitness(str(each["key"]), str(each["url"])) for each in listed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise SettingsInvalid(
            str(path), [f"lists witnesses without key and url ({type(failure).__name__})"]
        ) from None
    if any(not each.url.startswith(("https://", "http://")) for each in found):
        raise SettingsInvalid(str(path), ["has a witness whose url is neither https nor http"])
    return found
