"""Which columns of a contract exist for a caller.

A column that no policy lets a caller use, in any question, for any purpose of theirs, at any time,
is refused in the words of one that does not exist. It is decided for all columns of a contract
before the question is looked at, so that an unknown and a hidden one take the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from landbridge.levels import Level
from policies.access import AccessPolicy, Action, Request
from policies.contract import Column, Contract
from policies.moment import Moment
from policies.sight import Asker

MEMORY: Final = 1_024
"""Callers and contracts remembered per policy set."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """Who looks at what; `now` makes no difference, for all kinds of moments are looked at."""

    subject: str
    organisation: str
    clearance: Level
    purposes: frozenset[str]
    id: str
    digest: str
    contract: Contract = field(compare=False)
    now: Moment = field(compare=False)


class ColumnSight:
    """What one policy set shows of contracts. Remembers; safe to share between threads."""

    def __init__(self, access: AccessPolicy) -> None:
        self._access = access
        self._remembered = lru_cache(maxsize=MEMORY)(self._look)

    def shown(self, asker: Asker, contract: Contract, now: Moment) -> Contract:
        """The contract, with the columns that are not there for this caller as `hidden`."""
        return self._remembered(
            _Looked(
                asker.subject, asker.organisation, asker.clearance, frozenset(asker.purposes),
                contract.id, contract.digest, contract, now,
            )
        )  # fmt: skip

    def _look(self, looked: _Looked) -> Contract:
        contract = looked.contract
        never = frozenset(
            column.name
            for column in contract.columns
            # The unit's name is public; what is sealed is hidden by its level.
            if column.name != contract.unit
            and column.level is not Level.SEALED
            and not self._ever(looked, column)
        )
        return replace(contract, hidden=never) if never else contract

    def _ever(self, looked: _Looked, column: Column) -> bool:
        """Whether some question that uses it could be permitted, or be put to an officer."""
        actions: tuple[tuple[Action, frozenset[str], Level], ...] = (
            ("query", looked.purposes & looked.contract.purposes, looked.clearance),
            # An officer may consider other purposes than the contract's, and levels above.
            ("consult", looked.purposes, Level.RESTRICTED),
        )
        return any(
            self._access.decide(
                Request(
                    subject=looked.subject,
                    organisation=looked.organisation,
                    clearance=looked.clearance,
                    action=action,
                    resource_kind="contract",
                    resource=looked.contract.id,
                    purpose=purpose,
                    level=level,
                    moment=moment,
                    columns=((column.name, column.level),),
                    declared=declared,
                )
            ).permitted
            for action, purposes, highest in actions
            for declared in (False, True)[: 1 + (action == "query")]
            for purpose in sorted(purposes)
            for level in Level
            if column.level <= level <= min(highest, Level.RESTRICTED)
            for moment in self._access.moments(looked.now)
        )
