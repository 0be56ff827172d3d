"""How a server is watched and ended: the `[telemetry]` and `[drain]` tables of its settings."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from landbridge.edge.settings import Section

TEXT: Final = "text"
JSON: Final = "json"


@dataclass(frozen=True, slots=True)
class Operating:
    """What an operator decides; as it stands here, nothing leaves the process but its own words.

    `otlp` is the collector's address ("http://..." on this machine, or "https://..."),
    `otlp_headers` a file with a "name: value" per line, where a collector wants a token.
    `prometheus` is a loopback "host:port". A stop says NOT_SERVING for `notice_seconds`, takes no
    more calls, and cuts off after `grace_seconds` what still runs.
    """

    otlp: str = ""
    otlp_ca: Path | None = None
    otlp_headers: Path | None = None
    prometheus: str = ""
    logs: str = TEXT
    notice_seconds: int = 0
    grace_seconds: int = 30


def read_operating(top: Section, problems: list[str]) -> Operating:
    """The two tables; what cannot be is added to `problems`."""
    telemetry, drain = top.section("telemetry"), top.section("drain")
    found = Operating(
        otlp=telemetry.text("otlp", ""),
        otlp_ca=telemetry.optional_path("otlp_ca"),
        otlp_headers=telemetry.optional_path("otlp_headers"),
        prometheus=telemetry.text("prometheus", ""),
        logs=telemetry.text("logs", TEXT),
        notice_seconds=drain.integer("notice_seconds", 0, least=0),
        grace_seconds=drain.integer("grace_seconds", 30),
    )
    if found.logs not in (TEXT, JSON):
        problems.append(f'telemetry.logs must be "{TEXT}" or "{JSON}"')
    if found.otlp and not _collector(found.otlp):
        problems.append(
            "telemetry.otlp must be https://host:port, or http://host:port of this machine"
        )
    if found.prometheus and not loopback(found.prometheus):
        problems.append("telemetry.prometheus must be host:port of this machine, as 127.0.0.1:9464")
    for section in (telemetry, drain):
        section.done()
    return found


def loopback(address: str) -> bool:
    """Whether "host:port" is one that only this machine reaches."""
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        return False
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _collector(address: str) -> bool:
    scheme, _, rest = address.partition("://")
    # In the clear it must not leave the machine, and a token must not go with it.
    return (scheme == "https" and ":" in rest) or (scheme == "http" and loopback(rest))
