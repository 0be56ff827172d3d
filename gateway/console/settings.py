"""The `[console]` table of `gateway.toml`: off unless it says where to listen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from landbridge.edge.settings import Section


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """What an operator decides about the console.

    `listen` empty: there is none. `address` is how browsers reach it, `https://host:port`, the
    listening address unless given. `issuer` is who people sign in at, one of those that the gateway
    trusts; `provider` is where its metadata are fetched, the issuer itself unless given. `desks`
    are the addresses of departments' own desks for their officers. `open_from` and `open_until` are
    the hours of a working day in `timezone`, for the rule about other hours.
    """

    listen: str = ""
    address: str = ""
    issuer: str = ""
    provider: str = ""
    provider_ca: Path | None = None
    client: str = "landbridge-console"
    client_secret: Path | None = None
    scope: str = "openid"
    idle_minutes: int = 15
    longest_hours: int = 10
    timezone: str = "UTC"
    open_from: int = 7
    open_until: int = 20
    desks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_console(top: Section, problems: list[str]) -> ConsoleSettings:
    """The table; adds to `problems` what cannot be."""
    table = top.section("console")
    found = ConsoleSettings(
        listen=table.text("listen", ""),
        address=table.text("address", "").rstrip("/"),
        issuer=table.text("issuer", ""),
        provider=table.text("provider", "").rstrip("/"),
        provider_ca=table.optional_path("provider_ca"),
        client=table.text("client_id", "landbridge-console"),
        client_secret=table.optional_path("client_secret"),
        scope=table.text("scope", "openid"),
        idle_minutes=table.integer("idle_minutes", 15),
        longest_hours=table.integer("longest_hours", 10),
        timezone=table.text("timezone", "UTC"),
        open_from=table.integer("open_from", 7, least=0),
        open_until=table.integer("open_until", 20, least=0),
        desks=_desks(table, problems),
    )
    table.done()
    if found.address and not _is_origin(found.address):
        problems.append("console.address is https://HOST or https://HOST:PORT")
    if "openid" not in found.scope.split():
        problems.append("console.scope must hold openid")
    if not 0 <= found.open_from < found.open_until <= 24:
        problems.append("console.open_from and console.open_until are hours, 0 to 24, in order")
    try:
        ZoneInfo(found.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.append(f"console.timezone {found.timezone} is no time zone that is known here")
    return found


def _desks(table: Section, problems: list[str]) -> Mapping[str, str]:
    desks = {}
    for each in table.tables("desk"):
        department, address = each.text("department"), each.text("address").rstrip("/")
        if not _is_origin(address):
            problems.append(f"{each.name}address is https://HOST or https://HOST:PORT")
        desks[department] = address
        each.done()
    return MappingProxyType(desks)


def _is_origin(address: str) -> bool:
    parts = urlsplit(address)
    return (
        parts.scheme == "https"
        and bool(parts.hostname)
        and f"{parts.scheme}://{parts.netloc}" == address
        and "@" not in parts.netloc
    )
