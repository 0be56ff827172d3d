"""Who looked at one person's data: what a citizens' portal gets, as it comes off the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landbridge.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from landbridge.v1 import portal_pb2


@dataclass(frozen=True, slots=True)
class Access:
    """One access, as `department`'s log has it; empty for the gateway's own.

    `time` is RFC 3339, UTC; `kind` the kind of request, `what` the handler or contract, `outcome`
    answered, refused or failed. Never the answer, and never a person who asked.
    """

    department: str
    time: str
    organisation: str
    purpose: str
    kind: str
    what: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AccessList:
    """The accesses that may be told, newest first.

    `missing` are the departments that could not be read, each with the reason. `archived` says of a
    department how many of its oldest entries were not looked at, `forgotten` of which months
    nothing can be found any more. `older` is what to ask for next: empty when these were all.
    """

    accesses: tuple[Access, ...]
    missing: Mapping[str, str]
    archived: Mapping[str, int]
    forgotten: Mapping[str, tuple[str, ...]]
    older: Mapping[str, int]
    receipt: Receipt | None

    @property
    def whole(self) -> bool:
        """Whether every log was read to its beginning, with all its keys."""
        return not (self.missing or self.archived or self.forgotten or self.older)


def read_accesses(message: portal_pb2.AboutResponse) -> AccessList:
    """The list in the gateway's reply."""
    found = [
        Access(
            log.department, each.time, each.organisation, each.purpose, each.kind, each.what,
            each.outcome,
        )
        for log in message.logs
        for each in log.accesses
    ]  # fmt: skip
    given = message.receipt
    return AccessList(
        tuple(sorted(found, key=lambda access: access.time, reverse=True)),
        {absent.department: absent.reason for absent in message.missing},
        {log.department: log.archived for log in message.logs if log.archived},
        {log.department: tuple(log.forgotten) for log in message.logs if log.forgotten},
        {log.department: log.next for log in message.logs if log.next},
        Receipt(given.entry, given.proof, given.answer_salt)
        if message.HasField("receipt")
        else None,
    )
