"""`python -m bench.flood KIND ADDRESS CA`: one flood after the other, until standard input ends.

The token of a known caller is the first line of standard input: it stands in no command's words.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import grpc
from hyperframe.frame import DataFrame

from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from tests.attacks import test_frames
from tests.attacks.frames import Ended, RawLine, raw

Flood = Callable[[str, Path, str], None]


def _frames(flood: Callable[[RawLine, str], None]) -> Flood:
    def once(address: str, ca: Path, token: str) -> None:
        with raw(address, ca) as line, suppress(Ended):
            flood(line, token)

    return once


def _slow_bodies(address: str, ca: Path, token: str) -> None:
    """Six connections with a hundred messages each that come byte by byte."""
    del token
    with ExitStack() as lines, suppress(Ended):
        opened = [lines.enter_context(raw(address, ca)) for _ in range(6)]
        for line in opened:
            line.hello()
            for stream in range(1, 200, 2):
                line.send(line.headers(stream), DataFrame(stream, b"\0\0"))
        for _ in range(20):
            for line in opened:
                with suppress(Ended):
                    line.send(*(DataFrame(stream, b"\0") for stream in range(1, 200, 2)))
                line.read(0.02)


def _logins(address: str, ca: Path, token: str) -> None:
    """A hundred at once whose signature is forged."""
    credentials = grpc.ssl_channel_credentials(ca.read_bytes())
    forged = (("authorization", f"Bearer {token[:-8]}{'A' * 8}"),)
    with grpc.secure_channel(address, credentials) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        for _ in range(5):
            asked = [
                stub.Directory.future(gateway_pb2.DirectoryRequest(), 20, forged)
                for _ in range(100)
            ]
            for each in asked:
                with suppress(grpc.RpcError):
                    each.result()


def _nothing(address: str, ca: Path, token: str) -> None:
    """A neighbour who is merely busy: what the attacker's own work takes of this machine."""
    del address, ca, token
    sum(range(1_000_000))


FLOODS: Final[dict[str, Flood]] = {
    "a busy neighbour": _nothing,
    "streams": _frames(test_frames.ten_thousand_streams),
    "rapid reset": _frames(test_frames.rapid_reset),
    "pings": _frames(test_frames.pings),
    "settings": _frames(test_frames.settings),
    "empty data": _frames(test_frames.empty_data),
    "slow bodies": _slow_bodies,
    "forged logins": _logins,
}


def main(kind: str, address: str, ca: Path) -> None:
    """Floods until whoever started it closes standard input."""
    token = sys.stdin.readline().strip()

    def ends() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=ends, daemon=True).start()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while True:
        with suppress(OSError):
            FLOODS[kind](address, ca, token)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
