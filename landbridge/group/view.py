"""A group as values: its channels, its notices, and what came of a ballot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.errors import error
from landbridge.group.signed import require_group, require_notice
from landbridge.group.token import token_of
from landbridge.membership.manifest import ManifestInvalid, MemberEntry, read_manifest
from landbridge.receipt import Receipt
from landbridge.v1 import group_pb2

BALLOTS: Final = "ballots"
"""What the released number of a poll's result is called."""
COUNT: Final = "n"
"""What the released number of a declared question is called."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What is voted on, once by each person, and with which `options`.

    `second`: the department that holds the other share of every ballot, so that neither can read
    one; empty where the owner alone counts. `opens` and `closes` are None where there is no such
    moment; `correctable`: a ballot can be changed while the poll is open.
    """

    name: str
    title: str
    contract: str
    column: str
    options: tuple[str, ...]
    second: str
    opens: datetime | None
    closes: datetime | None
    correctable: bool

    def open_at(self, now: datetime) -> bool:
        """Whether ballots are taken then."""
        begun = self.opens is None or now >= self.opens
        return begun and (self.closes is None or now < self.closes)


@dataclass(frozen=True, slots=True)
class DeclaredQuestion:
    """A question that members may ask: the rows of a contract, counted by columns."""

    name: str
    title: str
    contract: str
    by: tuple[str, ...]
    epsilon: float | None


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group in which the caller takes part; `name` is "department.group"."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Groups:
    """The caller's groups; `missing` are departments with groups that did not answer."""

    groups: tuple[GroupSummary, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as its department signed it. `purpose` is what members state there."""

    federation: str
    department: str
    name: str
    title: str
    purpose: str
    publishes: bool
    reports: tuple[str, ...]
    polls: tuple[Poll, ...]
    questions: tuple[DeclaredQuestion, ...]
    signing: Ed25519PublicKey

    @property
    def full_name(self) -> str:
        """The group, as "department.group"."""
        return f"{self.department}.{self.name}"

    def poll(self, name: str) -> Poll:
        """The poll of that name; raises INVALID_ARGUMENT."""
        for each in self.polls:
            if each.name == name:
                return each
        raise _unknown("poll", self.full_name, [each.name for each in self.polls])

    def question(self, name: str) -> DeclaredQuestion:
        """The declared question of that name; raises INVALID_ARGUMENT."""
        for each in self.questions:
            if each.name == name:
                return each
        raise _unknown("question", self.full_name, [each.name for each in self.questions])

    def report(self, contract: str) -> str:
        """The contract of reports; the only one where none is named. Raises INVALID_ARGUMENT."""
        if not contract and len(self.reports) == 1:
            return self.reports[0]
        if contract in self.reports:
            return contract
        raise _unknown("channel of reports", self.full_name, self.reports)


@dataclass(frozen=True, slots=True)
class Notice:
    """What officers told the group. `token` names it for good: follow from behind it.

    `signed` is the department's own signed notice, serialized, for whoever wants to show it.
    """

    token: str
    group: str
    number: int
    at: datetime
    title: str
    text: str
    signed: bytes


@dataclass(frozen=True, slots=True)
class Ballot:
    """A ballot that counts: `repeated` where it had been taken before.

    `receipts` are proofs that it was logged; none of them says what it was.
    """

    poll: str
    repeated: bool
    receipts: tuple[Receipt, ...]


def read_group(reply: Any, name: str, pinned: bytes | None) -> GroupView:
    """The group, as the department of the manifest signed it; raises ANSWER_REJECTED.

    `pinned` is a manifest that the caller has from elsewhere.
    """
    said = reply.group.group
    if f"{said.department}.{said.name}" != name:
        raise error("ANSWER_REJECTED", "The gateway described another group than was asked.")
    member = _member(reply.manifest, said.department)
    if pinned is not None:
        known = _member(pinned, said.department)
        if known.keys.raw() != member.keys.raw():
            raise error(
                "ANSWER_REJECTED",
                f"The gateway shows other keys of department {said.department} than your manifest.",
                hint="Ask the department which keys are its own.",
            )
    view = require_group(reply.group, member.keys.signing)
    return GroupView(
        view.federation,
        view.department,
        view.name,
        view.title,
        view.purpose,
        view.notices,
        tuple(view.reports),
        tuple(map(_poll, view.polls)),
        tuple(
            DeclaredQuestion(
                each.name,
                each.title,
                each.contract,
                tuple(each.by),
                each.micro_epsilon / 1e6 if each.micro_epsilon else None,
            )
            for each in view.questions
        ),
        member.keys.signing,
    )


def read_notice(signed: group_pb2.SignedNotice, group: GroupView, after: int) -> Notice:
    """The notice that follows number `after`; raises ANSWER_REJECTED where one was left out."""
    notice = require_notice(signed, group.signing)
    mine = (group.federation, group.department, group.name)
    if (notice.federation, notice.department, notice.group) != mine:
        raise error("ANSWER_REJECTED", "The gateway gave a notice of another group.")
    if notice.number != after + 1:
        raise error(
            "ANSWER_REJECTED",
            f"After notice {after} the gateway gave notice {notice.number}; one was left out.",
        )
    return Notice(
        token_of(group.full_name, notice.number),
        group.full_name,
        notice.number,
        datetime.fromtimestamp(notice.at_ms / 1000, UTC),
        notice.title,
        notice.text,
        signed.SerializeToString(deterministic=True),
    )


def _poll(message: group_pb2.PollView) -> Poll:
    return Poll(
        message.name,
        message.title,
        message.contract,
        message.column,
        tuple(message.options),
        message.second,
        _moment(message.opens),
        _moment(message.closes),
        message.correctable,
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise error("ANSWER_REJECTED", "A poll has a moment that is none.") from None


def _member(manifest: bytes, department: str) -> MemberEntry:
    try:
        member = read_manifest(manifest).member(department)
    except ManifestInvalid as invalid:
        raise error("ANSWER_REJECTED", str(invalid)) from None
    if member is None:
        raise error("ANSWER_REJECTED", f"Department {department} is in no manifest.")
    return member


def _unknown(what: str, group: str, names: Any) -> Exception:
    known = ", ".join(names)
    return error(
        "INVALID_ARGUMENT",
        f"Group {group} has no such {what}.",
        hint=f"It has {known}." if known else "It has none.",
    )
