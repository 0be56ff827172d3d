"""Plain gRPC servers as processes of their own, to measure ours beside."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from bench.echo import METHOD
from bench.row import RowFailed
from landbridge.federation.process import ServerProcess, spawn

_SECONDS = 30.0

Ask = Callable[[int, int], None]
"""Sends a request of so many bytes and takes a reply of so many."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A plain server that listens on `port` of the loopback."""

    port: int
    process_id: int

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """A connection to it; may be used from several threads."""
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

            def ask(request_bytes: int, reply_bytes: int) -> None:
                request = reply_bytes.to_bytes(4, "big") + bytes(max(0, request_bytes - 4))
                reply = call(request, timeout=_SECONDS)
                if len(reply) != reply_bytes:
                    raise RowFailed("The floor's server did not reply as it was asked to.")

            yield ask


@contextmanager
def running(server: ServerProcess) -> Iterator[ServerProcess]:
    """The server, ready, for the block; it ends in order afterwards."""
    try:
        server.await_ready()
        yield server
    finally:
        server.stop()
        if server.process.stdout is not None:
            server.process.stdout.close()


@contextmanager
def echo(
    *,
    threads: int = 16,
    forward: int | None = None,
    log: Path | None = None,
    same_entry: bool = False,
    promised: bool = False,
) -> Iterator[Echo]:
    """A plain server, started in the same way as ours.

    See `bench.echo` for what it can do, and `bench.promised`.
    """
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        settings = Path(folder) / "echo.json"
        values = {
            "threads": threads,
            "forward": forward,
            "log": str(log) if log else None,
            "same_entry": same_entry,
            "journal": str(Path(folder) / "journal"),
        }
        program = "bench.promised" if promised else "bench.echo"
        settings.write_text(json.dumps(values), encoding="utf-8")
        with running(spawn("plain server", program, settings)) as server:
            yield Echo(server.port, server.process.pid)


@contextmanager
def two_hops(*, promised: bool = False) -> Iterator[Ask]:
    """A plain server behind a plain server, as a node is behind the gateway."""
    with (
        echo(promised=promised) as node,
        echo(promised=promised, forward=node.port) as gateway,
        gateway.asking() as ask,
    ):
        yield ask
