"""`landbridge doctor` for a gateway: what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import settings as settings_of
from gateway.cases.procedures import read_folder
from gateway.following import access_policy, read_access
from gateway.settings import Settings, members_of
from landbridge.edge import examination
from landbridge.edge.examination import Finding, Identity
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key
from landbridge.membership.manifest import Manifest, ManifestInvalid, read_manifest
from policies.access import PolicyInvalid
from policies.procedure import ProcedureInvalid


def examine(
    path: Path, environment: Mapping[str, str], clock: Callable[[], float]
) -> list[Finding]:
    """Everything about the gateway of that `gateway.toml`; changes nothing."""
    try:
        found = settings_of.read(path, environment)
    except SettingsInvalid as invalid:
        remedy = "mend the file; docs/reference/settings has every setting"
        return [Finding("settings", "problem", problem, remedy) for problem in invalid.problems]
    tls = Identity(found.tls_key, found.tls_certificate, found.tls_authority, found.name)
    private = [
        found.tls_key,
        *found.state.glob("*.key"),
        *(found.state / "subjects").glob("*.key"),
        *(found.state / "authority").glob("*key*"),
        *filter(None, (found.console.client_secret,)),
    ]
    manifest, member_findings = _manifest(found)
    return [
        Finding("settings", "ok", f"{path} was read"),
        *_certificate(tls, clock),
        *examination.modes(private, found.state),
        *examination.disk(found.state),
        *examination.sources(found.trust),
        *_policy(found, manifest),
        *examination.serving(found.listen, tls, clock),
        *member_findings,
        *_members(manifest, tls, clock),
        *examination.log(found.state),
    ]


def _certificate(tls: Identity, clock: Callable[[], float]) -> list[Finding]:
    if not any(path.exists() for path in (tls.key, tls.certificate, tls.authority)):
        said = "there are no TLS files yet; the first start makes them"
        return [Finding("certificate", "warning", said, "start the gateway, or bring your own")]
    remedy = "put all three TLS files there, or none: the first start makes them"
    return examination.certificate(tls, clock(), remedy)


def _manifest(found: Settings) -> tuple[Manifest | None, list[Finding]]:
    if not found.manifest.exists():
        return None, []
    try:
        key = Ed25519PrivateKey.from_private_bytes(read_key(found.state / "signing.key"))
        return read_manifest(found.manifest.read_bytes(), key.public_key()), []
    except (EvidenceError, ManifestInvalid, OSError, ValueError) as failure:
        remedy = "restore the manifest that this gateway signed last"
        return None, [Finding("members", "problem", f"{found.manifest}: {failure}", remedy)]


def _policy(found: Settings, manifest: Manifest | None) -> list[Finding]:
    members = members_of(manifest) if manifest else ()

    def look() -> str:
        # As at a start: before there is a member the file is not read.
        access_policy(found, members, read_access(found, members), declared)
        return "the access policy was understood"

    try:
        declared = read_folder(found.procedures) if found.procedures else {}
    except (ProcedureInvalid, OSError) as failure:
        remedy = "landbridge procedure check shows what procedures do"
        return [Finding("procedures", "problem", str(failure), remedy)]
    return examination.attempt("policy", "mend access.cedar", (PolicyInvalid, OSError), look)


def _members(manifest: Manifest | None, tls: Identity, clock: Callable[[], float]) -> list[Finding]:
    members = manifest.members if manifest else ()
    if not members:
        remedy = "invite a department: landbridge gateway invite"
        return [Finding("members", "warning", "there is no member yet", remedy)]
    return [
        finding
        for each in members
        for finding in examination.reach(each.address, tls, each.department, clock, "members")
    ]
