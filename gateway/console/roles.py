"""Who may look at what, and do what, in the console: asked of the gateway's Cedar policy.

Unknown means no: who may nothing sees that they may nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from landbridge.errors import error
from landbridge.identity.caller import Caller
from policies.access import DEFAULT_DENY, AccessPolicy
from policies.moment import Moment
from policies.sight import console_request, log_request


@dataclass(frozen=True, slots=True)
class Roles:
    """What somebody may in the console, and the ids of the policies that say so.

    `audits`: everything that it shows. `departments`: what it shows of these. `enrols`: admit and
    refuse departments that applied. `portal`: look one person up, for that person.
    """

    audits: bool
    departments: frozenset[str]
    enrols: bool
    portal: bool
    policies: tuple[str, ...]

    @property
    def sees(self) -> frozenset[str] | None:
        """The departments whose entries they may see; None for all of them."""
        return None if self.audits else self.departments

    @property
    def looks(self) -> bool:
        """Whether they may look at anything of the log."""
        return self.audits or bool(self.departments)

    def require(self, allowed: bool) -> None:  # noqa: FBT001 - the decision itself
        """Raises ACCESS_DENIED unless it is."""
        if not allowed:
            raise error(
                "ACCESS_DENIED",
                rule=DEFAULT_DENY,
                hint="The gateway's policy opens pages of the console by the actions audit, view, "
                "enrol and about.",
            )


def roles_of(
    caller: Caller, access: AccessPolicy, log: str, departments: Collection[str], now: Moment
) -> Roles:
    """The roles of a verified caller, by the policy in force now."""
    audit = access.decide(console_request(caller, "audit", log, now))
    enrol = access.decide(console_request(caller, "enrol", log, now))
    views = {
        name: access.decide(console_request(caller, "view", name, now))
        for name in sorted(departments)
    }
    portal = [
        access.decide(log_request(caller, log, purpose, now)) for purpose in sorted(caller.purposes)
    ]
    permitting = [each for each in (audit, enrol, *views.values(), *portal) if each.permitted]
    return Roles(
        audit.permitted,
        frozenset(name for name, each in views.items() if each.permitted),
        enrol.permitted,
        any(each.permitted for each in portal),
        tuple(sorted({name for each in permitting for name in each.policies})),
    )
