"""A line between a caller and a server that a test can cut, stop or slow down, byte by byte.

It carries TLS as it is and knows nothing of it. What comes from the server passes a `Valve`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class Valve:
    """What the line does with what the server sends. Changes hold for what comes afterwards.

    `left` bytes pass, None for all; then `cut` ends the connection, or it goes silent. `trickle`
    lets one byte pass a second.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._left: int | None = None
        self._cut = self._trickle = False
        self._closed = False
        self.passed = 0

    def open(self) -> None:
        """Everything passes."""
        self._set(None, cut=False, trickle=False)

    def silence(self, after: int = 0) -> None:
        """So many bytes pass and then nothing more, while the connection stays."""
        self._set(after, cut=False, trickle=False)

    def cut(self, after: int = 0) -> None:
        """So many bytes pass and then the connection ends; the next one is whole."""
        self._set(after, cut=True, trickle=False)

    def trickle(self) -> None:
        """A byte a second."""
        self._set(None, cut=False, trickle=True)

    def close(self) -> None:
        """Whoever waits goes on and finds the line gone."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, content: bytes) -> bytes | None:
        """How much of it passes now; None when the connection ends instead."""
        with self._changed:
            while not self._closed:
                if self._trickle:
                    self._changed.wait(1.0)
                    self.passed += 1
                    return content[:1]
                if self._left is None:
                    self.passed += len(content)
                    return content
                if self._left:
                    passing = content[: self._left]
                    self._left -= len(passing)
                    self.passed += len(passing)
                    return passing
                if self._cut:
                    self._left, self._cut = None, False
                    return None
                self._changed.wait()
            return None

    def _set(self, left: int | None, *, cut: bool, trickle: bool) -> None:
        with self._changed:
            self._left, self._cut, self._trickle = left, cut, trickle
            self.passed = 0
            self._changed.notify_all()


class Line:
    """Listens on `address` and carries every connection to the server."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = host, int(port)
        self.valve = Valve()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def close(self) -> None:
        """Ends every connection."""
        self.valve.close()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _run(self, do: object, *arguments: object) -> None:
        thread = threading.Thread(target=do, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                caller.close()  # nobody listens there now
                continue
            self._ends += [caller, server]
            self._run(self._carry, caller, server, None)
            self._run(self._carry, server, caller, self.valve)

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket, valve: Valve | None) -> None:
        with suppress(OSError):
            while content := source.recv(CHUNK):
                while content:
                    passing = content if valve is None else valve.take(content)
                    if passing is None:
                        content = b""
                        break
                    sink.sendall(passing)
                    content = content[len(passing) :]
                else:
                    continue
                break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line(server: str) -> Iterator[Line]:
    """A line to the server at "host:port" for the block."""
    found = Line(server)
    try:
        yield found
    finally:
        found.close()
