"""The members, their contracts and handlers, and the procedures, as one caller may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.catalogue import Catalogue, HandlerOffer, Offer
from gateway.request import Request
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.v1 import gateway_pb2
from policies.admitted import collects
from policies.contract import Contract

Procedures = Callable[[Caller], Iterable[gateway_pb2.DirectoryProcedure]]
"""The procedures that a caller may open, as the directory shows them."""
Groups = Callable[[Request, Caller], Iterable[gateway_pb2.DirectoryGroup]]
"""The groups in which a caller takes part, as their departments say."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a caller may know: what policy lets them use, and what an officer may let them.

    The second is the first and more, and `listed` what they may hand records in to besides.
    `ceiling` is the level up to which an officer may consider a contract's columns for this caller,
    None where none does; `submits` and `watches` say of a contract whether they may.
    """

    caller: Caller
    usable: Catalogue
    consultable: Catalogue
    listed: Catalogue
    ceiling: Callable[[Contract], Level | None]
    submits: Callable[[Contract], bool]
    watches: Callable[[Contract], bool]


def directory_response(
    offered: Offered,
    silent: Iterable[str],
    federation: str = "",
    procedures: Iterable[gateway_pb2.DirectoryProcedure] = (),
    groups: Iterable[gateway_pb2.DirectoryGroup] = (),
) -> gateway_pb2.DirectoryResponse:
    """Everything that the caller may use or have considered; anything else does not appear."""
    unheard = frozenset(silent)
    return gateway_pb2.DirectoryResponse(
        federation=federation,
        members=[
            _member(name, offered, reachable=name not in unheard) for name in offered.listed.members
        ],
        procedures=procedures,
        groups=groups,
    )


def _member(name: str, offered: Offered, *, reachable: bool) -> gateway_pb2.DirectoryMember:
    offer = offered.listed.offers.get(name)
    if offer is None:
        return gateway_pb2.DirectoryMember(department=name, title=name, reachable=False)
    usable = offered.usable.offers.get(name)
    return gateway_pb2.DirectoryMember(
        department=name,
        title=offer.title,
        reachable=reachable,
        contracts=[
            _contract(contract, offered, usable, offer.as_of.get(contract.id, ""))
            for contract in offer.contracts.values()
        ],
        handlers=[
            shown
            for handler in offer.handlers.values()
            if (shown := _handler(name, handler, offered, usable)) is not None
        ],
    )


def _contract(
    contract: Contract, offered: Offered, usable: Offer | None, as_of: str
) -> gateway_pb2.DirectoryContract:
    ceiling = offered.ceiling(contract)
    level = offered.caller.clearance if ceiling is None else max(offered.caller.clearance, ceiling)
    who = contract.responsible
    return gateway_pb2.DirectoryContract(
        id=contract.id,
        description=contract.description,
        method=contract.disclosure.method,
        unit=contract.unit or "",
        purposes=sorted(contract.purposes),
        title=contract.title,
        version=contract.version,
        consultable=ceiling is not None,
        submittable=offered.submits(contract),
        collects=collects(contract) if offered.submits(contract) else "",
        watchable=offered.watches(contract),
        as_of=as_of,
        queryable=usable is not None and contract.id in usable.contracts,
        team=who.team,
        roles=[
            gateway_pb2.DirectoryRole(role=each.role, who=each.who, description=each.description)
            for each in who.roles
        ],
        channels=[
            gateway_pb2.DirectoryChannel(name=each.name, url=each.url, description=each.description)
            for each in who.channels
        ],
        columns=[
            gateway_pb2.DirectoryColumn(
                name=column.name,
                type=column.type,
                level=column.level.label,
                description=column.description,
                grouping=bool(column.domain or column.discovered)
                and column.level is not Level.SEALED,
            )
            for column in contract.columns
            if (column.level <= level and column.name not in contract.hidden)
            or column.name == contract.unit
        ],
    )


def _handler(
    department: str, handler: HandlerOffer, offered: Offered, usable: Offer | None
) -> gateway_pb2.DirectoryHandler | None:
    seen = usable is not None and handler.name in usable.handlers
    queryable = seen and handler.level <= offered.caller.clearance
    considered = offered.consultable.offers[department].handlers
    if handler.name not in considered:
        return None
    return gateway_pb2.DirectoryHandler(
        name=f"{department}.{handler.name}",
        description=handler.description,
        arguments=[f"{name}: {kind}" for name, kind in handler.arguments],
        codes=handler.codes,
        purposes=sorted(handler.purposes),
        consultable=not queryable,
        queryable=queryable,
    )
