"""Columns that a policy forbids although it permits their contract, for whoever reviews it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.contract import Contract
from policies.outlet import ANY, Who, everybody, request_of


@dataclass(frozen=True, slots=True, order=True)
class Closed:
    """`who`, who may count rows of `resource`, is at some time refused `column` by `policies`.

    `always`: never permitted, at whatever clearance, for whatever purpose.
    """

    resource: str
    column: str
    who: Who
    always: bool
    policies: tuple[str, ...]


def closed(contracts: Mapping[str, Contract], access: Sequence[AccessPolicy]) -> tuple[Closed, ...]:
    """Every column that a forbid of `access` takes out of what all of them permit, sorted."""
    found: list[Closed] = []
    for who in everybody(access, contracts):
        for contract in contracts.values():
            for column in contract.columns:
                refusing: set[str] = set()
                open_ = False
                for request in _requests(who, contract, column.level, access):
                    asked = replace(request, columns=((column.name, column.level),))
                    if not all(each.decide(request).permitted for each in access):
                        continue
                    refusals = [
                        decision
                        for decision in (each.decide(asked) for each in access)
                        if not decision.permitted
                    ]
                    refusing |= {name for each in refusals for name in each.policies}
                    open_ |= not refusals
                if refusing:
                    ids = tuple(sorted(refusing))
                    found.append(Closed(contract.id, column.name, who, not open_, ids))
    return tuple(sorted(found))


def _requests(
    who: Who, contract: Contract, level: Level, access: Sequence[AccessPolicy]
) -> Iterator[Request]:
    """What somebody could ask of the contract, with a column of that level among what they use."""
    # The unit is sealed, and counted by whoever may count rows.
    level = Level.OPEN if level is Level.SEALED else level
    moments = {moment for each in access for moment in each.moments(ANY)}
    for purpose in sorted(contract.purposes):
        for clearance in tuple(Level)[level:]:
            for moment in moments:
                yield request_of(who, "query", contract.id, purpose, clearance, level, moment)
