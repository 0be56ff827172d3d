"""Fifty departments in this process, asked over real gRPC on loopback, for rows about many of them.

Gateway, nodes, ledgers and logs are the product's own; DuckDB runs in this process and connections
are without TLS, so that two ways of asking the same departments are compared and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any, Final, cast

import grpc

from gateway.connection import Member
from landbridge.edge.interceptor import Boundary
from landbridge.v1 import node_pb2_grpc, pooled_pb2_grpc
from policies.noise import draw
from tests.people import crowd, document, write
from tests.simulator import FederationSimulator

DEPARTMENTS: Final = 50
ROWS: Final = 500
PLAIN: Final = "folk"
"""The same rows under a contract whose owners pool no fewer than 51 departments."""
_TERMS: Final[dict[str, Any]] = {
    "landbridgeBudget": {
        "recipient": {"epsilon": 5_000, "delta": 1e-6},
        "overall": {"epsilon": 9_000, "delta": 1e-6},
        "period": "year",
    }
}


def _tell(defect: BaseException) -> None:
    """To whoever runs the benchmark; standard output is for rows."""
    print(repr(defect), file=sys.stderr)


class _Peer:
    """A call's context, whose peer is the gateway."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def auth_context(self) -> Mapping[str, Any]:
        """As the simulation's nodes ask for it."""
        return {"simulated_peer": [b"gateway"]}


class _Face:
    """A servicer that is told who calls, and that takes `delay` seconds longer."""

    def __init__(self, inner: object, delay: float) -> None:
        self._inner, self._delay = inner, delay

    def __getattr__(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        method = getattr(self._inner, name)

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            if name != "Describe":
                sleep(self._delay)
            return method(request, _Peer(context))

        return call


class Many(FederationSimulator):
    """The simulation with a socket between the gateway and each node."""

    def __init__(self, *arguments: Any, delay: float = 0.0, **more: Any) -> None:
        self._delay = delay
        self._servers: list[grpc.Server] = []
        super().__init__(*arguments, **more)

    def _connect(self, member: Member) -> grpc.Channel:
        node = self.nodes[member.department]
        boundary = Boundary(_tell, maximum_seconds=120)
        server = grpc.server(ThreadPoolExecutor(2), interceptors=[boundary])
        face, pooling = _Face(node.servicer, self._delay), _Face(node.pooling, self._delay)
        node_pb2_grpc.add_NodeServicer_to_server(cast(Any, face), server)
        pooled_pb2_grpc.add_PoolingServicer_to_server(cast(Any, pooling), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._servers.append(server)
        return grpc.insecure_channel(f"127.0.0.1:{port}")

    def close(self) -> None:
        """Stops the servers too."""
        self.departments.close()
        for server in self._servers:
            server.stop(0).wait()
        super().close()


@contextmanager
def many(*, delay: float = 0.0, departments: int = DEPARTMENTS) -> Iterator[Many]:
    """Departments d0 to d49, or fewer, with two tables of the same rows, one pooled and one not."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        files = {
            f"d{number}": write(crowd(ROWS, number), folder / f"d{number}.csv")
            for number in range(departments)
        }
        plain = document(**_TERMS, landbridgePooling={"minimum": DEPARTMENTS + 1})
        plain = plain.replace(b'"people"', f'"{PLAIN}"'.encode())
        made = Many(
            folder,
            files,
            document(**_TERMS),
            draw=draw,
            more={name: [(plain, path)] for name, path in files.items()},
            delay=delay,
        )
        try:
            yield made
        finally:
            made.close()
