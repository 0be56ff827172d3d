"""How a server of ours runs: synchronous gRPC over TLS, with every limit set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, cast

import grpc

from landbridge.edge.arrivals import Arrivals
from landbridge.edge.calls import Calls
from landbridge.edge.interceptor import Boundary, Report
from landbridge.edge.pool import NoThreads, whole_pool
from landbridge.edge.renewed_certificate import Followed
from landbridge.edge.room import Room

Registration = Callable[[grpc.Server], None]
"""Adds one servicer, for example `partial(add_GatewayServicer_to_server, servicer)`."""

MAXIMUM_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAXIMUM_METADATA_BYTES: Final = 16 * 1024
"""Of a request. A token of the longest accepted kind (8 KiB) fits with room to spare."""


class CannotListen(Exception):
    """The server cannot start at this address; one sentence for its operator."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's key and certificate chain, PEM.

    With `authority` (PEM), callers must show a certificate that it signed. With `renewed`, which
    gives the certificate chain as it is on disk now, connections that are opened later get that;
    those that are open go on.
    """

    key: bytes = field(repr=False)
    certificate: bytes
    authority: bytes | None = None
    renewed: Callable[[], bytes] | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """For gRPC, which asks for them again at every new connection where they may change."""
        if self.renewed is None:
            return grpc.ssl_server_credentials(
                [(self.key, self.certificate)],
                root_certificates=self.authority,
                require_client_auth=self.authority is not None,
            )
        followed = Followed(self.key, self.certificate, self.renewed)
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(self.certificate),
            # None means "as before" to gRPC; the published types do not know it.
            cast(
                Callable[[], grpc.ServerCertificateConfiguration], partial(self._changed, followed)
            ),
            require_client_authentication=self.authority is not None,
        )

    def _changed(self, followed: Followed) -> grpc.ServerCertificateConfiguration | None:
        certificate = followed.changed()
        return None if certificate is None else self._configuration(certificate)

    def _configuration(self, certificate: bytes) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.key, certificate)], root_certificates=self.authority
        )


class Running:
    """A server that listens on `port`, and on others of `ports`, until it is stopped."""

    def __init__(
        self,
        server: grpc.Server,
        ports: tuple[int, ...],
        pool: ThreadPoolExecutor,
        leave: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._leave = leave
        self._ended = ended
        self._server = server
        self._pool = pool
        self.port = ports[0]
        self.ports = ports

    def stop(self, grace: float) -> None:
        """Says that it leaves, takes no new calls and returns when none is left.

        What still runs after `grace` seconds is cut off. A second time does nothing.
        """
        self._leave()
        self._server.stop(grace).wait()
        self._ended()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Returns when the server has been stopped."""
        self._server.wait_for_termination()


def serve(
    services: Iterable[Registration],
    *,
    address: str,
    tls: Tls,
    others: Sequence[tuple[str, Tls]] = (),
    report: Report,
    outside: Sequence[grpc.ServerInterceptor] = (),
    leave: Callable[[], None] = lambda: None,
    threads: int,
    maximum_seconds: float = 60.0,
    maximum_calls: int = 1_000,
    maximum_streams: int = 100,
    clock: Callable[[], float] = time.monotonic,
    boundary: type[Boundary] = Boundary,
    calls: Calls | None = None,
    share_port: bool = False,
) -> Running:
    """Listens on `address` ("host:port", port 0: any free one) and serves, each call behind a
    `Boundary`. `others` are further addresses of the same services, each with its own TLS: gRPC
    either requires and checks a client certificate on a port, or asks for none. `outside` see each
    call with the status that leaves; `leave` is called when a stop begins.

    `threads` calls run at a time; with those that wait for a thread and with streams
    `maximum_calls` are here at most, and `maximum_streams` of one connection. What comes on top is
    turned away (`edge.room`), or gRPC makes it wait. With `calls`, those whose callers are known
    share its seats. With `share_port` other processes of the same user that say so too may listen
    there, and the system deals connections out among them.
    Raises CannotListen.
    """
    arrivals = Arrivals(max(1, threads // 4))
    try:
        pool = whole_pool(threads, "call")
        # Not fewer: strangers' calls whose messages never come are in it too until they are ended,
        # and six connections full of them must turn nobody else away.
        room = Room(maximum_calls, calls)
    except NoThreads as failure:
        raise CannotListen(str(failure)) from None

    def over() -> None:
        arrivals.close()
        room.close()

    server = grpc.server(
        pool,
        interceptors=[
            room,
            arrivals,
            *outside,
            boundary(report, maximum_seconds=maximum_seconds, clock=clock, calls=calls),
        ],
        # The room counts them: gRPC would refuse without a reason that anybody could read.
        options=_options(maximum_streams, share_port=share_port),
    )
    for register in services:
        register(server)
    ports = []
    for where, shown in ((address, tls), *others):
        try:
            port = server.add_secure_port(where, shown.credentials())
        except RuntimeError:
            port = 0
        if port == 0:
            pool.shutdown(wait=False)
            raise CannotListen(
                f"Cannot listen on {where}: the port is in use, the address is not this machine's, "
                "or the TLS key and certificate do not belong together."
            )
        ports.append(port)
    server.start()
    arrivals.start()
    return Running(server, tuple(ports), pool, leave, over)


def _options(maximum_streams: int, *, share_port: bool) -> list[tuple[str, int]]:
    return [
        # On by default, and a second server would silently take half of the calls.
        ("grpc.so_reuseport", int(share_port)),
        ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
        # The soft limit would refuse at random between the two; one line is easier to explain.
        ("grpc.max_metadata_size", MAXIMUM_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAXIMUM_METADATA_BYTES),
        ("grpc.max_concurrent_streams", maximum_streams),
        # Identity only: a few bytes cannot become megabytes.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # A peer that vanished is noticed within 40 s while calls run.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # More pings than our own clients send are a flood.
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.http2.max_ping_strikes", 2),
    ]
