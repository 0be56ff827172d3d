"""Who takes part in a department's groups, and what follows from it: by one version of its policy.

A channel of a group is for its members alone, whatever else permits `submit`; what a group
declares may be asked by whoever takes part in it. Everything is decided for one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.access import AccessPolicy, Request
from policies.canonical import text
from policies.contract import Contract
from policies.group import Group
from policies.moment import Moment
from policies.question import Question
from policies.sight import Asker, requested_part, requested_publishing


@dataclass(frozen=True, slots=True)
class Memberships:
    """Of one department; `access` is the owner's policy, which holds the groups' registries."""

    department: str
    groups: Mapping[str, Group]
    access: AccessPolicy

    def part(self, group: Group, caller: Asker, now: Moment) -> tuple[str, ...]:
        """The policies by which the caller takes part; none where they do not."""
        if group.purpose not in caller.purposes:
            return ()
        name = f"{self.department}.{group.name}"
        return self._permitting(requested_part(caller, name, group.purpose, now))

    def publishes(self, group: Group, officer: Asker, now: Moment) -> tuple[str, ...]:
        """The policies by which the officer publishes; none where they do not."""
        if not group.publishers or group.purpose not in officer.purposes:
            return ()
        name = f"{self.department}.{group.name}"
        return self._permitting(
            requested_publishing(officer, name, group.purpose, group.publishers, now)
        )

    def in_channel(self, contract: Contract, caller: Asker, now: Moment) -> bool:
        """Whether the contract is no channel of a group, or of one in which the caller takes part.

        A member of any of the groups whose channel it is comes through.
        """
        groups = [group for group in self.groups.values() if contract.id in group.contracts]
        return not groups or any(self.part(group, caller, now) for group in groups)

    def declares(self, question: Question, caller: Asker, now: Moment) -> bool:
        """Whether a group in which the caller takes part declares this very question."""
        if not self.groups:
            return False
        words = text(question)
        return any(
            words in group.declared and bool(self.part(group, caller, now))
            for group in self.groups.values()
        )

    def counted_alone(self, contract: Contract) -> bool:
        """Whether ballots of a poll come under the contract, which this department counts alone."""
        return any(
            poll.contract == contract.id and not poll.second
            for group in self.groups.values()
            for poll in group.polls
        )

    def _permitting(self, asked: Request) -> tuple[str, ...]:
        decision = self.access.decide(asked)
        return decision.policies if decision.permitted else ()
