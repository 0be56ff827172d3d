"""A witness outside the federation: C2SP tlog-witness over HTTP."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final, cast
from urllib.parse import urlsplit

from landbridge.evidence.oversight import Ask
from landbridge.evidence.witness import INCONSISTENT, STALE
from landbridge.evidence.witness_memory import Reply

SECONDS: Final = 2.0
"""For everything that one request to a witness takes: connections, handshakes, every byte."""

LONGEST_REPLY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OutsideWitness:
    """As the manifest lists it: its key and its submission prefix."""

    key: str
    url: str


def over_http(url: str, origin: str, clock: Callable[[], float] = time.monotonic) -> Ask:
    """Asks the witness at that submission prefix about the log `origin`; `clock` in seconds.

    Redirects are not followed, proxies not used. Where it declines, what it holds of the log is
    fetched, so that its word need not be believed. It all ends after `SECONDS`, however slowly the
    other side sends; only the look-up of a name takes what the system gives it.
    """
    prefix = url.rstrip("/")
    held = f"{prefix}/{sha256(origin.encode()).hexdigest()}/checkpoint"

    def ask(body: bytes) -> Reply:
        deadline = _Deadline(clock() + SECONDS, clock)
        try:
            reply = _send("POST", f"{prefix}/add-checkpoint", body, deadline)
            if reply.status not in (STALE, INCONSISTENT):
                return reply
            shown = _send("GET", held, None, deadline)
        except (OSError, HTTPException, ValueError) as failure:
            raise ConnectionError(type(failure).__name__) from None
        note = shown.body.decode(errors="surrogateescape") if shown.status == 200 else ""
        return Reply(reply.status, reply.body, note)

    return ask


@dataclass(frozen=True, slots=True)
class _Deadline:
    """A moment of `clock` after which nothing is waited for."""

    end: float
    clock: Callable[[], float]

    def bound(self, connection: socket.socket) -> None:
        """Let the next operation take what is left; TimeoutError when that is nothing."""
        left = self.end - self.clock()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)


def _send(method: str, url: str, body: bytes | None, deadline: _Deadline) -> Reply:
    parts = urlsplit(url)
    with _connected(parts.scheme, parts.hostname or "", parts.port, deadline) as connection:
        sender = HTTPConnection(parts.hostname or "", parts.port)
        sender.sock = connection
        deadline.bound(connection)
        sender.request(method, parts.path, body, {"Host": parts.netloc, "Connection": "close"})
        # A socket's own timeout begins again with each byte; this one does not.
        bounded = cast(socket.socket, _Bounded(connection, deadline))
        with HTTPResponse(bounded, method=method) as response:
            response.begin()
            return Reply(response.status, response.read(LONGEST_REPLY))


def _connected(scheme: str, host: str, port: int | None, deadline: _Deadline) -> socket.socket:
    """A connection to the first of the host's addresses that takes one, with TLS for https."""
    secure = scheme == "https"
    failure: OSError = ConnectionError("it has no address")
    found = socket.getaddrinfo(host, port or (443 if secure else 80), type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            deadline.bound(connection)
            connection.connect(address)
            if not secure:
                return connection
            deadline.bound(connection)
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except OSError as problem:
            connection.close()
            failure = problem
    raise failure


class _Bounded(io.RawIOBase):
    """What `HTTPResponse` reads of a connection, until the deadline."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As a socket's."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """What has arrived; TimeoutError at the deadline."""
        self._deadline.bound(self._connection)
        return self._connection.recv_into(buffer)
