"""What the members serve, as they described it: contracts and handlers, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from landbridge.days import AsOf
from landbridge.errors import error
from landbridge.levels import Level
from policies.contract import Contract
from policies.linked import Side
from policies.review import not_available


@dataclass(frozen=True, slots=True)
class HandlerOffer:
    """A handler as its department describes it; arguments are names with "text" or "integer".

    `sources` are the `department.handler.value` that an argument may come from, `passes` the type
    of a value that it hands over and the departments that it goes to, `bounds` those of a number.
    """

    name: str
    version: str
    description: str
    arguments: tuple[tuple[str, str], ...]
    codes: tuple[str, ...]
    level: Level
    purposes: frozenset[str]
    contract: str = ""
    returns: str = "code"
    reasons: tuple[str, ...] = ()
    bounds: tuple[float, float] = (0.0, 0.0)
    consent: bool = False
    subject: str = ""
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    passes: Mapping[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    procedures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    """What one member serves. `log_key` verifies the receipts of its log; `documents` are the
    contracts as their owner wrote them, by id; `groups` the purpose of each of its groups.
    `policy_digest` names the version of its rules, `access` is the text of its access policy where
    the owner publishes it. `as_of` is the day that a contract's data are of, see `landbridge.days`.
    """

    department: str
    title: str
    contracts: Mapping[str, Contract]
    handlers: Mapping[str, HandlerOffer]
    log_key: str
    documents: Mapping[str, bytes] = field(default_factory=dict)
    policy_digest: str = ""
    access: bytes = b""
    groups: Mapping[str, str] = field(default_factory=dict)
    as_of: AsOf = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served:
    """A contract and the departments that serve it, in the manifest's order.

    Of tables that are linked across departments `sides` says whose each is, and `key` what they are
    matched by.
    """

    contract: Contract
    departments: tuple[str, ...]
    sides: tuple[Side, ...] = ()
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All members and what is known of them; `members` keeps the manifest's order.

    `names` are those of members, tables and columns that a clearance may use.

    A member that never described itself is a member without an offer: it is named as missing where
    the manifest says that it serves a table.
    """

    members: tuple[str, ...]
    offers: Mapping[str, Offer]
    declared: Mapping[str, tuple[str, ...]]
    names: Mapping[Level, frozenset[str]]

    def table(self, name: str, department: str | None) -> Served:
        """The contract of a table, for one department or for all that serve it.

        Departments that serve another text of the contract than the first one are left out, as
        are those that nothing is known of: the caller is told that they are missing. Raises
        NOT_AVAILABLE, and DEPARTMENT_MISSING for whatever is asked of one never heard of.
        """
        spelt = name if department is None else f"{department}.{name}"
        asked = self.members if department is None else (department,)
        serving = tuple(member for member in asked if name in self.declared.get(member, ()))
        for member in serving:
            offer = self.offers.get(member)
            if offer is not None and name in offer.contracts:
                return Served(offer.contracts[name], serving)
        self._require_heard(department)
        raise not_available("table", spelt)

    def _require_heard(self, department: str | None) -> None:
        """Of a member that never described itself nothing is known: the same is said of whatever
        name there may be, so that nobody learns by it which there are.
        """
        if department in self.members and department not in self.offers:
            raise error(
                "DEPARTMENT_MISSING",
                f"No word has come yet from {department}: what it has is not known.",
                missing=(department,),
            )

    def agrees(self, department: str, contract: Contract) -> bool:
        """Whether the department serves this very text of the contract, or of each joined part."""
        offer = self.offers.get(department)
        served = {} if offer is None else offer.contracts
        return all(
            part.id in served and served[part.id].digest == part.digest for part in contract.each
        )

    def handler(self, name: str, clearance: Level) -> tuple[str, HandlerOffer]:
        """The department and handler of "department.handler"; raises as `table` does."""
        department, _, short = name.partition(".")
        self._require_heard(department)
        offer = self.offers.get(department)
        found = None if offer is None else offer.handlers.get(short)
        if found is None or found.level > clearance:
            raise not_available("handler", name)
        return department, found


def catalogue(
    members: Iterable[str], declared: Mapping[str, tuple[str, ...]], offers: Mapping[str, Offer]
) -> Catalogue:
    """A catalogue that nobody can change."""
    known = tuple(members)
    contracts = {
        contract.digest: contract
        for offer in offers.values()
        for contract in offer.contracts.values()
    }
    names = {
        clearance: frozenset(known).union(
            *(
                {contract.id}.union(
                    column.name
                    for column in contract.columns
                    if (column.level <= clearance and column.name not in contract.hidden)
                    or column.name == contract.unit
                )
                for contract in contracts.values()
            )
        )
        for clearance in Level
    }
    return Catalogue(
        known,
        MappingProxyType(dict(offers)),
        MappingProxyType(dict(declared)),
        MappingProxyType(names),
    )
