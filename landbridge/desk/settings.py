"""`desk.toml`: where the desk listens, whose queue it shows, and where officers sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.edge.settings import NOTHING, Known, SettingsInvalid, open_settings
from landbridge.edge.trust import Trust, read_trust

PREFIX: Final = "LANDBRIDGE_DESK__"
"""What the environment variables begin with that give a desk's settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides; paths are relative to the file.

    `review` is the folder with the node's socket. The rest is as in the `[console]` of a gateway.
    """

    department: str
    listen: str
    address: str
    review: Path
    trust: Trust
    key: Path
    certificate: Path
    provider: str
    provider_ca: Path | None
    client: str
    client_secret: Path | None
    scope: str
    idle_minutes: int
    longest_hours: int


def read(
    path: Path, environment: Mapping[str, str] = NOTHING, known: list[Known] | None = None
) -> Settings:
    """The settings in the file and in `environment`; raises SettingsInvalid, naming every problem.

    `known` collects every setting that there is.
    """
    top, problems = open_settings(path, PREFIX, environment, known)
    tls, sign_in = top.section("tls"), top.section("sign_in")
    found = Settings(
        department=top.department("department"),
        listen=top.text("listen", "127.0.0.1:0"),
        address=top.text("address", "").rstrip("/"),
        review=top.path("review", "state/review"),
        trust=read_trust(top, problems),
        key=tls.path("key"),
        certificate=tls.path("certificate"),
        provider=sign_in.text("provider", "").rstrip("/"),
        provider_ca=sign_in.optional_path("provider_ca"),
        client=sign_in.text("client_id", "landbridge-console"),
        client_secret=sign_in.optional_path("client_secret"),
        scope=sign_in.text("scope", "openid"),
        idle_minutes=sign_in.integer("idle_minutes", 15),
        longest_hours=sign_in.integer("longest_hours", 10),
    )
    if found.address and not found.address.startswith("https://"):
        problems.append("address is https://HOST or https://HOST:PORT")
    if "openid" not in found.scope.split():
        problems.append("sign_in.scope must hold openid")
    for section in (top, tls, sign_in):
        section.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return found
