"""Members enrolled without a network: a development federation makes everybody's keys itself.

The same manifest, signatures and pins as between machines; only the operators' yes is left out,
since one person starts all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from landbridge.edge.state import log_signer, witness_key
from landbridge.evidence.finding import EvidenceError
from landbridge.federation.folder import FederationFolder
from landbridge.membership.keys import MemberKeys, signing_key
from landbridge.membership.manifest import Manifest, MemberEntry, read_manifest
from landbridge.membership.pinned import Pinned, replace_durably

GATEWAY = "gateway"


def write_manifest(
    federation: FederationFolder,
    state: Path,
    names: Mapping[str, str],
    addresses: Mapping[str, str],
    granted: Mapping[str, Mapping[str, Sequence[str]]],
) -> Path:
    """The gateway's manifest of all members; a new version where something changed.

    `names` are those of the certificates, `granted` each one's contracts and handlers. An address
    that is not known yet is empty, and the earlier one stays.
    """
    key = signing_key(state / GATEWAY)
    path = state / GATEWAY / "manifest.json"
    if path.exists():
        earlier = read_manifest(path.read_bytes(), key.public_key())
    else:
        own = f"{federation.name}/{GATEWAY}"
        earlier = Manifest(
            federation.name,
            0,
            GATEWAY,
            key.public_key(),
            gateway_log=log_signer(state / GATEWAY, own).vkey,
            gateway_witness=witness_key(state / GATEWAY, own).vkey,
        )
    members = []
    for member in federation.members:
        name = member.department
        before = earlier.member(name)
        members.append(
            MemberEntry(
                department=name,
                title=member.title,
                address=addresses.get(name, before.address if before else ""),
                name=names[name],
                contracts=tuple(granted.get(name, {}).get("contracts", ())),
                handlers=tuple(granted.get(name, {}).get("handlers", ())),
                log_key=log_signer(state / name, f"{federation.name}/{name}").vkey,
                keys=MemberKeys.in_folder(state / name).public,
                witness_key=witness_key(state / name, f"{federation.name}/{name}").vkey,
            )
        )
    offered = earlier.following(members)
    if earlier.version == 0 or offered.signed(key) != _renumbered(earlier, offered).signed(key):
        replace_durably(path, offered.signed(key))
    return path


def pin(federation: FederationFolder, state: Path, manifest: Path) -> None:
    """Lets every member that has no pin yet accept the manifest."""
    document = manifest.read_bytes()
    for member in federation.members:
        place = state / member.department
        try:
            Pinned(place, member.department)
        except EvidenceError:
            Pinned.first(place, document)


def _renumbered(earlier: Manifest, offered: Manifest) -> Manifest:
    """The earlier members under the later number, to see whether anything else differs."""
    return replace(earlier, version=offered.version)
