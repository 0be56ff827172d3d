"""A federation in memory: N departments, a clock that is set, noise that is chosen, faults.

Everything is the product's own code but for four things: messages are serialized and handed over
without a socket, certificates are not asked for, DuckDB runs in this process, and the noise and the
clock are passed in. Journeys over real gRPC are in tests/journeys.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import duckdb
import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.connection import Member
from gateway.consult_planning import ConsultPlanning
from gateway.consult_servicer import ConsultationsServicer
from gateway.consulting import Consulting
from gateway.departments import Departments
from gateway.links import Links
from gateway.planning import Planning
from gateway.portal import PortalServicer
from gateway.servicer import GatewayServicer
from gateway.settings import masking_keys
from landbridge.access_list import AccessList, read_accesses
from landbridge.answers import Answer, Plan, Reply, Value
from landbridge.edge.own_log import OwnLog
from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.signer import Signer
from landbridge.evidence.subject_keys import SubjectKeys
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import Admission
from landbridge.identity.development import DevelopmentIssuer
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier
from landbridge.membership.keys import MemberKeys
from landbridge.membership.link_statement import LinkSigner, LinkVerifier
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.membership.statement import AskingSigner, AskingVerifier
from landbridge.protocols.keeping import Keeper
from landbridge.protocols.masks import Exchanges
from landbridge.status import from_rpc_error, to_status
from landbridge.v1 import (
    census_pb2,
    consult_pb2,
    gateway_pb2,
    link_pb2,
    node_pb2,
    pooled_pb2,
    portal_pb2,
)
from landbridge.wire import read_answer, read_plan, read_reply, write_literal
from nodes.answering import Answering
from nodes.census import Census
from nodes.census_batch import CensusBatches
from nodes.census_servicer import TallyServicer
from nodes.census_side import Sides
from nodes.census_store import CensusStore
from nodes.circle import Circles
from nodes.computing import Computing
from nodes.consult_servicer import ConsultingServicer
from nodes.consulting import Consulting as ConsultingAtNode
from nodes.description import handler_to
from nodes.desk import Desk
from nodes.dialects.dialect import DUCKDB
from nodes.engines.database import VIEW, select_columns
from nodes.engines.engine import Cell, Engine, Parameter
from nodes.granting import Granting
from nodes.guard import Guard
from nodes.history import History
from nodes.ledger import Ledger
from nodes.link_dummies import Counts
from nodes.link_making import Making
from nodes.link_matching import Matching
from nodes.link_peers import Peers
from nodes.link_product import Products
from nodes.link_servicer import LinkServicer
from nodes.link_state import Underways
from nodes.linking import Linking
from nodes.load import load
from nodes.pooling import Pooling
from nodes.pooling_servicer import PoolingServicer
from nodes.queue import Queue
from nodes.quotas import Quotas
from nodes.replying import Replying
from nodes.reviewing import Reviewing
from nodes.servicer import NodeServicer
from nodes.store import Store
from nodes.subject_access import SubjectAccessServicer
from nodes.tables import Tables
from policies import odcs
from policies.access import AccessPolicy
from policies.disclosure import Mechanism
from policies.handler import Handler
from tests.people import ACCESS, AUDIENCE, ISSUER, PURPOSE

NOON = 1_790_000_000.0
"""Where the clock of a simulation starts, seconds since 1970."""


def shifted(secret: bytes, cells: int, scale: float, t: int) -> list[int]:
    """As many dummies as the gateway takes off again: no noise in who is linked."""
    del secret, scale
    return [t] * cells


def exact(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """No noise: what the numbers would be."""
    del mechanism
    return list(cells)


class DirectEngine:
    """DuckDB in this process, over the same files; counts what it runs."""

    def __init__(self, tables: Mapping[str, Path]) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        self.dialect = DUCKDB
        self.runs: list[str] = []
        self.broken: LandbridgeError | None = None
        for name, path in tables.items():
            self._connection.execute(f"ATTACH '{path}' AS file_{name} (READ_ONLY)")
            self._connection.execute(f"CREATE VIEW {name} AS {VIEW.format(file=f'file_{name}')}")

    def run(
        self, sql: str, parameters: Sequence[Parameter], *, timeout: float, maximum_rows: int
    ) -> list[tuple[Cell, ...]]:
        """As `nodes.engines.engine.Engine` says, without its limits."""
        del timeout
        self.runs.append(sql)
        if self.broken is not None:
            raise self.broken
        rows = self._connection.cursor().execute(sql, list(parameters)).fetchall()
        assert len(rows) <= maximum_rows
        return rows

    def columns(
        self, sql: str, parameters: Sequence[Parameter], *, timeout: float, maximum_rows: int
    ) -> list[bytes]:
        """As `nodes.engines.engine.Engine` says, without its limits."""
        del timeout
        self.runs.append(sql)
        if self.broken is not None:
            raise self.broken
        found = select_columns(self._connection, sql, list(parameters), maximum_rows=maximum_rows)
        assert found is not None
        return found[1]

    def close(self) -> None:
        """Ends it."""
        self._connection.close()


class KeptLog:
    """A real log that also remembers what was appended; `broken` makes appends fail."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.coming = log.coming
        self.entries: list[Entry] = []
        self.broken = False

    def append(self, entry: bytes) -> Receipt:
        """As `Log.append`."""
        return self.submit(entry).result()

    def submit(self, entry: bytes) -> Future[Receipt]:
        """As `Log.submit`."""
        if self.broken:
            raise error("LOG_UNAVAILABLE")
        receipt = self._log.submit(entry)
        self.entries.append(Entry.from_bytes(entry))
        return receipt

    @property
    def size(self) -> int:
        """As `Log.size`."""
        return self._log.size

    def require(self) -> None:
        """As `Log.require`."""
        self._log.require()

    def wait_until_published(self) -> None:
        """Returns when the folder shows everything; the publisher comes twice a second."""
        while self._log._published < self._log.size:
            time.sleep(0.01)

    def close(self) -> None:
        """As `Log.close`."""
        self._log.close()


class _Failure(grpc.RpcError, grpc.Call):
    """A failed call as a client sees it."""

    def __init__(self, status: grpc.Status) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> Any:
        return self._status.trailing_metadata

    def initial_metadata(self) -> Any:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        del callback
        return False


@dataclass
class _Context:
    """What a servicer asks of gRPC."""

    metadata: Sequence[tuple[str, str | bytes]] = ()
    seconds: float = 30.0
    peer: str = "gateway"

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return self.metadata

    def time_remaining(self) -> float:
        return self.seconds

    def auth_context(self) -> Mapping[str, Any]:
        return {"simulated_peer": [self.peer.encode()]}


class _Serving(NodeServicer):
    """The node's servicer, for a peer that the simulation names."""

    def _admit(self, context: grpc.ServicerContext) -> None:
        with self._recorder.check("refused_login"):
            if cast(Any, context.auth_context())["simulated_peer"] != [b"gateway"]:
                raise error("PEER_UNKNOWN")


@dataclass
class SimulatedNode:
    """One department in memory.

    `down` makes it unreachable, `before` happens on a request's arrival (a `LandbridgeError` or a
    failure of the call may be raised), `change` spoils what it replies, `pinned` is what it has
    pinned instead of everybody's manifest; `received` and `sent` are all that crossed.
    """

    name: str
    servicer: NodeServicer
    ledger: Ledger
    history: History
    log: KeptLog
    tables: Tables[Engine]
    engines: list[DirectEngine]
    recorder: Recorder
    log_key: str
    consulting: ConsultingServicer
    reviewing: Reviewing
    queue: Queue
    quotas: Quotas
    key: Ed25519PrivateKey
    access: SubjectAccessServicer
    down: bool = False
    change: Callable[[Any], None] | None = None
    received: list[Any] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)
    pooling: Any = None
    exchanges: Any = None
    pinned: Manifest | None = None
    before: Callable[[Any], None] | None = None
    linking: Any = None
    underways: Any = None
    tally: Any = None
    census: Any = None
    guard: Any = None

    def put_down(self) -> None:
        """Lets go of its files, but for the tables: another one can be started over them."""
        for part in (self.queue, self.quotas, self.ledger, self.history, self.log, self.census):
            part.close()

    def call(self, path: str, request: bytes, seconds: float) -> bytes:
        """One unary call, serialized both ways."""
        if self.down:
            raise _Failure(_bare(grpc.StatusCode.UNAVAILABLE))
        service, method = path.rsplit("/", 2)[1:]
        servicer: Any = self.servicer
        if service.endswith(".SubjectAccess"):
            servicer, kind = self.access, portal_pb2.SubjectAccessListRequest
        elif service.endswith(".Pooling"):
            servicer, kind = self.pooling, getattr(pooled_pb2, f"{method}Request")
        elif service.endswith(".Consulting"):
            servicer, kind = self.consulting, getattr(consult_pb2, f"{method}Request")
        elif service.endswith(".Tally"):
            servicer, kind = self.tally, getattr(census_pb2, f"Tally{method}Request")
        elif service.endswith(".Link"):
            servicer, kind = self.linking, getattr(link_pb2, f"Link{method}Request")
        else:
            kind = getattr(node_pb2, f"{method}Request")
        message = kind.FromString(request)
        self.received.append(message)
        try:
            if self.before is not None and method != "Describe":
                self.before(message)
            reply = getattr(servicer, method)(message, _Context(seconds=seconds))
        except LandbridgeError as refusal:
            raise _Failure(to_status(refusal)) from None
        self.sent.append(reply)
        if self.change is not None and method != "Describe":
            self.change(reply)
        return cast(bytes, reply.SerializeToString())

    @property
    def runs(self) -> int:
        """How many statements its engines ran."""
        return sum(len(engine.runs) for engine in self.engines)


class FederationSimulator:
    """A gateway and its departments in memory, all with the same contract unless told otherwise.

    `more` are further contracts of a department, each with its rows; `elsewhere` are departments
    whose rows were loaded into another engine, with what opens it.
    """

    def __init__(
        self,
        folder: Path,
        rows: Mapping[str, Path],
        documents: Mapping[str, bytes] | bytes,
        *,
        draw: Callable[[Sequence[int], Mechanism], list[int]] = exact,
        access: str = ACCESS,
        gateway_access: str = ACCESS,
        handlers: Sequence[Handler] = (),
        more: Mapping[str, Sequence[tuple[bytes, Path]]] | None = None,
        count: Counts = shifted,
        elsewhere: Mapping[str, tuple[Store, Callable[[], Engine]]] | None = None,
    ) -> None:
        self.now = NOON
        self._elsewhere = elsewhere or {}
        self.folder = folder
        self.issuer = DevelopmentIssuer.create(folder / "issuer", ISSUER, AUDIENCE)
        self._keys = folder / "issuer" / "jwks.json"
        self._draw = draw
        self._access = access
        self._handlers = tuple(handlers)
        self._count = count
        self.signer = AskingSigner("test.example", Ed25519PrivateKey.generate(), self.clock)
        self.link_signer = LinkSigner("test.example", self.signer.key, self.clock)
        self.nodes: dict[str, SimulatedNode] = {}
        self.manifest = self._listed(rows, {})
        by_name = (
            dict.fromkeys(rows, documents) if isinstance(documents, bytes) else dict(documents)
        )
        self._more = more or {}
        for name, path in rows.items():
            self.nodes[name] = self.node(name, by_name[name], path)
        self._contracts = {
            name: tuple(
                odcs.read(each, name).id
                for each in (text, *(document for document, _ in self._more.get(name, ())))
            )
            for name, text in by_name.items()
        }
        members = [
            Member(
                name, name.upper(), "memory", name, self._contracts[name],
                tuple(handler.name for handler in self._handlers),
                self.nodes[name].log_key,
                signing_key=self.nodes[name].key.public_key(),
            )
            for name in rows
        ]  # fmt: skip
        self.manifest = self._listed(rows, self._contracts)
        self.told: list[str] = []
        self.departments = Departments(members, self._connect, self.told.append)
        self.departments.pin(masking_keys(self.manifest))
        self.departments.refresh()
        signer = Signer.create("test.example/gateway")
        self.log = KeptLog(
            Log.open(folder / "gateway" / "log", folder / "gateway" / "state", signer)
        )
        self.log_key = signer.vkey
        lasting, periods = SubjectKey.create(), SubjectKeys(folder / "gateway" / "subjects")
        self.recorder = Recorder(cast(Log, self.log), lasting, "0" * 64, self.clock)
        policy = AccessPolicy.load(
            gateway_access,
            "gateway",
            contracts={each for served in self._contracts.values() for each in served},
            handlers={f"{name}.{h.name}" for name in rows for h in self._handlers},
        )
        self.planning = planning = Planning(policy, self.clock)
        self.asking = Consulting(
            planning,
            ConsultPlanning(planning, self.clock),
            self.departments,
            self._verifier(),
            self.recorder,
            signer.vkey,
            self.signer,
            Links(
                self.departments,
                self.link_signer,
                draw,
                Keeper(self.signer.key.private_bytes_raw()),
            ),
        )
        self.portal = PortalServicer(
            planning,
            self.departments,
            self._verifier(),
            self.recorder,
            OwnLog(folder / "gateway" / "log", signer.name, periods, lasting, self.clock),
            signer.vkey,
            self.signer,
            Telemetry("test.gateway"),
        )
        self.gateway = GatewayServicer(self.asking, self.departments, Telemetry("test.gateway"))
        self.consultations = ConsultationsServicer(self.asking, self.gateway.request)

    def _listed(self, names: Iterable[str], contracts: Mapping[str, tuple[str, ...]]) -> Manifest:
        """What everybody has pinned: the members' keys, and what they serve."""
        entries = (
            MemberEntry(
                name, name.upper(), "memory", name, contracts.get(name, ()), (), "",
                self.keys(name).public,
            )
            for name in names
        )  # fmt: skip
        key = self.signer.key.public_key()
        return Manifest("test.example", 1, "gateway", key, tuple(entries))

    def keys(self, name: str) -> MemberKeys:
        """A department's own, from its folder."""
        (self.folder / name).mkdir(parents=True, exist_ok=True)
        return MemberKeys.in_folder(self.folder / name)

    def clock(self) -> float:
        """The time that everybody has."""
        return self.now

    def node(self, name: str, document: bytes, rows: Path) -> SimulatedNode:
        """A department with that contract and those rows; its state stays in its folder."""
        place = self.folder / name
        store, opened = self._elsewhere.get(name, (Store(place / "data"), None))
        documents = [(document, rows), *self._more.get(name, ())]
        contracts = {}
        for text, source in documents:
            contract = odcs.read(text, name)
            contracts[contract.id] = contract
            if opened is None:
                load(contract, source, store)
        engines: list[DirectEngine] = []

        def open_engine(tables: Mapping[str, Path]) -> Engine:
            if opened is not None:
                return opened()
            engines.append(DirectEngine(tables))
            return engines[-1]

        signer = Signer.create(f"test.example/{name}")
        if (place / "log.key").exists():
            signer = Signer.load(place / "log.key")
        else:
            signer.save(place / "log.key")
        log = KeptLog(Log.open(place / "log", place / "state", signer))
        lasting, periods = SubjectKey.create(), SubjectKeys(place / "subjects")
        recorder = Recorder(cast(Log, log), lasting, "1" * 64, self.clock)
        ledger = Ledger(place / "ledger.sqlite", self.clock)
        history = History(place / "history.sqlite")
        tables: Tables[Engine] = Tables(store, tuple(contracts), open_engine)
        handlers = {handler.name: handler for handler in self._handlers}
        guard = Guard(
            name,
            contracts,
            handlers,
            AccessPolicy.load(
                self._access,
                name,
                contracts=contracts.keys(),
                handlers={f"{name}.{handler}" for handler in handlers},
            ),
            self._verifier(),
            self.clock,
        )
        description = node_pb2.DescribeResponse(
            department=name,
            title=name,
            contracts=[
                node_pb2.ContractDescription(id=each, document=text)
                for each, (text, _) in zip(contracts, documents, strict=True)
            ],
            handlers=[
                handler_to(h)
                for h in self._handlers
            ],
            log_key=signer.vkey,
        )  # fmt: skip
        answering = Answering(guard, ledger, tables, recorder, self._draw, history)
        quotas = Quotas(place / "quotas.sqlite", self.clock)
        replying = Replying(guard, quotas, Computing(name, tables, None), recorder, ledger)
        telemetry = Telemetry(f"test.{name}")
        signed = AskingVerifier("test.example", name, self.signer.key.public_key, self.clock)
        servicer = _Serving(
            Admission("gateway", "test.example"), description, tables.as_of, answering, replying,
            recorder, telemetry, signed,
        )  # fmt: skip
        key = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
        granting = Granting(guard, "test.example", key, self.clock)
        queue = Queue(place / "consultations.sqlite", self.clock)
        desk = Desk(queue, guard, ledger, recorder, granting)
        consulting = ConsultingServicer(
            servicer.admit, signed, ConsultingAtNode(desk, recorder), granting, answering,
            replying, recorder, telemetry,
        )  # fmt: skip
        access = SubjectAccessServicer(
            servicer.admit,
            signed,
            guard,
            OwnLog(place / "log", signer.name, periods, lasting, self.clock),
            recorder,
            Telemetry(f"test.{name}"),
        )
        node = SimulatedNode(
            name, servicer, ledger, history, log, tables, engines, recorder, signer.vkey,
            consulting, Reviewing(desk, recorder), queue, quotas, key, access,
        )  # fmt: skip
        node.guard = guard
        node.exchanges = Exchanges(self.keys(name).masking)
        circles = Circles(name, lambda: node.pinned or self.manifest, node.exchanges)
        node.pooling = PoolingServicer(
            servicer._admit,
            Pooling(guard, circles, ledger, tables, recorder, self._draw),
            recorder,
            Telemetry(f"test.{name}"),
            signed,
        )
        node.census = CensusStore(place / "census.sqlite", self.clock)
        sides = Sides(
            name, "test.example", self.keys(name), node.exchanges,
            lambda: node.pinned or self.manifest,
        )  # fmt: skip
        node.tally = TallyServicer(
            servicer.require,
            Census(guard, sides, node.census, recorder),
            CensusBatches(guard, sides, node.census, ledger, recorder, self._draw),
            recorder,
            Telemetry(f"test.{name}"),
        )
        node.underways = underways = Underways(self.clock)
        peers = Peers(name, self.keys(name), lambda: self.manifest)
        node.linking = LinkServicer(
            name,
            servicer.admit,
            Linking(
                guard, ledger, tables, recorder, peers, underways,
                Making(place / "linking", self._count),
            ),
            Matching(peers, underways, place / "linking"),
            Products(peers, underways, self._draw),
            recorder,
            Telemetry(f"test.{name}"),
            LinkVerifier("test.example", name, self.signer.key.public_key, self.clock),
        )  # fmt: skip
        return node

    def token(self, subject: str = "alice", **changes: Any) -> str:
        """A caller's token."""
        terms: dict[str, Any] = {
            "organisation": "university",
            "clearance": "internal",
            "purposes": [PURPOSE],
            "now": self.now,
            **changes,
        }
        return self.issuer.issue(subject, **terms)

    def caller(self, subject: str = "alice", **changes: Any) -> Caller:
        """Who a token is."""
        return self._verifier().verify(self.token(subject, **changes))

    def query(
        self,
        sql: str,
        *,
        purpose: str = PURPOSE,
        epsilon: float = 0,
        partial: bool = False,
        mixed_dates: bool = False,
        parameters: Sequence[Value] = (),
        question_id: str = "",
        token: str | None = None,
        seconds: float = 30.0,
    ) -> Answer:
        """A question, as the SDK would ask it; raises what the SDK would raise."""
        request = gateway_pb2.QueryRequest(
            sql=sql,
            purpose=purpose,
            micro_epsilon=round(epsilon * 1_000_000),
            partial=partial,
            question_id=question_id or secrets.token_hex(16),
            parameters=[write_literal(value, "A parameter") for value in parameters],
            mixed_dates=mixed_dates,
        )
        with as_a_client():
            context = self.context(token, seconds)
            return read_answer(self.gateway.Query(request, context))

    def explain(
        self, sql: str, *, epsilon: float = 0, purpose: str = PURPOSE, mixed_dates: bool = False
    ) -> Plan:
        """The plan of a question."""
        request = gateway_pb2.ExplainRequest(
            sql=sql,
            purpose=purpose,
            micro_epsilon=round(epsilon * 1_000_000),
            mixed_dates=mixed_dates,
        )
        with as_a_client():
            return read_plan(self.gateway.Explain(request, self.context()))

    def call(
        self, handler: str, *, purpose: str = PURPOSE, token: str | None = None, **arguments: Any
    ) -> Reply:
        """A handler's reply."""
        request = gateway_pb2.CallRequest(
            handler=handler, purpose=purpose, question_id=secrets.token_hex(16)
        )
        for name, value in arguments.items():
            request.arguments[name].CopyFrom(write_literal(value, name))
        with as_a_client():
            return read_reply(self.gateway.Call(request, self.context(token)))

    def about(
        self,
        subject: str,
        *,
        purpose: str = PURPOSE,
        token: str | None = None,
        before: Mapping[str, int] | None = None,
    ) -> AccessList:
        """One person's accesses, as a portal gets them, once all logs are published."""
        for log in (self.log, *(node.log for node in self.nodes.values())):
            log.wait_until_published()
        request = portal_pb2.AboutRequest(
            subject=subject, purpose=purpose, question_id=secrets.token_hex(16), before=before or {}
        )
        with as_a_client():
            return read_accesses(self.portal.About(request, self.context(token)))

    def entries(self, department: str | None = None) -> list[Entry]:
        """Everything in a log, oldest first."""
        return list((self.nodes[department].log if department else self.log).entries)

    def close(self) -> None:
        """Lets go of everything."""
        self.log.close()
        for node in self.nodes.values():
            node.underways.close()
            node.put_down()
            node.tables.close()

    def context(self, token: str | None = None, seconds: float = 30.0) -> grpc.ServicerContext:
        """What the gateway's servicer is told of a call with that token."""
        bearer = f"Bearer {self.token() if token is None else token}"
        context = _Context((("authorization", bearer),), seconds)
        return cast(grpc.ServicerContext, context)

    def node_context(self) -> grpc.ServicerContext:
        """What a node's servicer is told of a call by the gateway."""
        return cast(grpc.ServicerContext, _Context())

    def _verifier(self) -> TokenVerifier:
        return TokenVerifier(ISSUER, AUDIENCE, KeySet.load(self._keys), self.clock)

    def _connect(self, member: Member) -> grpc.Channel:
        return cast(grpc.Channel, _Channel(self.nodes[member.department]))


class _Channel:
    """A channel to a node in memory."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        node = self._node

        class Method:
            def future(self, request: Any, timeout: float, metadata: Any) -> Any:
                del metadata

                class Call:
                    def result(self) -> Any:
                        reply = node.call(path, request_serializer(request), timeout)
                        return response_deserializer(reply)

                    def cancel(self) -> bool:
                        return False  # a call in memory is over before anybody could

                return Call()

            def __call__(self, request: Any, timeout: float, metadata: Any) -> Any:
                return self.future(request, timeout, metadata).result()

        return Method()

    def stream_stream(self, path: str, *_: Any, **__: Any) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"{path} is a stream: it needs a socket")

        return call

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def as_a_client() -> Iterator[None]:
    """Errors pass the wire's form, as they would."""
    try:
        yield
    except LandbridgeError as refusal:
        raise from_rpc_error(_Failure(to_status(refusal))) from None


def _bare(code: grpc.StatusCode) -> grpc.Status:
    class Bare(grpc.Status):
        trailing_metadata = ()
        details = ""

    status = Bare()
    status.code = code
    return cast(grpc.Status, status)
