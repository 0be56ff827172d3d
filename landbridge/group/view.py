"""A group as values: its channels, its notices, and what came of a ballot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from landbridge.errors import error
from landbridge.receipt import Receipt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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


def _unknown(what: str, group: str, names: Any) -> Exception:
    known = ", ".join(names)
    return error(
        "INVALID_ARGUMENT",
        f"Group {group} has no such {what}.",
        hint=f"It has {known}." if known else "It has none.",
    )
