"""A peer that speaks TLS and then HTTP/2 as badly as it likes: single frames, byte by byte."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hpack import Encoder
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
)

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
QUERY: Final = "/landbridge.v1.Gateway/Query"
_HEAD: Final = 9


class Ended(Exception):
    """The server has ended the connection."""


class RawLine:
    """One connection; what comes in is kept as frames."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._encoder = Encoder()
        self._left = b""
        self.seen: list[Frame] = []
        self.ended = False

    def hello(self) -> None:
        """Preface and settings, as any client begins."""
        self.write(PREFACE + SettingsFrame(0).serialize())

    def write(self, content: bytes) -> None:
        """Raises Ended."""
        try:
            self._socket.sendall(content)
        except OSError:
            self.ended = True
            raise Ended from None

    def send(self, *frames: Frame) -> None:
        """All in one write."""
        self.write(b"".join(frame.serialize() for frame in frames))

    def headers(
        self, stream: int, *, token: str = "", path: str = QUERY, flags: Iterable[str] = (),
        more: Iterable[tuple[str, str]] = (),
    ) -> HeadersFrame:  # fmt: skip
        """The headers of a gRPC call."""
        fields = [
            (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"),
            ("te", "trailers"), ("content-type", "application/grpc"), *more,
        ]  # fmt: skip
        if token:
            fields.append(("authorization", f"Bearer {token}"))
        frame = HeadersFrame(stream, self._encoder.encode(fields), flags=["END_HEADERS", *flags])
        assert isinstance(frame, HeadersFrame)
        return frame

    def read(self, seconds: float) -> list[Frame]:
        """What comes within that time, or until the server ends the connection."""
        until = time.monotonic() + seconds
        came: list[Frame] = []
        while not self.ended and (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                content = self._socket.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                content = b""
            self.ended = not content
            came += self._frames(content)
        self._socket.settimeout(20)
        self.seen += came
        return came

    def gone(self) -> list[int]:
        """The error codes of GOAWAY frames."""
        return [frame.error_code for frame in self.seen if isinstance(frame, GoAwayFrame)]

    def resets(self) -> list[int]:
        """The error codes of RST_STREAM frames."""
        return [frame.error_code for frame in self.seen if isinstance(frame, RstStreamFrame)]

    def _frames(self, content: bytes) -> Iterator[Frame]:
        self._left += content
        while len(self._left) >= _HEAD:
            frame, length = Frame.parse_frame_header(memoryview(self._left[:_HEAD]))
            if len(self._left) < _HEAD + length:
                return
            body, self._left = self._left[_HEAD : _HEAD + length], self._left[_HEAD + length :]
            with suppress(HyperframeError):
                frame.parse_body(memoryview(body))
            yield frame


@contextmanager
def raw(address: str, ca: Path) -> Iterator[RawLine]:
    """A connection over TLS on which nothing was said yet."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    with connected(address) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as it:
        yield RawLine(it)


def connected(address: str) -> socket.socket:
    """TCP alone."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def message(stream: int, content: bytes, *, whole: bool = True) -> DataFrame:
    """A gRPC message; the last one of its call where it is `whole`."""
    framed = b"\0" + struct.pack(">I", len(content)) + content
    return DataFrame(stream, framed, flags=["END_STREAM"] if whole else [])
