"""The real service, small: a gateway and one department, with their logs or without.

Real processes, TLS on both hops, tokens, Cedar, planning, ledger. The questions were all asked
before, so that the department remembers their answers: the quickest of all requests, beside which a
log weighs most.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from bench.demo import FOLDER, RESEARCH
from bench.floor import running
from bench.row import RowFailed, Say
from landbridge.federation.ground import HOST
from landbridge.federation.process import spawn
from landbridge.testing import federation
from landbridge.transport import Endpoint, bearer
from landbridge.v1 import gateway_pb2
from landbridge.v1.gateway_pb2_grpc import GatewayStub

DEPARTMENT: Final = "faa"
QUESTIONS: Final = 16
"""Different ones: the same question twice at once waits for itself at the department."""

_QUESTION: Final = "SELECT count(*) AS n FROM planes WHERE year > "

_FEDERATION: Final = """
name = "bench"

[issuer]
issuer = "https://issuer.bench.example"
audience = "https://gateway.bench.example"

[[members]]
department = "faa"
"""

_ACCESS: Final = """
@id("gateway.research")
permit (principal in Organisation::"transport-research", action == Action::"query", resource)
when { context.purpose == "dpv:ResearchAndDevelopment" };

@id("gateway.clearance")
forbid (principal, action, resource) unless { context.level <= principal.clearance };
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers; `ask` may be called from several threads."""

    name: str
    ask: Callable[[], None]
    processes: Sequence[int]
    endpoint: Endpoint
    request: Callable[[], gateway_pb2.QueryRequest]
    metadata: tuple[tuple[str, str | bytes], ...]

    def processor_seconds(self) -> float:
        """What gateway and node have used until now, user and system (proc(5) stat)."""
        ticks = 0
        for process in self.processes:
            text = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
            fields = text.rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def service(name: str, place: Path, say: Say, *, gateway: bool, node: bool) -> Iterator[Service]:
    """One in a folder of its own, below `place`; `gateway` and `node` say who has a log."""
    folder = _folder(place / name)
    with ExitStack() as held:
        up = held.enter_context(federation(folder, state=place / name / "state"))
        node_process, gateway_process = up.process_id(DEPARTMENT), up.process_id()
        port = int(up.address.rpartition(":")[2])
        if not (gateway and node):
            up.stop_gateway()
        if not node:
            up.restart(DEPARTMENT)  # which writes its port into its settings
            up.stop(DEPARTMENT)
            settings = up.state / DEPARTMENT / "node.toml"
            started = spawn("node without a log", "bench.unlogged_node", settings)
            node_process = held.enter_context(running(started)).process.pid
        if not gateway:
            settings = up.state / "gateway" / "gateway.toml"
            started = spawn("gateway without a log", "bench.unlogged_gateway", settings)
            found = held.enter_context(running(started))
            gateway_process, port = found.process.pid, found.port
        endpoint = Endpoint.at(f"{HOST}:{port}", ca=up.ca)
        channel = held.enter_context(endpoint.channel())
        metadata: tuple[tuple[str, str | bytes], ...] = (*bearer(up.token("alice")),)
        ask = _asking(channel, metadata, receipts=gateway)
        for _ in range(2 * QUESTIONS):
            ask()
        say(f"service {name} answers")
        yield Service(name, ask, (gateway_process, node_process), endpoint, _questions(), metadata)


def _folder(place: Path) -> Path:
    """The demo's register of aircraft as a federation of its own."""
    folder = place / "federation"
    shutil.copytree(FOLDER / DEPARTMENT, folder / DEPARTMENT)
    shutil.copy(FOLDER / "source.py", folder)
    (folder / "federation.toml").write_text(_FEDERATION, "utf-8")
    (folder / "gateway").mkdir()
    (folder / "gateway" / "access.cedar").write_text(_ACCESS, "utf-8")
    shutil.copy(FOLDER / "gateway" / "callers.toml", folder / "gateway")
    return folder


def _questions() -> Callable[[], gateway_pb2.QueryRequest]:
    """One of the questions, each time under a new id."""
    requests = [
        gateway_pb2.QueryRequest(
            sql=f"{_QUESTION}{1960 + n}", purpose=RESEARCH, micro_epsilon=50_000
        )
        for n in range(QUESTIONS)
    ]

    def draw() -> gateway_pb2.QueryRequest:
        drawn = secrets.token_bytes(17)
        request = gateway_pb2.QueryRequest()
        request.CopyFrom(requests[drawn[16] % QUESTIONS])
        request.question_id = drawn[:16].hex()
        return request

    return draw


def _asking(
    channel: grpc.Channel, metadata: tuple[tuple[str, str | bytes], ...], *, receipts: bool
) -> Callable[[], None]:
    """Asks one of the questions; checks what came."""
    stub = GatewayStub(channel)
    draw = _questions()

    def ask() -> None:
        response = stub.Query(draw(), timeout=30, metadata=metadata)
        if bool(response.receipt.proof) != receipts:
            raise RowFailed("A receipt came from a service without a log, or none from one with.")

    return ask
