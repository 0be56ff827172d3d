"""A node's configuration file, `node.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from landbridge.edge.operating import Operating, read_operating
from landbridge.edge.settings import NOTHING, Known, SettingsInvalid, open_settings
from landbridge.edge.trust import Trust, read_trust
from nodes.engines.choice import DUCKDB_FILES, EngineChoice, read_engine

PREFIX: Final = "LANDBRIDGE_NODE__"
"""What the environment variables begin with that give a node's settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides; paths are relative to the file.

    `gateway` is the member name that the gateway's certificate must carry; `state` holds what
    there is to back up: log, ledger, keys and loaded tables. `gateway_log` is the key of the log
    that this node is a witness of, `gateway_witness` the key of its own log's witness;
    `gateway_replicas` are the keys of the logs of further replicas. `review` is the folder with the
    officers' socket; `publish_access` shows the access policy's text to the federation's auditors.
    """

    department: str
    title: str
    federation: str
    gateway: str
    listen: str
    state: Path
    contracts: Path
    handlers: Path
    access: Path
    groups: Path
    trust: Trust
    tls_key: Path
    tls_certificate: Path
    tls_authority: Path
    memory_mb: int
    threads: int
    cpu_seconds: int
    workers: int
    calls: int
    call_seconds: int = 60
    quorum: int = 0
    maximum_unwitnessed_seconds: int = 14_400
    gateway_log: str = ""
    gateway_witness: str = ""
    review: Path | None = None
    publish_access: bool = False
    gateway_replicas: tuple[str, ...] = ()
    operating: Operating = field(default_factory=Operating)
    engine: EngineChoice = DUCKDB_FILES


def read(
    path: Path, environment: Mapping[str, str] = NOTHING, known: list[Known] | None = None
) -> Settings:
    """The settings in the file and in `environment`; raises SettingsInvalid, naming every problem.

    `known` collects every setting that there is.
    """
    top, problems = open_settings(path, PREFIX, environment, known)
    tls, limits, log = (top.section(name) for name in ("tls", "limits", "log"))
    settings = Settings(
        department=top.department("department"),
        title=top.text("title", ""),
        federation=top.text("federation"),
        gateway=top.text("gateway", "gateway"),
        listen=top.text("listen", "127.0.0.1:0"),
        state=top.path("state", "state"),
        contracts=top.path("contracts", "contracts"),
        handlers=top.path("handlers", "handlers"),
        access=top.path("access", "access.cedar"),
        groups=top.path("groups", "groups"),
        trust=read_trust(top, problems),
        tls_key=tls.path("key"),
        tls_certificate=tls.path("certificate"),
        tls_authority=tls.path("authority"),
        memory_mb=limits.integer("memory_mb", 1024),
        threads=limits.integer("threads", 2),
        cpu_seconds=limits.integer("cpu_seconds", 30),
        workers=limits.integer("workers", 2),
        calls=limits.integer("calls", 16),
        call_seconds=limits.integer("call_seconds", 60),
        quorum=log.integer("quorum", 0, least=0),
        maximum_unwitnessed_seconds=log.integer("maximum_unwitnessed_seconds", 14_400),
        gateway_log=log.text("gateway_log", ""),
        gateway_witness=log.text("gateway_witness", ""),
        review=top.optional_path("review"),
        publish_access=top.boolean("publish_access", default=False),
        gateway_replicas=log.texts("gateway_replicas", ()),
        operating=read_operating(top, problems),
        engine=read_engine(top, problems),
    )
    for section in (top, tls, limits, log):
        section.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return settings
