"""The connections to the departments' nodes: gRPC with mutual TLS, one channel each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gateway.catalogue import Catalogue, Offer, catalogue
from gateway.description import granted, offer_of
from gateway.descriptions import Descriptions
from landbridge.edge.pool import starved
from landbridge.edge.wanted import while_wanted
from landbridge.errors import LandbridgeError, error
from landbridge.protocols.agreement import keys_digest
from landbridge.status import CLIENT_METADATA_BYTES, from_rpc_error
from landbridge.v1 import (
    batch_pb2_grpc,
    census_pb2_grpc,
    consult_pb2_grpc,
    group_pb2_grpc,
    link_pb2_grpc,
    membership_pb2,
    membership_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    pooled_pb2_grpc,
    renewal_pb2_grpc,
    step_pb2_grpc,
    submission_pb2_grpc,
    watch_pb2_grpc,
    witness_pb2_grpc,
)
from policies import odcs

Request = TypeVar("Request")
Response = TypeVar("Response")
Kept = TypeVar("Kept")
Stub = TypeVar("Stub")

DESCRIBE_SECONDS = 5.0
CONNECTION_SECONDS = 3_600.0
"""After which a connection is replaced: a handshake is what looks at the member's certificate."""
RETIRED_SECONDS = 90.0
"""How long a connection that is replaced may finish what it carries; a call lives 60 at most."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the manifest lists it.

    `name` is the one its server certificate carries; `log_key` verifies its log and cannot be
    changed by the member; `witness_key` verifies its cosignatures under the gateway's log,
    `signing_key` its grants.
    """

    department: str
    title: str
    address: str
    name: str
    contracts: tuple[str, ...]
    handlers: tuple[str, ...] = ()
    log_key: str = ""
    witness_key: str = ""
    signing_key: Ed25519PublicKey | None = None


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
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1_000),
                # A new channel is a new handshake; else gRPC shares what leads to one address.
                ("grpc.use_local_subchannel_pool", 1),
                # A refusal carries its receipt in the status.
                ("grpc.max_metadata_size", CLIENT_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", CLIENT_METADATA_BYTES),
            ],
        )

    return connect


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel and what is asked over it.

    The stubs are made while it is open: gRPC ends the whole process when one is made of a channel
    that was closed, and says ValueError to a call.
    """

    channel: grpc.Channel
    node: node_pb2_grpc.NodeStub
    pooling: pooled_pb2_grpc.PoolingStub
    ear: membership_pb2_grpc.MembersStub
    witness: witness_pb2_grpc.WitnessStub
    witnessed: witness_pb2_grpc.WitnessedLogStub
    consulting: consult_pb2_grpc.ConsultingStub
    renewal: renewal_pb2_grpc.RenewalStub
    link: link_pb2_grpc.LinkStub
    handlers: batch_pb2_grpc.HandlersStub
    steps: step_pb2_grpc.StepsStub
    tally: census_pb2_grpc.TallyStub
    intake: submission_pb2_grpc.IntakeStub
    watching: watch_pb2_grpc.WatchingStub
    grouping: group_pb2_grpc.GroupingStub

    @classmethod
    def over(cls, channel: grpc.Channel) -> Connection:
        """All of them."""
        return cls(
            channel,
            node_pb2_grpc.NodeStub(channel),
            pooled_pb2_grpc.PoolingStub(channel),
            membership_pb2_grpc.MembersStub(channel),
            witness_pb2_grpc.WitnessStub(channel),
            witness_pb2_grpc.WitnessedLogStub(channel),
            consult_pb2_grpc.ConsultingStub(channel),
            renewal_pb2_grpc.RenewalStub(channel),
            link_pb2_grpc.LinkStub(channel),
            batch_pb2_grpc.HandlersStub(channel),
            step_pb2_grpc.StepsStub(channel),
            census_pb2_grpc.TallyStub(channel),
            submission_pb2_grpc.IntakeStub(channel),
            watch_pb2_grpc.WatchingStub(channel),
            group_pb2_grpc.GroupingStub(channel),
        )


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

    `report` takes what an operator should know, one sentence each. `outdated` is called when a node
    says that its contract is another than the one that it was asked by, and when no connection to
    it comes about; it never waits.
    """

    def __init__(
        self,
        members: Sequence[Member],
        connect: Connect,
        report: Callable[[str], None],
        kept: Descriptions | None = None,
    ) -> None:
        self.outdated: Callable[[], None] = lambda: None
        self._members = {member.department: member for member in members}
        self._connect = connect
        self._retired: list[tuple[float, grpc.Channel]] = []
        self._cut: frozenset[str] = frozenset()
        self._report = report
        self._lock = threading.Lock()
        self._kept = kept
        # What the last description was read into: a node says the same at every round but a few.
        self._described = self._remembered()
        self._known = self._catalogue_of({name: each[2] for name, each in self._described.items()})
        self._silent: tuple[str, ...] = tuple(self._members)
        self._told: dict[str, bytes] = {}
        self._masking: Mapping[str, X25519PublicKey] = {}
        self._opened: dict[str, float] = {}
        self._connections = {member.department: self._open(member) for member in members}
        self._asking: dict[object, float] = {}

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The connection to each member, by department, as it is now."""
        return self._connections

    def signing_key(self, department: str) -> Ed25519PublicKey | None:
        """What a member signs grants with; None for who is no member."""
        member = self._members.get(department)
        return None if member is None else member.signing_key

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
        # Not by `ask`: a round that finds somebody away would want the next one, for ever.
        with self.mending(members):
            asked = ask_each(
                self._connections,
                tuple(members),
                lambda stub: stub.node.Describe,
                lambda _: node_pb2.DescribeRequest(),
                DESCRIBE_SECONDS,
                (),
            )
        described = set()
        offers: dict[str, Offer] = {}
        for name, reply in asked.replies.items():
            member = members[name]
            if (known := self._described.get(name)) and known[:2] == (member, reply):
                described.add(name)
                offers[name] = known[2]
                continue
            try:
                offer = offer_of(member, reply)
            except odcs.ContractInvalid as invalid:
                self._report(f"department {name} serves a contract that cannot be used: {invalid}")
                continue
            described.add(name)
            offers[name] = offer
            self._described[name] = (member, reply, offer)
            self._keep(name, reply)
        for name, said in asked.refused.items():
            self._report(f"department {name} refuses to describe itself: {said.reason}")
        with self._lock:
            self._described = {
                name: kept for name, kept in self._described.items() if name in self._members
            }
            offers = {**self._known.offers, **offers}
            offers = {name: offer for name, offer in offers.items() if name in self._members}
            if offers != self._known.offers:
                self._known = self._catalogue_of(offers)
            self._silent = tuple(name for name in self._members if name not in described)
            return self._silent

    def _remembered(self) -> dict[str, tuple[Member, node_pb2.DescribeResponse, Offer]]:
        """What was said before the gateway started, as far as it can be used."""
        found = {}
        for name, member in self._members.items():
            said = None if self._kept is None else self._kept.find(name)
            if said is not None:
                with suppress(odcs.ContractInvalid):  # of another release; it is asked anyway
                    found[name] = (member, said, offer_of(member, said))
        return found

    def _keep(self, name: str, said: node_pb2.DescribeResponse) -> None:
        if self._kept is not None:
            try:
                self._kept.keep(name, said)
            except OSError as problem:
                self._report(
                    f"what department {name} serves cannot be kept for the next start "
                    f"({problem.strerror})"
                )

    def follow(self, members: Sequence[Member]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Lets go at once of who is out, and connects to who is new; gives the names of both.

        A question that is under way at a member that goes ends as if it had gone silent. One whose
        address or certificate's name is another is connected to anew, and what is under way there
        may finish.
        """
        now = {member.department: member for member in members}
        with self._lock:
            before = self._members
            gone = tuple(name for name in before if name not in now)
            come = tuple(name for name in now if name not in before)
            moved = [
                name for name in now if name in before and _place(now[name]) != _place(before[name])
            ]
            open_before = self._connections
            closing = [open_before[name] for name in gone if name in open_before]
            self._retire(open_before[name] for name in moved if name in open_before)
            # A new dictionary, not a changed one: other threads are reading this.
            self._connections = {
                name: self._open(now[name]) if name in come or name in moved else open_before[name]
                for name in now
                if name not in self._cut
            }
            self._members = now
            self._told = _without(self._told, (*gone, *moved))
            self._silent = tuple(name for name in now if name in come or name in self._silent)
            if before != now:
                offers = {
                    name: granted(now[name], offer)
                    for name, offer in self._known.offers.items()
                    if name in now
                }
                self._known = self._catalogue_of(offers)
        for connection in closing:
            connection.channel.close()
        return gone, come

    def reconnect(self, connect: Connect) -> None:
        """Connects anew to everybody, with another certificate of ours; drops nothing.

        Later requests take the new connections; what is under way on the earlier ones finishes.
        """
        with self._lock:
            self._connect = connect
            earlier = self._connections
            self._connections = {
                name: self._open(member)
                for name, member in self._members.items()
                if name not in self._cut
            }
            self._retire(earlier.values())

    def renew(self, age: float = CONNECTION_SECONDS) -> None:
        """Connects anew to those to whom a connection is older than so many seconds, as `reconnect`
        does: a certificate may have ended since the handshake.
        """
        with self._lock:
            now, earlier = time.monotonic(), self._connections
            old = [name for name in earlier if now - self._opened[name] >= age]
            if old:
                anew = {name: self._open(self._members[name]) for name in old}
                self._connections = {**earlier, **anew}
                self._retire(earlier[name] for name in old)

    def cut(self, names: Collection[str]) -> None:
        """Asks these no more, at once, and everybody else again: they stay members, and silent."""
        with self._lock:
            closing = [self._connections[name] for name in names if name in self._connections]
            self._connections = {
                name: self._connections.get(name) or self._open(member)
                for name, member in self._members.items()
                if name not in names
            }
            self._cut = frozenset(names)
            self._told = _without(self._told, names)
        for connection in closing:
            connection.channel.close()

    @contextmanager
    def mending(self, names: Collection[str]) -> Iterator[None]:
        """Connects anew to these where the block finds no thread: gRPC gives a channel's replies by
        a thread that it begins with the first call, and after one that failed to begin no reply of
        that channel comes ever again.
        """
        try:
            yield
        except RuntimeError as failure:
            if starved(failure):
                with self._lock:
                    earlier = self._connections
                    mended = [name for name in names if name in earlier]
                    self._connections = {
                        **earlier,
                        **{name: self._open(self._members[name]) for name in mended},
                    }
                    self._retire(earlier[name] for name in mended)
            raise

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody waits for a reply, see `overdue`."""
        call = object()
        self._asking[call] = time.monotonic()
        try:
            yield
        finally:
            self._asking.pop(call, None)

    def overdue(self, seconds: float, seen: set[object]) -> bool:
        """Whether a reply that is not in `seen` is waited for longer than that; adds it there.

        A node that began again lets everybody wait until its log was looked at. Forgets in `seen`
        whom nobody waits for any more.
        """
        now = time.monotonic()
        late = {call for call, since in self._asking.copy().items() if now - since > seconds}
        fresh = bool(late - seen)
        seen.clear()
        seen.update(late)
        return fresh

    def close_retired(self) -> None:
        """Closes the replaced connections on which nothing can be under way any more."""
        with self._lock:
            now = time.monotonic()
            over = [channel for end, channel in self._retired if end <= now]
            self._retired = [(end, channel) for end, channel in self._retired if end > now]
        for channel in over:
            channel.close()

    def _open(self, member: Member) -> Connection:
        self._opened[member.department] = time.monotonic()
        return Connection.over(self._connect(member))

    def _retire(self, connections: Iterable[Connection]) -> None:
        end = time.monotonic() + RETIRED_SECONDS
        self._retired += [(end, each.channel) for each in connections]

    def pin(self, masking: Mapping[str, X25519PublicKey]) -> None:
        """Takes the members' masking keys, as the manifest that is offered now has them."""
        self._masking = dict(masking)

    def keys_digest(self, names: Sequence[str]) -> bytes:
        """The digest of those members' masking keys; raises DEPARTMENT_MISSING for one unknown."""
        known = self._masking
        unknown = [name for name in names if name not in known]
        if unknown:
            raise error("DEPARTMENT_MISSING", missing=unknown)
        return keys_digest({name: known[name] for name in names})

    def offer(self, manifest: bytes) -> None:
        """Offers the manifest to every node that has not yet said what it does with this one.

        No member can make this fail; a refusal, and one who waits for its operator, is reported.
        """
        request = membership_pb2.OfferRequest(manifest=manifest)
        open_now = self._connections
        with self.mending(open_now):
            calls = {
                name: each.ear.Offer.future(request, timeout=DESCRIBE_SECONDS)
                for name, each in open_now.items()
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
        method: Callable[[Connection], grpc.UnaryUnaryMultiCallable[Request, Response]],
        request: Callable[[str], Request],
        seconds: float,
        headers: Sequence[tuple[str, str]],
        *,
        long: bool = False,
    ) -> Asked[Response]:
        """Asks the named departments at once and waits for all; raises DEADLINE if it is over.

        When our caller goes away they are told to stop; one alone only if what it does may take
        `long`, because that costs a quarter of a millisecond.
        """
        with self.mending(names), self.waiting():
            asked = ask_each(self._connections, names, method, request, seconds, headers, long=long)
        if any(_outdated(said) for said in asked.missing.values()):
            self.outdated()
        return asked

    def ask_one(
        self,
        name: str,
        method: Callable[[Connection], grpc.UnaryUnaryMultiCallable[Request, Response]],
        request: Callable[[str], Request],
        seconds: float,
        headers: Sequence[tuple[str, str]],
    ) -> Response:
        """One department, by a method of any of its services.

        Raises its refusal, with its name; DEADLINE, or DEPARTMENT_MISSING where no word came.
        """
        if seconds <= 0:
            raise error("DEADLINE")
        try:
            with self.waiting():
                return method(self._connections[name])(
                    request(name), timeout=seconds, metadata=tuple(headers)
                )
        except (KeyError, ValueError):  # it left; gRPC says ValueError of a closed channel
            raise error("DEPARTMENT_MISSING", missing=(name,)) from None
        except grpc.RpcError as failure:
            said = from_rpc_error(failure)
        if said.status == "DEADLINE_EXCEEDED":
            raise error("DEADLINE", f"Time ran out before {name} answered.", missing=(name,))
        if said.reason == "RUN_FAILED":
            raise error("RUN_FAILED", f"Department {name} could not compute it.", missing=(name,))
        if said.status in ("UNAVAILABLE", "INTERNAL"):
            raise error("DEPARTMENT_MISSING", f"No answer came from {name}.", missing=(name,))
        raise named(name, said)

    def _catalogue_of(self, offers: Mapping[str, Offer]) -> Catalogue:
        declared = {name: member.contracts for name, member in self._members.items()}
        return catalogue(self._members, declared, offers)

    def close(self) -> None:
        """Closes every connection."""
        for _, channel in self._retired:
            channel.close()
        for connection in self._connections.values():
            connection.channel.close()


def ask_each(
    stubs: Mapping[str, Stub],
    names: Sequence[str],
    method: Callable[[Stub], grpc.UnaryUnaryMultiCallable[Request, Response]],
    request: Callable[[str], Request],
    seconds: float,
    headers: Sequence[tuple[str, str]],
    *,
    long: bool = False,
) -> Asked[Response]:
    """As `Departments.ask`, over these stubs of whichever service."""
    if seconds <= 0:
        raise error("DEADLINE")
    if len(names) == 1 and not long:
        return _ask_alone(stubs, names[0], method, request, seconds, headers)
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
            with while_wanted(call.cancel, whatever=True):
                replies[name] = call.result()
        except grpc.RpcError as failure:
            said = _said(failure)
            (missing if said.status in _PASSING else refused)[name] = said
        except grpc.FutureCancelledError:
            missing[name] = error("DEPARTMENT_MISSING")
    return Asked(replies, missing, refused)


def _ask_alone(
    stubs: Mapping[str, Stub],
    name: str,
    method: Callable[[Stub], grpc.UnaryUnaryMultiCallable[Request, Response]],
    request: Callable[[str], Request],
    seconds: float,
    headers: Sequence[tuple[str, str]],
) -> Asked[Response]:
    """The same of one, on this thread: a future's reply comes by way of the channel's own."""
    try:
        reply = method(stubs[name])(request(name), timeout=seconds, metadata=tuple(headers))
    except (KeyError, ValueError):
        return Asked({}, {name: error("DEPARTMENT_MISSING")}, {})
    except grpc.RpcError as failure:
        said = _said(failure)
        passing = said.status in _PASSING
        return Asked({}, {name: said} if passing else {}, {} if passing else {name: said})
    return Asked({name: reply}, {}, {})


def _said(failure: grpc.RpcError) -> LandbridgeError:
    """What came of a call; one whose channel was closed under it is of a department that left."""
    failure.__traceback__ = None  # as in `from_rpc_error`
    call: Any = failure  # gRPC's published types do not know that it is one
    if call.code() is grpc.StatusCode.CANCELLED:
        return error("DEPARTMENT_MISSING")
    return from_rpc_error(failure)


_PASSING: Final = frozenset(("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"))
"""Statuses that are no answer; the others are a refusal."""
LONGEST_RULE = 200
LONGEST_TEXT = 500


def _outdated(said: LandbridgeError) -> bool:
    return said.reason in ("CONTRACT_CHANGED", "DATE_CHANGED") or said.status == "UNAVAILABLE"


def _without(found: Mapping[str, Kept], names: Collection[str]) -> dict[str, Kept]:
    return {name: kept for name, kept in found.items() if name not in names}


def _place(member: Member) -> tuple[str, str]:
    return member.address, member.name


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
