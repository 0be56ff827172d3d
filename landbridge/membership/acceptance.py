"""What a department takes from its gateway by itself, and what needs its operator's yes.

A gateway could put a key of its own in a member's place and read what is sealed for that member.
So a key counts only as first seen: new members, places and grants are taken; another key of a
known member is taken when the member's earlier key signed it, and otherwise waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.membership.manifest import Manifest, ManifestInvalid, MemberEntry


@dataclass(frozen=True, slots=True)
class Departed:
    """The keys of a member that left; whoever comes back under its name must have them."""

    keys: tuple[bytes, bytes, bytes]
    log_key: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference to the pinned manifest, in words; `needs_yes` when a person must agree."""

    department: str
    what: str
    needs_yes: bool = False
    verb: str = "changed"
    """Or "added", "removed"."""


def changes(
    pinned: Manifest, offered: Manifest, departed: Mapping[str, Departed], own: str
) -> tuple[Change, ...]:
    """Every difference, in the order of departments.

    Raises ManifestInvalid for what nobody can accept: another federation or gateway, or a version
    that is not newer. `own` is the reader's department: its keys never change behind its back.
    """
    if (pinned.federation, pinned.gateway) != (offered.federation, offered.gateway):
        raise ManifestInvalid("The manifest is that of another federation or gateway.")
    if pinned.gateway_key.public_bytes_raw() != offered.gateway_key.public_bytes_raw():
        raise ManifestInvalid("The gateway's key has changed; the department must join anew.")
    if offered.version <= pinned.version:
        raise ManifestInvalid("The manifest is not newer than the pinned one.")
    found: list[Change] = []
    if (pinned.gateway_log, pinned.gateway_witness) != (
        offered.gateway_log,
        offered.gateway_witness,
    ):
        found.append(Change(pinned.gateway, "has another log or witness key", needs_yes=True))
    before = {each.department: each for each in pinned.members}
    after = {each.department: each for each in offered.members}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(Change(name, "leaves", needs_yes=name == own, verb="removed"))
        elif name not in before:
            found.append(_arrival(after[name], departed.get(name)))
        else:
            found += _differences(offered.federation, before[name], after[name], own)
    return tuple(found)


def _arrival(entry: MemberEntry, earlier: Departed | None) -> Change:
    if earlier is None or earlier == Departed(entry.raw_keys, entry.log_key):
        return Change(entry.department, "joins", verb="added")
    what = "comes back with other keys"
    return Change(entry.department, what, needs_yes=True, verb="added")


def _differences(
    federation: str, before: MemberEntry, after: MemberEntry, own: str
) -> list[Change]:
    name = before.department
    found = []
    if before.raw_keys != after.raw_keys:
        rotated = name != own and _rotated(federation, before.keys.signing, after)
        what = "has new keys, which its old key signed" if rotated else "has new keys"
        found.append(Change(name, what, needs_yes=not rotated))
    if before.log_key != after.log_key:
        found.append(Change(name, "has another log key", needs_yes=True))
    if before.witness_key != after.witness_key:
        found.append(Change(name, "has another witness key", needs_yes=True))
    for what, old, new in (
        ("moves to another address", before.address, after.address),
        ("has another name in its certificate", before.name, after.name),
        ("has another title", before.title, after.title),
        ("serves other contracts", before.contracts, after.contracts),
        ("offers other handlers", before.handlers, after.handlers),
    ):
        if old != new:
            found.append(Change(name, what))
    return found


def _rotated(federation: str, earlier: Ed25519PublicKey, after: MemberEntry) -> bool:
    try:
        earlier.verify(after.rotation, after.keys.rotation(federation, after.department))
    except InvalidSignature:
        return False
    return True
