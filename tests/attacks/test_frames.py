"""Floods and nonsense below gRPC: frames that no client of gRPC would send, and no TLS at all.

Row 99. Each runs against a gateway that runs; while it does, an honest caller is answered, and
afterwards the process is the same one, with the descriptors that it had before.
"""

from __future__ import annotations

import os
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.attacks.frames import PREFACE, Ended, RawLine, connected, message, raw
from tests.attacks.test_floods import question
from tests.attacks.worlds import World

pytestmark = pytest.mark.journey

REFUSED_STREAM: Final = 7
ENHANCE_YOUR_CALM: Final = 11
MEMORY: Final = 300 << 20
"""Bytes that a flood may add to what the gateway has; a bomb adds gigabytes."""


def rapid_reset(line: RawLine, token: str) -> None:
    """CVE-2023-44487: calls that are taken back before anybody could answer; with a good token."""
    line.hello()
    content = question().SerializeToString()
    for turn in range(3_000):
        stream = 2 * turn + 1
        line.send(
            line.headers(stream, token=token), message(stream, content), RstStreamFrame(stream, 8)
        )


def ten_thousand_streams(line: RawLine, token: str) -> None:
    """More than any connection may have; what is over the limit is refused by HTTP/2 itself."""
    del token
    line.hello()
    for turn in range(10_000):
        line.send(line.headers(2 * turn + 1))
        if turn % 500 == 0:
            line.read(0.001)


def pings(line: RawLine, token: str) -> None:
    """A ping costs its sender nothing and the server a reply."""
    del token
    line.hello()
    for _ in range(2_000):
        line.send(*[PingFrame(0, b"\0" * 8)] * 10)


def settings(line: RawLine, token: str) -> None:
    """So do settings, each of which has to be confirmed."""
    del token
    line.hello()
    for _ in range(2_000):
        line.send(*[SettingsFrame(0)] * 10)


def empty_data(line: RawLine, token: str) -> None:
    """CVE-2019-9518: frames without an end and without content."""
    line.hello()
    line.send(line.headers(1, token=token))
    for _ in range(2_000):
        line.send(*[DataFrame(1, b"")] * 10)


def endless_headers(line: RawLine, token: str) -> None:
    """CVE-2024-27316: CONTINUATION without an end; the whole is bounded, not each frame."""
    del token
    line.hello()
    line.send(HeadersFrame(1, b"\0\1a\1b"))
    for _ in range(2_000):
        line.send(*[ContinuationFrame(1, b"\0\1a\x7f\x00" + b"b" * 127)] * 10)


def header_bomb(line: RawLine, token: str) -> None:
    """CVE-2016-6581: one byte of HPACK that stands for four thousand, thousands of times."""
    del token
    line.hello()
    first = line.headers(1, more=[("x-bomb", "b" * 3_900)])
    line.send(first)
    for turn in range(200):
        # 62 is the newest entry of the dynamic table.
        line.send(HeadersFrame(2 * turn + 3, b"\xbe" * 16_000, flags=["END_HEADERS"]))


def priorities(line: RawLine, token: str) -> None:
    """CVE-2019-9513: a tree of streams that is turned over without a pause."""
    del token
    line.hello()
    for turn in range(20_000):
        frame = PriorityFrame(2 * (turn % 100) + 1)
        frame.depends_on, frame.stream_weight = 2 * ((turn + 1) % 100) + 1, turn % 256
        line.send(frame)


FLOODS = (
    rapid_reset, ten_thousand_streams, pings, settings, empty_data, endless_headers, header_bomb,
    priorities,
)  # fmt: skip


@contextmanager
def _unhurt(world: World) -> Iterator[None]:
    """After the block the gateway is the same process, answers, and has let go of everything."""
    pid = world.running.process_id()
    assert world.ask("SELECT count(*) FROM people", "honest").code == "OK"
    descriptors, memory = _descriptors(pid), _resident(pid)
    yield
    assert world.ask("SELECT count(*) FROM people", "honest").code == "OK"
    assert _resident(pid) - memory < MEMORY
    for _ in range(300):
        if _descriptors(pid) <= descriptors + 3:
            break
        time.sleep(0.1)
    assert _descriptors(pid) <= descriptors + 3
    assert world.running.process_id() == pid


@pytest.mark.parametrize("flood", FLOODS, ids=lambda each: each.__name__)
def test_a_flood_of_frames_hurts_nobody(rare: World, flood: Callable[[RawLine, str], None]) -> None:
    """Each is cut off or taken; an honest caller is answered while its line is still open."""
    with _unhurt(rare), raw(rare.address, rare.running.ca) as line:
        with suppress(Ended):
            flood(line, rare.token("flood"))
        line.read(0.2)
        assert rare.ask("SELECT count(*) FROM people", "honest").code == "OK"
        if flood is pings:
            assert line.gone() == [ENHANCE_YOUR_CALM] or line.ended
        if flood is ten_thousand_streams:
            refused = [
                code for code in line.resets() if code in (REFUSED_STREAM, ENHANCE_YOUR_CALM)
            ]
            assert len(refused) > 1_000 or line.ended


def test_bodies_that_trickle_hold_no_thread_that_others_need(rare: World) -> None:
    """Nobody knows who they are from: 600 calls whose message does not come, and never ends."""
    with _unhurt(rare), ExitStack() as lines:
        opened = [lines.enter_context(raw(rare.address, rare.running.ca)) for _ in range(6)]
        for line in opened:
            line.hello()
            line.read(0.1)
            for stream in range(1, 200, 2):
                line.send(line.headers(stream), DataFrame(stream, b"\0\0"))
        for turn in range(20):
            for line in opened:
                with suppress(Ended):
                    line.send(*(DataFrame(stream, b"\0") for stream in range(1, 200, 2)))
            sql = f"SELECT count(*) FROM people WHERE age <> {turn}"
            assert rare.ask(sql, "honest", epsilon=0.01).code == "OK"


def _frame(kind: int, flags: int, stream: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return size.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def _window(size: int, stream: int) -> bytes:
    return WindowUpdateFrame(stream, size).serialize()


NONSENSE: dict[str, bytes] = {
    "no preface": b"\0" * 200,
    "half a preface and then headers": PREFACE[:10] + _frame(1, 4, 1, b"\x82"),
    "a frame larger than allowed": _frame(0, 0, 1, b"", length=0xFFFFFF) + b"\0" * 30_000,
    "data of no stream": _frame(0, 0, 0, b"abc"),
    "data before headers": _frame(0, 1, 1, b"abc"),
    "headers of stream 0": _frame(1, 4, 0, b"\x82"),
    "a stream of the server": _frame(1, 4, 2, b"\x82"),
    "a continuation of nothing": _frame(9, 4, 1, b"\x82"),
    "a promise from a client": _frame(5, 4, 1, b"\0\0\0\2\x82"),
    "settings of five bytes": _frame(4, 0, 0, b"\0" * 5),
    "settings of a stream": _frame(4, 0, 1, b""),
    "a confirmation with a body": _frame(4, 1, 0, b"\0" * 6),
    "a window of more than there is": _window(0x7FFFFFFF, 0) * 3,
    "a window of nothing": _frame(8, 0, 0, b"\0\0\0\0"),
    "a ping of three bytes": _frame(6, 0, 0, b"abc"),
    "a reset of an idle stream": _frame(3, 0, 99, b"\0\0\0\x08"),
    "a stream that depends on itself": _frame(2, 0, 1, b"\0\0\0\1\x10"),
    "padding longer than the frame": _frame(0, 8, 1, b"\xff"),
    "headers that no table has": _frame(1, 5, 1, b"\xff\xff\xff\xff\x0f"),
    "headers without a method": _frame(1, 5, 1, b"\x84"),
    "upper-case names": _frame(1, 5, 1, b"\x82\x84\x87\0\3ABC\1x"),
    "a kind that nobody knows": _frame(0xFA, 0xFF, 7, b"\xff" * 100) * 50,
    "farewell and then more": _frame(7, 0, 0, b"\0" * 8) + _frame(1, 5, 1, b"\x82\x84\x87"),
}


def test_nonsense_in_http2_ends_its_own_line_alone(rare: World) -> None:
    """After h2spec's generic and http2 sections: each on a line of its own, with no ill effect."""
    with _unhurt(rare):
        for name, content in NONSENSE.items():
            with raw(rare.address, rare.running.ca) as line:
                with suppress(Ended):
                    if "preface" not in name:
                        line.hello()
                    line.write(content)
                line.read(0.02)
                shown = b"".join(frame.serialize() for frame in line.seen if frame.stream_id == 0)
                assert b"Traceback" not in shown, name
                assert str(Path.home()).encode() not in shown, name


def test_what_is_no_tls_ends_its_own_line_alone(rare: World) -> None:
    """Not TLS, half of it, an old one, another protocol inside, and a name that is not ours."""
    hello = bytes.fromhex("160301020001fc0303")
    texts = (
        b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x00\x02", hello + b"\0" * 50, os.urandom(2_000),
        b"\x16\x03\x01\xff\xff" + os.urandom(500), b"\x15\x03\x01\x00\x02\x02\x28", b"\x17" * 3_000,
    )  # fmt: skip
    with _unhurt(rare):
        for text in texts:
            with connected(rare.address) as plain:
                plain.settimeout(0.2)
                with suppress(OSError):
                    plain.sendall(text)
                    said = plain.recv(1_000)
                    assert b"landbridge" not in said.lower()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(str(rare.running.ca))
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # that it is old is the point
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        _refused(rare, old)
        other = ssl.create_default_context(cafile=str(rare.running.ca))
        other.set_alpn_protocols(["http/1.1"])
        _refused(rare, other)


def _refused(world: World, context: ssl.SSLContext) -> None:
    """No handshake, or no word after it."""
    with connected(world.address) as plain:
        plain.settimeout(5)
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
                said = secured.recv(100)
        except (TimeoutError, ssl.SSLError, ConnectionError):
            return
    assert not said


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
