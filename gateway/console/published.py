"""What departments publish of their own rules, as the gateway knows it from their descriptions.

Contracts and handlers with their terms always; the text of a department's access policy where its
owner lets auditors read it (`publish_access` in its node.toml). What the two policies let out
together is found by asking both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.catalogue import Catalogue, HandlerOffer, Offer
from landbridge.levels import Level
from policies.access import AccessPolicy, PolicyInvalid
from policies.outlet import Outlet, budget_of, kind_of, outlets


@dataclass(frozen=True, slots=True)
class Own:
    """A department's policy as it publishes it: `digest` of all its rules, as its log names them.

    `access` is None where the text is not published, or cannot be asked; `problem` says why not.
    """

    department: str
    digest: str
    access: AccessPolicy | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Passed:
    name: str
    to: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Handler:
    """A handler as `outlets` looks at one."""

    name: str
    codes: tuple[str, ...]
    level: Level
    purposes: frozenset[str]
    procedures: frozenset[str]
    passes: tuple[_Passed, ...]

    @classmethod
    def of(cls, offer: HandlerOffer) -> _Handler:
        passes = tuple(_Passed(name, to) for name, (_, to) in offer.passes.items())
        return cls(offer.name, offer.codes, offer.level, offer.purposes, offer.procedures, passes)


def own_policy(offer: Offer) -> Own:
    """The department's own access policy, read if it is published."""
    if not offer.access:
        return Own(offer.department, offer.policy_digest, None)
    place = f"access policy of {offer.department}"
    try:
        access = AccessPolicy.load(
            offer.access.decode("utf-8"),
            place,
            contracts=offer.contracts.keys(),
            handlers=[f"{offer.department}.{name}" for name in offer.handlers],
            # Who is registered the department tells nobody.
            groups={f"{offer.department}.{name}": frozenset() for name in offer.groups},
        )
    except UnicodeDecodeError:
        return Own(offer.department, offer.policy_digest, None, f"{place}: it is not UTF-8")
    except PolicyInvalid as invalid:
        return Own(offer.department, offer.policy_digest, None, str(invalid))
    return Own(offer.department, offer.policy_digest, access)


def let_out(known: Catalogue, gateway: AccessPolicy) -> Iterator[dict[str, Any]]:
    """By department, resource, who and purpose: what both policies let out, as far as both are
    known; `whole` says whether they are.
    """
    for department, offer in known.offers.items():
        own = own_policy(offer).access
        both = [gateway] if own is None else [gateway, own]
        handlers = {name: _Handler.of(each) for name, each in offer.handlers.items()}
        grouped: dict[tuple[str, str, str, str, bool], list[Outlet]] = {}
        for each in outlets(department, offer.contracts, handlers, both):
            grouped.setdefault(
                (each.resource, str(each.who), each.purpose, each.action, each.declared), []
            ).append(each)
        for (resource, who, purpose, action, declared), these in grouped.items():
            contract = offer.contracts.get(resource) if action == "query" else None
            yield {
                "department": department,
                "resource": resource if contract else resource.partition(".")[2],
                "who": who,
                "purpose": purpose,
                "columns": sorted({each.column for each in these}),
                "clearance": min(each.clearance for each in these).label,
                "policies": sorted({name for each in these for name in each.policies}),
                "kind": (kind_of(contract) if contract else _REPLY[action]) + _ONLY * declared,
                "budget": budget_of(contract.disclosure) if contract else "",
                "whole": own is not None,
            }


_ONLY = " (declared questions of its groups)"
_REPLY = {"call": "one reply", "step": "one reply within a case"}


def terms(known: Catalogue) -> Iterable[dict[str, Any]]:
    """Every contract and handler that a department describes, with its version and its terms."""
    for department, offer in known.offers.items():
        for contract in offer.contracts.values():
            yield {
                "department": department,
                "name": contract.id,
                "version": contract.version,
                "kind": kind_of(contract),
                "budget": budget_of(contract.disclosure),
                "level": max(column.level for column in contract.columns).label,
                "purposes": sorted(contract.purposes),
                "digest": contract.digest,
            }
        for handler in offer.handlers.values():
            yield {
                "department": department,
                "name": f"{handler.name}()",
                "version": handler.version,
                "kind": ", ".join((*handler.codes, *handler.reasons)) or "a bounded number",
                "budget": "",
                "level": handler.level.label,
                "purposes": sorted(handler.purposes),
                "digest": "",
            }
