"""What a node says of itself, as far as the manifest grants it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, Protocol

from gateway.catalogue import HandlerOffer, Offer
from landbridge.days import is_day
from landbridge.levels import Level
from landbridge.v1 import node_pb2
from policies import odcs

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Granted(Protocol):
    """A member, by what the manifest says of it."""

    @property
    def department(self) -> str:
        """Its name."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def contracts(self) -> tuple[str, ...]:
        """The contracts that it may serve."""

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers that it may offer."""

    @property
    def log_key(self) -> str:
        """Verifies its log."""


def offer_of(member: Granted, reply: node_pb2.DescribeResponse) -> Offer:
    """A node's description, of the contracts and handlers that the manifest grants it.

    Raises ContractInvalid.
    """
    contracts, documents = {}, {}
    for described in reply.contracts:
        contract = odcs.read(described.document, f"{member.department}/{described.id}")
        if contract.id in member.contracts:
            contracts[contract.id], documents[contract.id] = contract, described.document
    handlers = {
        handler.name: HandlerOffer(
            handler.name,
            handler.version,
            handler.description,
            tuple((argument.name, argument.type) for argument in handler.arguments),
            tuple(handler.codes),
            _level(handler.level),
            frozenset(handler.purposes),
            handler.contract,
            handler.returns,
            tuple(handler.reasons),
            (handler.minimum, handler.maximum),
            handler.consent,
            handler.subject,
            {each.name: frozenset(each.sources) for each in handler.arguments if each.sources},
            {each.name: (each.type, frozenset(each.departments)) for each in handler.passes},
            frozenset(handler.procedures),
        )
        for handler in reply.handlers
        if handler.name in member.handlers
    }
    return Offer(
        member.department,
        member.title,
        contracts,
        handlers,
        member.log_key,
        documents,
        reply.policy_digest if _DIGEST.fullmatch(reply.policy_digest) else "",
        reply.access,
        {group.name: group.purpose for group in reply.groups},
        # What is no day names none, so nothing is planned by it.
        {each.id: each.as_of for each in reply.contracts if is_day(each.as_of)},
    )


def granted(member: Granted, offer: Offer) -> Offer:
    """The offer as far as the manifest grants it now; a wider one is known after a description."""
    return replace(
        offer,
        title=member.title,
        contracts={
            name: each for name, each in offer.contracts.items() if name in member.contracts
        },
        handlers={name: each for name, each in offer.handlers.items() if name in member.handlers},
        log_key=member.log_key,
    )


def _level(name: str) -> Level:
    """An unknown level is one that nobody reaches."""
    try:
        return Level.named(name)
    except ValueError:
        return Level.SEALED
