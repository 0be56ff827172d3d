"""The connections to the departments' nodes: gRPC with mutual TLS, one channel each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import grpc

from gateway.catalogue import Catalogue, HandlerOffer, Offer, catalogue
from landbridge.errors import LandbridgeError, error
from landbridge.levels import Level
from landbridge.status import CLIENT_METADATA_BYTES, from_rpc_error
from landbridge.v1 import membership_pb2, membership_pb2_grpc, node_pb2, node_pb2_grpc
from policies import odcs

Request = TypeVar("Request")
Response = TypeVar("Response")
Kept = TypeVar("Kept")

DESCRIBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the manifest lists it.

    `name` is the one its server certificate carries; `log_key` verifies its log and cannot be
    changed by the member; `witness_key` verifies its cosignatures under the gateway's log.
    """

    department: str
    title: str
    address: str
    name: str
    contracts: tuple[str, ...]
    handlers: tuple[str, ...] = ()
    log_key: str = ""
    witness_key: str = ""


Connect = Callable[[Member], grpc.Channel]
"""Opens the connection to one member."""


def over_tls(credentials: grpc.ChannelCredentials) -> Connect:
    """Connections with mutual TLS, each to a server with that member's own certificate."""

    def connect(member: Member) -> grpc.Channel:
        return grpc.secure_channel(
            member.address,
            credentials,
            options=[
                # The certificate must be this member's, wherever it runs.
                ("grpc.ssl_target_name_override", member.name),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                # A node that comes back is found within a second.
                ("grpc.max_reconnect_backoff_ms", 1_000),
                # A refusal carries its receipt in the status.
                ("grpc.max_metadata_size", CLIENT_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", CLIENT_METADATA_BYTES),
            ],
        )

    return connect


@dataclass(frozen=True, slots=True)
class Asked(Generic[Response]):
    """What came of asking several departments at once.

    `missing` are those that were unreachable, too late or failed, each with the reason; `refused`
    those whose policy said no.
    """

    replies: Mapping[str, Response]
    missing: Mapping[str, LandbridgeError]
    refused: Mapping[str, LandbridgeError]

    def require_none_refused(self) -> None:
        """Raises the first refusal, with the department's name: one refusal refuses the whole."""
        for department, said in self.refused.items():
            raise named(department, said)


class Departments:
    """All members. Connections are made and mended by gRPC; descriptions by `refresh`.

    `report` takes what an operator should know, one sentence each.
    """

    def __init__(
        self,
        members: Sequence[Member],
        connect: Connect,
        report: Callable[[str], None],
    ) -> None:
        self._members = {member.department: member for member in members}
        self._report = report
        self._lock = threading.Lock()
        self._known = self._catalogue_of({})
        self._silent: tuple[str, ...] = tuple(self._members)
        self._channels = {member.department: connect(member) for member in members}
        self._ears = {
            name: membership_pb2_grpc.MembersStub(channel)
            for name, channel in self._channels.items()
        }
        self._told: dict[str, bytes] = {}
        self._stubs = {
            name: node_pb2_grpc.NodeStub(channel) for name, channel in self._channels.items()
        }

    @property
    def channels(self) -> Mapping[str, grpc.Channel]:
        """The connection to each member, by department."""
        return self._channels

    @property
    def silent(self) -> tuple[str, ...]:
        """The members that did not describe themselves when they were last asked."""
        return self._silent

    def catalogue(self) -> Catalogue:
        """What is known of everybody now; the same object until a description changes."""
        return self._known

    def refresh(self) -> tuple[str, ...]:
        """Asks every node to describe itself, and gives the names of those that did not.

        What a silent node said earlier stays known. No member can make this fail.
        """
        members = self._members
        asked = self.ask(
            tuple(members),
            lambda stub: stub.Describe,
            lambda _: node_pb2.DescribeRequest(),
            DESCRIBE_SECONDS,
            (),
        )
        described = set()
        offers: dict[str, Offer] = {}
        for name, reply in asked.replies.items():
            try:
                offer = _offer(members[name], reply)
            except odcs.ContractInvalid as invalid:
                self._report(f"department {name} serves a contract that cannot be used: {invalid}")
                continue
            described.add(name)
            offers[name] = offer
        for name, said in asked.refused.items():
            self._report(f"department {name} refuses to describe itself: {said.reason}")
        with self._lock:
            offers = {**self._known.offers, **offers}
            offers = {name: offer for name, offer in offers.items() if name in self._members}
            if offers != self._known.offers:
                self._known = self._catalogue_of(offers)
            self._silent = tuple(name for name in self._members if name not in described)
            return self._silent

    def keep(self, staying: Collection[str]) -> tuple[str, ...]:
        """Lets go of every member but these, at once; gives the names of those that go.

        A question that is under way there ends as if the department had gone silent.
        """
        with self._lock:
            going = tuple(name for name in self._members if name not in staying)
            # New dictionaries, not changed ones: other threads are reading these.
            self._members = _without(self._members, going)
            self._stubs = _without(self._stubs, going)
            self._ears = _without(self._ears, going)
            closing = [self._channels[name] for name in going]
            self._channels = _without(self._channels, going)
            self._silent = tuple(name for name in self._silent if name not in going)
            if going:
                self._known = self._catalogue_of(_without(self._known.offers, going))
        for channel in closing:
            channel.close()
        return going

    def offer(self, manifest: bytes) -> None:
        """Offers the manifest to every node that has not yet said what it does with this one.

        No member can make this fail; a refusal, and one who waits for its operator, is reported.
        """
        request = membership_pb2.OfferRequest(manifest=manifest)
        calls = {
            name: ear.Offer.future(request, timeout=DESCRIBE_SECONDS)
            for name, ear in self._ears.items()
            if self._told.get(name) != manifest
        }
        for name, call in calls.items():
            try:
                waiting = call.result().waiting
            except grpc.RpcError as failure:
                said = from_rpc_error(failure)
                if said.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                    continue  # asked again at the next round
                self._report(f"department {name} refuses the manifest: {said.reason}")
            except grpc.FutureCancelledError:
                continue
            else:
                if waiting:
                    self._report(f"the manifest waits for the operator of department {name}")
            self._told[name] = manifest

    def ask(
        self,
        names: Sequence[str],
        method: Callable[[node_pb2_grpc.NodeStub], grpc.UnaryUnaryMultiCallable[Request, Response]],
        request: Callable[[str], Request],
        seconds: float,
        headers: Sequence[tuple[str, str]],
    ) -> Asked[Response]:
        """Asks the named departments at once and waits for all; raises DEADLINE if it is over."""
        if seconds <= 0:
            raise error("DEADLINE")
        stubs = self._stubs
        calls = {}
        missing: dict[str, LandbridgeError] = {}
        for name in names:
            try:
                calls[name] = method(stubs[name]).future(
                    request(name), timeout=seconds, metadata=tuple(headers)
                )
            except (KeyError, ValueError):  # it left; gRPC says ValueError of a closed channel
                missing[name] = error("DEPARTMENT_MISSING")
        replies: dict[str, Response] = {}
        refused: dict[str, LandbridgeError] = {}
        for name, call in calls.items():
            try:
                replies[name] = call.result()
            except grpc.RpcError as failure:
                said = from_rpc_error(failure)
                passing = said.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL")
                (missing if passing else refused)[name] = said
            except grpc.FutureCancelledError:
                missing[name] = error("DEPARTMENT_MISSING")
        return Asked(replies, missing, refused)

    def _catalogue_of(self, offers: Mapping[str, Offer]) -> Catalogue:
        declared = {name: member.contracts for name, member in self._members.items()}
        return catalogue(self._members, declared, offers)

    def close(self) -> None:
        """Closes every connection."""
        for channel in self._channels.values():
            channel.close()


LONGEST_RULE = 200
LONGEST_TEXT = 500


def _without(found: Mapping[str, Kept], names: Collection[str]) -> dict[str, Kept]:
    return {name: kept for name, kept in found.items() if name not in names}


def named(department: str, said: LandbridgeError) -> LandbridgeError:
    """A node's refusal, with the department's name; the receipt stays the node's own.

    What a node says goes into our log and to our caller, so it is kept short and printable.
    """
    rule = _printable(said.rule, LONGEST_RULE)
    return error(
        said.reason,
        f"Department {department}: {_printable(said.message, LONGEST_TEXT)}",
        rule=f"{department}/{rule}" if rule else "",
        hint=_printable(said.hint, LONGEST_TEXT),
    )


def _printable(text: str, longest: int) -> str:
    return "".join(character for character in text[:longest] if character.isprintable())


def _offer(member: Member, reply: node_pb2.DescribeResponse) -> Offer:
    """A node's description, of the contracts and handlers that the manifest grants it."""
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
        )
        for handler in reply.handlers
        if handler.name in member.handlers
    }
    return Offer(member.department, member.title, contracts, handlers, member.log_key, documents)


def _level(name: str) -> Level:
    """An unknown level is one that nobody reaches."""
    try:
        return Level.named(name)
    except ValueError:
        return Level.SEALED
