"""What a department's policy lets callers put before an officer, and who of its officers answers.

Found as `policies.outlet` finds what is let out: by asking the owner's policy itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.consultation import Terms, terms_of
from policies.contract import Contract
from policies.handler import Handler
from policies.outlet import ANY, Who, everybody, request_of

OTHER: Final = "any other purpose"
"""A purpose that no contract and no handler lists; it can be lifted."""
_LIFTED: Final = (Level.RESTRICTED, Level.INTERNAL, Level.OPEN)
"""What can be asked for; sealed is never lifted."""
_NO_PURPOSE: Final = "\N{BULLET}"


@dataclass(frozen=True, slots=True)
class Considered:
    """`who` may ask an officer about `resource` for `purpose`, up to `level`.

    `clearance` is the lowest at which they may; `policies` are the ids that permit it, `terms` what
    those say; `officers` may decide in the role whose turn it is first, `escalated` in the one that
    it goes to.
    """

    who: Who
    resource: str
    purpose: str
    level: Level
    clearance: Level
    terms: Terms
    policies: tuple[str, ...]
    officers: tuple[str, ...]
    escalated: tuple[str, ...]


def considered(
    department: str,
    contracts: Mapping[str, Contract],
    handlers: Mapping[str, Handler],
    access: AccessPolicy,
) -> tuple[Considered, ...]:
    """Everything that can be consulted about, the more general first.

    By the owner's policy alone; the gateway's can only be stricter. What somebody may as anybody
    else may it is listed once.
    """
    purposes = sorted(
        {each for contract in contracts.values() for each in contract.purposes}
        | {each for handler in handlers.values() for each in handler.purposes}
    )
    resources: list[tuple[Literal["contract", "handler"], str]] = [
        *(("contract", name) for name in sorted(contracts)),
        *(("handler", f"{department}.{name}") for name in sorted(handlers)),
    ]
    whole: dict[tuple[str, str], set[tuple[object, ...]]] = {}
    found: list[Considered] = []
    for who in everybody([access], contracts):
        for (kind, name), purpose in product(resources, [*purposes, OTHER]):
            each = _considered(who, kind, name, purpose, contracts, access)
            if each is None:
                continue
            said = (each.level, each.clearance, each.terms, each.policies)
            if said not in whole.setdefault((name, purpose), set()):
                whole[name, purpose].add(said)
                found.append(each)
    return tuple(found)


def _considered(
    who: Who,
    kind: Literal["contract", "handler"],
    resource: str,
    purpose: str,
    contracts: Mapping[str, Contract],
    access: AccessPolicy,
) -> Considered | None:
    for clearance, level in product(Level, _LIFTED):
        for moment in sorted(access.moments(ANY)):
            asked = replace(
                request_of(who, "consult", resource, _spelt(purpose), clearance, level, moment),
                resource_kind=kind,
            )
            decision = access.decide(asked)
            if decision.permitted:
                terms = terms_of(access.annotations(decision.policies))
                return Considered(
                    who, resource, purpose, level, clearance, terms, tuple(decision.policies),
                    tuple(_officers(asked, terms.role, contracts, access)),
                    tuple(_officers(asked, terms.escalates_to, contracts, access)),
                )  # fmt: skip
    return None


def _officers(
    asked: Request, role: str, contracts: Mapping[str, Contract], access: AccessPolicy
) -> Iterator[str]:
    """Whom the policy lets decide that in that role; nobody where there is no such role."""
    if not role:
        return
    named: set[Who] = set()
    for who in everybody([access], contracts):
        if any(
            access.decide(
                replace(
                    request_of(
                        who, "review", asked.resource, asked.purpose, clearance, asked.level,
                        asked.moment,
                    ),
                    resource_kind=asked.resource_kind,
                    role=role,
                )
            ).permitted
            for clearance in Level
        ):  # fmt: skip
            if not who.parts & named:  # what one may alone, they may in every organisation
                yield str(who)
            named.add(who)


def _spelt(purpose: str) -> str:
    return _NO_PURPOSE if purpose == OTHER else purpose


def lines(found: Iterable[Considered]) -> Iterator[str]:
    """A sentence for each."""
    for each in found:
        terms = each.terms
        many = "" if terms.reviewers == 1 else f", {terms.reviewers} of them"
        yield (
            f"Can be consulted: {each.who} about {each.resource} for {each.purpose}, up to "
            f"{each.level.label}; answered by {terms.role} "
            f"({', '.join(each.officers) or 'NOBODY MAY'}){many} within {terms.hours} h"
            + (
                f", then by {terms.escalates_to} ({', '.join(each.escalated) or 'NOBODY MAY'})"
                if terms.escalates_to
                else ""
            )
            + f"; by {', '.join(each.policies)}."
        )
