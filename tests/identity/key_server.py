"""An issuer's key server on loopback that can misbehave in every way a test needs."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]


@dataclass
class KeyServer:
    """Answers each connection with `answer`, and keeps what it was asked."""

    port: int
    answer: Answer
    requests: list[bytes] = field(default_factory=list)


def replying(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return lambda peer: peer.sendall("\r\n".join(lines).encode() + body)


def endless(peer: socket.socket) -> None:
    """Attack 93: two gigabytes, or more."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"keys":[')
    for _ in range(100_000):
        peer.sendall(b" " * 65_536)


def dripping(stop: threading.Event) -> Answer:
    """Attack 93: never silent for long, and never done."""

    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            peer.sendall(b" ")

    return drip


@contextmanager
def key_server(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[KeyServer]:
    """Serves until the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = KeyServer(listening.getsockname()[1], answer)

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with plain, plain if tls is None else _wrapped(tls, plain) as peer:
                    server.requests.append(peer.recv(65_536))
                    server.answer(peer)
            except OSError:
                continue  # the client had enough, which is what some tests want

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _wrapped(tls: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
    """The handshake comes later, so that a client that breaks it off leaves nothing open."""
    return tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
