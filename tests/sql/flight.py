"""A gateway with Arrow Flight SQL over TLS on loopback, its departments in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_flightsql import dbapi as flightsql

from gateway.flight.servicer import FlightServicer
from landbridge.edge.server import Tls, serve
from landbridge.edge.streams import StreamBoundary
from landbridge.edge.telemetry import Telemetry
from tests.people import PURPOSE
from tests.sdk.loopback import Authority
from tests.simulator import FederationSimulator

RPC_HEADER = DatabaseOptions.RPC_CALL_HEADER_PREFIX.value


@dataclass
class Served:
    """Where it listens, whom to trust, and what went wrong inside."""

    port: int
    ca: bytes
    federation: FederationSimulator
    reported: list[BaseException] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def connect(self, token: str | None = None, **stated: str) -> Any:
        """The real ADBC driver, connected by a URL and a token; `stated` travel as headers."""
        bearer = self.federation.token() if token is None else token
        headers = {"purpose": PURPOSE, **stated}
        return flightsql.connect(
            f"grpc+tls://{self.address}",
            db_kwargs={
                DatabaseOptions.TLS_ROOT_CERTS.value: self.ca.decode(),
                DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {bearer}",
                **{RPC_HEADER + name: value for name, value in headers.items() if value},
            },
            autocommit=True,
        )


@contextmanager
def served(authority: Authority, federation: FederationSimulator) -> Iterator[Served]:
    """Serves until the block ends."""
    key, certificate = authority.issue()
    reported: list[BaseException] = []
    servicer = FlightServicer(federation.asking, federation.departments, Telemetry("test.gateway"))
    running = serve(
        [servicer.register],
        address="127.0.0.1:0",
        tls=Tls(key, certificate),
        report=reported.append,
        threads=4,
        boundary=StreamBoundary,
    )
    try:
        yield Served(running.port, authority.pem, federation, reported)
    finally:
        running.stop(0)
