"""Members and access policy, followed while the gateway serves.

The manifest is signed and replaced as a whole, so a new one counts at once: who is out is asked no
more, who is in is connected to and described. The access policy is text that a person is writing:
it is taken when two looks in a row find the same, or at SIGHUP, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.catalogue import Catalogue
from gateway.connection import Member
from gateway.departments import Departments
from gateway.planning import Planning
from gateway.settings import Settings, masking_keys, members_of, open_manifest
from gateway.shown import Shown
from landbridge.edge import life
from landbridge.edge.record import Recorder
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.membership.manifest import Manifest
from policies.access import AccessPolicy, PolicyInvalid

_LONGEST: Final = 4_000


Joined = Callable[[Sequence[Member]], None]
"""Told of members that came, so that their logs are watched and they watch ours; raises
EvidenceError for a key that cannot be used."""


Certificates = Callable[[Manifest], None]
"""Renews what is about to end, for the members of that manifest and for the gateway itself."""


def access_policy(
    settings: Settings, members: Sequence[Member], text: str, procedures: Collection[str] = ()
) -> AccessPolicy:
    """The policy of that text, which may name what these members serve, and these procedures.

    Raises PolicyInvalid.
    """
    return AccessPolicy.load(
        text,
        str(settings.access),
        contracts={name for member in members for name in member.contracts},
        handlers={f"{member.department}.{name}" for member in members for name in member.handlers},
        procedures=procedures,
        departments={member.department for member in members},
    )


def read_access(settings: Settings, members: Sequence[Member]) -> str:
    """The policy's text; raises PolicyInvalid or OSError.

    It names what members serve. Before there is one nobody can be asked, so nothing is read.
    """
    if not members:
        return ""
    text = settings.access.read_bytes()
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as failure:
        line = text[: failure.start].count(b"\n") + 1
        raise PolicyInvalid(str(settings.access), (f"line {line}: It is not UTF-8.",)) from None


def unknown_columns(access: AccessPolicy, known: Catalogue) -> tuple[str, ...]:
    """The columns that the policy names and no described contract of that name has, sorted."""
    contracts = [
        contract for offer in known.offers.values() for contract in offer.contracts.values()
    ]
    described = {contract.id for contract in contracts}
    columns = {column for contract in contracts for column in contract.column_ids}
    named = access.named("Column") - columns
    return tuple(sorted(each for each in named if each.rpartition(".")[0] in described))


class Follower:
    """What the gateway stands on, looked at again every few seconds by one thread.

    `shown` lets go of the members whose server shows a revoked certificate.
    """

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey,
        members: Sequence[Member],
        access: AccessPolicy,
        departments: Departments,
        planning: Planning,
        recorder: Recorder,
        joined: Joined,
        certificates: Certificates,
        shown: Shown | None,
        tell: Callable[[str], None],
        procedures: Collection[str] = (),
    ) -> None:
        self._procedures = procedures
        self._settings = settings
        self._key = key
        self._members = tuple(members)
        self._access = access
        self._departments = departments
        self._planning = planning
        self._recorder = recorder
        self._joined = joined
        self._certificates = certificates
        self._shown = shown
        self._tell = tell
        self._seen = access.digest
        self._complaint = ""
        self._manifest_complaint = ""
        self._unknown: tuple[str, ...] = ()

    def look(self, *, at_once: bool = False) -> bool:
        """One round, and whether every member described itself.

        Raises LOG_UNAVAILABLE where a change cannot be logged: it waits then. Only who is to be
        asked no more is let go of all the same.
        """
        if self._shown is not None:
            self._shown.look(self._members)
        try:
            manifest = open_manifest(self._settings, self._key)
        except SettingsInvalid as invalid:
            if str(invalid) != self._manifest_complaint:
                self._manifest_complaint = str(invalid)
                self._tell(f"The earlier members stay: {invalid}")
        else:
            self._manifest_complaint = ""
            self._follow_members(members_of(manifest), manifest.version)
        self._follow_access(at_once=at_once)
        self._departments.renew()
        silent = self._departments.refresh()
        self._look_for_columns()
        if not self._manifest_complaint:
            self._departments.pin(masking_keys(manifest))
            self._departments.offer(manifest.signed(self._key))
            self._certificates(manifest)
        self._departments.close_retired()
        return not silent

    def _look_for_columns(self) -> None:
        """Tells the operator, once, of columns that the policy names and nobody has.

        Contracts come with their departments, later than the policy is read.
        """
        unknown = unknown_columns(self._access, self._departments.catalogue())
        if unknown and unknown != self._unknown:
            self._tell(
                f"{self._settings.access} names {', '.join(unknown)}, which no member's contract "
                "has: nothing is forbidden by that."
            )
        self._unknown = unknown

    def _follow_members(self, members: tuple[Member, ...], version: int) -> None:
        if members == self._members:
            return
        before = {member.department: member for member in self._members}
        now = {member.department: member for member in members}
        staying = [member for member in self._members if member.department in now]
        if len(staying) < len(before):
            self._departments.follow(staying)
        changed = life.differences(
            {f"{life.MEMBER}{name}": repr(member) for name, member in before.items()},
            {f"{life.MEMBER}{name}": repr(member) for name, member in now.items()},
        )
        self._recorder.event(
            "membership_change",
            program=life.program(),
            members=sorted(name for name in before | now if before.get(name) != now.get(name)),
            changed=changed,
            note=f"manifest {version}",
        )
        _, come = self._departments.follow(members)
        self._members = members
        for name in come:
            self._tell(f"{name} is a member; it is asked from now on.")
        try:
            self._joined(members)
        except EvidenceError as problem:
            self._tell(f"A log cannot be watched: {problem}")

    def _follow_access(self, *, at_once: bool) -> None:
        if not self._members:
            return
        try:
            text = read_access(self._settings, self._members)
        except (OSError, PolicyInvalid) as invalid:
            self._refuse(str(invalid), str(invalid))
            return
        found = sha256(text.encode()).hexdigest()
        steady, self._seen = found == self._seen, found
        if found == self._access.digest:
            self._complaint = ""
            return
        if not (steady or at_once):
            return
        try:
            access = access_policy(self._settings, self._members, text, self._procedures)
        except PolicyInvalid as invalid:
            self._refuse(str(invalid), found)
            return
        self._recorder.event(
            "policy_change",
            program=life.program(),
            policy_digest=access.digest,
            changed=life.differences({"access": self._access.digest}, {"access": access.digest}),
            note=f"policy {self._access.digest} is replaced by {access.digest}",
        )
        self._planning.follow(access)
        self._recorder.under(access.digest)
        self._access, self._complaint = access, ""
        self._tell(f"The access policy was read again: version {access.digest[:16]} is in force.")

    def _refuse(self, why: str, what: str) -> None:
        """Once per text, so that an operator who is still writing is not told at every look."""
        if what == self._complaint:
            return
        self._recorder.event(
            "policy_change",
            program=life.program(),
            outcome="refused",
            reason="POLICY_INVALID",
            note=f"policy {self._access.digest} stays in force: {why}"[:_LONGEST],
        )
        self._complaint = what
        self._tell(f"The changed access policy is not used, the earlier one goes on: {why}")
