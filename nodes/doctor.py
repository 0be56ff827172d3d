"""`landbridge doctor` for a department's node: what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from landbridge.edge import examination
from landbridge.edge.examination import Finding, Identity
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.membership.pinned import Pinned
from nodes import policy
from nodes import settings as settings_of
from nodes.engines.choice import unfit
from nodes.engines.duckdb import Limits
from nodes.engines.engine import EngineNotStarted
from nodes.engines.file_key import is_encrypted
from nodes.engines.kind import Kind
from nodes.engines.opening import opener
from nodes.join import gateway_address
from nodes.policy import Policy, PolicyFolderInvalid
from nodes.settings import Settings
from nodes.shape import fits
from nodes.store import Store, StoreDamaged
from policies.access import PolicyInvalid
from policies.group import GroupInvalid
from policies.handler import HandlerInvalid
from policies.odcs import ContractInvalid
from policies.together import exposed

_INVALID: Final = (
    ContractInvalid, HandlerInvalid, GroupInvalid, PolicyInvalid, PolicyFolderInvalid, OSError,
)  # fmt: skip


def examine(
    path: Path, environment: Mapping[str, str], clock: Callable[[], float], gateway: str = ""
) -> list[Finding]:
    """Everything about the node of that `node.toml`; changes nothing.

    `gateway` is "host:port" of its gateway, which is reached and its clock compared; else it is the
    address that the department joined at. A node itself never connects to its gateway.
    """
    try:
        found = settings_of.read(path, environment)
    except SettingsInvalid as invalid:
        remedy = "mend the file; docs/reference/settings has every setting"
        return [Finding("settings", "problem", problem, remedy) for problem in invalid.problems]
    tls = Identity(found.tls_key, found.tls_certificate, found.tls_authority, found.department)
    secret = [
        found.tls_key,
        *found.state.glob("*.key"),
        *(found.state / "subjects").glob("*.key"),
        *(found.state / "intake").glob("*/*.key"),
        *filter(None, (found.engine.key, found.engine.source_key, found.engine.token)),
    ]
    served, policy_findings = _policy(found)
    return [
        Finding("settings", "ok", f"{path} was read"),
        *examination.certificate(tls, clock(), "join: landbridge node join CODE DIR"),
        *examination.modes(secret, found.state),
        *examination.disk(found.state),
        *examination.sources(found.trust),
        *policy_findings,
        *(_data(found, served) if served else []),
        *(_engine(found, served) if served else []),
        *_membership(found),
        *examination.serving(found.listen, tls, clock),
        *_gateway(found, tls, clock, gateway),
        *examination.log(found.state),
    ]


def _gateway(
    found: Settings, tls: Identity, clock: Callable[[], float], named: str
) -> list[Finding]:
    address = named or gateway_address(found.state)
    if not address:
        said = "where the gateway is, is not known here; nothing needs it but this check"
        return [Finding("gateway", "ok", f"{said}: --gateway host:port")]
    reached = examination.reach(address, tls, found.gateway, clock, "gateway")
    if named or reached[0].state == "ok" or "says" in reached[0].found:
        return reached
    # It may have moved since; questions come from there, not the other way round.
    moved = "if it moved, name its address: landbridge doctor --gateway host:port"
    remedy = f"{moved}; else {reached[0].remedy}"
    return [Finding("gateway", "warning", reached[0].found, remedy), *reached[1:]]


def _policy(found: Settings) -> tuple[Policy | None, list[Finding]]:
    try:
        served = policy.read(
            found.department, found.contracts, found.handlers, found.access, found.groups
        )
    except _INVALID as failure:
        return None, [
            Finding("policy", "problem", str(failure), "mend it: landbridge policy check")
        ]
    exposures = [
        Finding("policy", "warning", said, "landbridge policy check shows who pools and links")
        for said in map(exposed, served.contracts.values())
        if said
    ]
    said = f"understood; contracts: {len(served.contracts)}, handlers: {len(served.handlers)}"
    return served, [Finding("policy", "ok", said), *exposures]


def _data(found: Settings, served: Policy) -> list[Finding]:
    store, findings = Store(found.state / "data"), []
    for name, contract in served.contracts.items():
        what = "FILE" if found.engine.kind is Kind.DUCKDB else "TABLE"
        remedy = f"landbridge node load node.toml {name} {what}"
        try:
            loaded = store.current(name)
        except (StoreDamaged, OSError) as damaged:
            findings.append(Finding("data", "problem", str(damaged), remedy))
            continue
        if loaded is None:
            findings.append(Finding("data", "warning", f"{name} is not loaded", remedy))
        elif not fits(loaded, contract):
            said = f"{name} was loaded under a contract that says something else of its rows"
            findings.append(Finding("data", "problem", said, remedy))
        else:
            findings.append(Finding("data", "ok", f"{name} is loaded"))
    return findings


def _engine(found: Settings, served: Policy) -> list[Finding]:
    """An engine is asked as the node would ask it; DuckDB where its files are encrypted."""
    if found.engine.kind is Kind.DUCKDB and not _encrypts(found):
        return []
    wrong = unfit(found.engine, served.contracts, served.handlers.values())
    findings = [Finding("engine", "problem", said, "docs/engines.md has a table") for said in wrong]
    limits = Limits(found.memory_mb << 20, found.threads, found.cpu_seconds)
    try:
        tables = Store(found.state / "data").tables()
        opener(found.engine, limits, (1, 1), lambda: tuple(served.contracts))(tables).close()
    except (EngineNotStarted, EvidenceError, StoreDamaged, OSError) as failure:
        remedy = "mend it, or [engine] in node.toml; docs/engines.md has the statements"
        return [*findings, Finding("engine", "problem", str(failure), remedy)]
    seen = {
        Kind.POSTGRESQL: "shows this node its own tables only",
        Kind.SPARK: "reads this node's tables",
        Kind.DUCKDB: "opens this node's files with engine.key, under which all are encrypted",
    }
    said = f"{found.engine.kind} answers, and {seen[found.engine.kind]}"
    return [*findings, Finding("engine", "ok", said)]


def _encrypts(found: Settings) -> bool:
    """Whether files are encrypted, or are to be."""
    if found.engine.key is not None:
        return True
    with suppress(StoreDamaged, OSError):
        files = Store(found.state / "data").tables().values()
        return any(map(is_encrypted, files))
    return False


def _membership(found: Settings) -> list[Finding]:
    try:
        pinned = Pinned(found.state, found.department)
        waiting = pinned.waiting()
    except (EvidenceError, OSError):
        said = "no manifest is pinned: this department is no member yet"
        remedy = "ask the gateway's operator for a code: landbridge node join CODE DIR"
        return [Finding("membership", "problem", said, remedy)]
    if waiting is not None:
        said = f"version {waiting[0].version} of the manifest waits for your yes"
        return [Finding("membership", "warning", said, "landbridge node accept node.toml")]
    return [Finding("membership", "ok", f"version {pinned.manifest.version} is pinned")]
