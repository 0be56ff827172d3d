"""A real gateway on loopback with real TLS, whose answers a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from google.protobuf.message import Message

from landbridge.edge.interceptor import Report
from landbridge.edge.server import Running, Tls, serve
from landbridge.v1 import gateway_pb2
from landbridge.v1.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

PEOPLE = "SELECT district, count(*) AS n FROM people GROUP BY district"
PURPOSE = "dpv:ResearchAndDevelopment"


class Authority:
    """A certificate authority that lives as long as a test run."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(self, *, host: str = "localhost", address: str = "127.0.0.1") -> tuple[bytes, bytes]:
        """A key and a certificate, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName(
            [x509.DNSName(host), x509.IPAddress(IPv4Address(address))]
        )
        certificate = (
            self._builder(name, key.public_key())
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return (
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate.public_bytes(Encoding.PEM),
        )

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )


def empty_answer(_request: Message, _context: grpc.ServicerContext) -> Message:
    """What a gateway says unless a test chooses otherwise."""
    return gateway_pb2.QueryResponse()


Act = Callable[[Message, grpc.ServicerContext], Message]


@dataclass
class ScriptedGateway(GatewayServicer):
    """Does what `act` says and remembers each request with its metadata."""

    act: Act = empty_answer
    requests: list[Message] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)

    def _take(self, request: Message, context: grpc.ServicerContext) -> Message:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        return self.act(request, context)

    Query = Explain = Call = Directory = _take  # type: ignore[assignment]


@contextmanager
def foreign(authority: Authority, act: Act) -> Iterator[str]:
    """The address of a server of somebody else's making: nothing guards what `act` lets out."""
    pool = ThreadPoolExecutor(1)
    server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
    add_GatewayServicer_to_server(ScriptedGateway(act), server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([authority.issue()]))
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        pool.shutdown()


@dataclass
class Gateway:
    """A started gateway and what a caller must know of it."""

    servicer: ScriptedGateway
    running: Running
    ca: bytes
    reported: list[BaseException]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.running.port}"


@contextmanager
def gateway(
    authority: Authority,
    act: Act = empty_answer,
    *,
    port: int = 0,
    mutual: bool = False,
    host: str = "localhost",
    address: str = "127.0.0.1",
    maximum_seconds: float = 60.0,
    report: Report | None = None,
) -> Iterator[Gateway]:
    """Serves until the block ends."""
    servicer, reported = ScriptedGateway(act), list[BaseException]()
    key, certificate = authority.issue(host=host, address=address)
    running = serve(
        [partial(add_GatewayServicer_to_server, servicer)],
        address=f"127.0.0.1:{port}",
        tls=Tls(key, certificate, authority.pem if mutual else None),
        report=report or reported.append,
        threads=4,
        maximum_seconds=maximum_seconds,
    )
    try:
        yield Gateway(servicer, running, authority.pem, reported)
    finally:
        running.stop(0)
