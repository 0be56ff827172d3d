"""The departments: who they are now, the connection to each, and what each described."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gateway.ask_each import Asked, Request, Response, ask_each, named
from gateway.catalogue import Catalogue, Offer, catalogue
from gateway.connection import Connect, Connection, Member
from gateway.description import granted, offer_of
from gateway.descriptions import Descriptions
from gateway.waited_for import WaitedFor
from landbridge.edge.pool import starved
from landbridge.errors import LandbridgeError, error
from landbridge.protocols.agreement import keys_digest
from landbridge.status import from_rpc_error
from landbridge.v1 import membership_pb2, node_pb2
from policies import odcs

Kept = TypeVar("Kept")

DESCRIBE_SECONDS = 5.0
CONNECTION_SECONDS = 3_600.0
"""After which a connection is replaced: a handshake is what looks at the member's certificate."""
RETIRED_SECONDS = 90.0
"""How long a connection that is replaced may finish what it carries; a call lives 60 at most."""


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
        self.waited_for = WaitedFor()

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
        with self.mending(names), self.waited_for.one():
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
            with self.waited_for.one():
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


def _outdated(said: LandbridgeError) -> bool:
    return said.reason in ("CONTRACT_CHANGED", "DATE_CHANGED") or said.status == "UNAVAILABLE"


def _without(found: Mapping[str, Kept], names: Collection[str]) -> dict[str, Kept]:
    return {name: kept for name, kept in found.items() if name not in names}


def _place(member: Member) -> tuple[str, str]:
    return member.address, member.name
