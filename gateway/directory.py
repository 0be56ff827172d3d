"""The members, their contracts and handlers, as one caller may see them."""

from __future__ import annotations

from collections.abc import Collection

from gateway.catalogue import Catalogue, HandlerOffer, Offer
from landbridge.levels import Level
from landbridge.v1 import gateway_pb2
from policies.contract import Contract


def directory_response(
    known: Catalogue, clearance: Level, silent: Collection[str]
) -> gateway_pb2.DirectoryResponse:
    """Everything at or under the clearance; what lies above it does not appear."""
    return gateway_pb2.DirectoryResponse(
        members=[
            _member(name, known.offers.get(name), clearance, reachable=name not in silent)
            for name in known.members
        ]
    )


def _member(
    name: str, offer: Offer | None, clearance: Level, *, reachable: bool
) -> gateway_pb2.DirectoryMember:
    if offer is None:
        return gateway_pb2.DirectoryMember(department=name, title=name, reachable=False)
    return gateway_pb2.DirectoryMember(
        department=name,
        title=offer.title,
        reachable=reachable,
        contracts=[_contract(contract, clearance) for contract in offer.contracts.values()],
        handlers=[
            _handler(name, handler)
            for handler in offer.handlers.values()
            if handler.level <= clearance
        ],
    )


def _contract(contract: Contract, clearance: Level) -> gateway_pb2.DirectoryContract:
    return gateway_pb2.DirectoryContract(
        id=contract.id,
        description=contract.description,
        method=contract.disclosure.method,
        unit=contract.unit or "",
        purposes=sorted(contract.purposes),
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
            if (column.level <= clearance and column.name not in contract.hidden)
            or column.name == contract.unit
        ],
    )


def _handler(department: str, handler: HandlerOffer) -> gateway_pb2.DirectoryHandler:
    return gateway_pb2.DirectoryHandler(
        name=f"{department}.{handler.name}",
        description=handler.description,
        arguments=[f"{name}: {kind}" for name, kind in handler.arguments],
        codes=handler.codes,
        purposes=sorted(handler.purposes),
    )
