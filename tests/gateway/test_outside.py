"""A witness outside the federation that sends slowly, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from gateway.outside import SECONDS, over_http
from landbridge.evidence.witness_memory import Reply

ORIGIN = "town/gateway"


class Clock:
    """A clock that moves on each time somebody looks: so each read costs some of it."""

    def __init__(self, step: float) -> None:
        self.looks = 0
        self._step = step

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * self._step


@contextmanager
def witness(*replies: bytes, endless: bool = False) -> Iterator[str]:
    """The address of a server that gives each connection its reply; the last may go on forever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for number, reply in enumerate(replies, start=1):
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.recv(65536)
                    connection.sendall(reply)
                    while endless and number == len(replies):
                        connection.sendall(b"x")
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/w/"
        serving.join()


def reply(status: int, body: bytes) -> bytes:
    """As HTTP has it."""
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_a_reply_in_time_is_a_reply() -> None:
    """And what the witness holds is fetched where it declines."""
    with witness(reply(200, b"line\n")) as url:
        assert over_http(url, ORIGIN, lambda: 0.0)(b"old 0\n") == Reply(200, b"line\n")
    with witness(reply(409, b"3\n"), reply(200, b"note\n")) as url:
        assert over_http(url, ORIGIN, lambda: 0.0)(b"old 0\n") == Reply(409, b"3\n", "note\n")


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nContent-Length: 65000\r\n\r\n", b"HTTP/"])
def test_a_witness_that_trickles_is_left_when_its_time_is_over(start: bytes) -> None:
    """Every byte used to begin the wait anew: one witness could hold the log for hours."""
    clock = Clock(SECONDS / 4)
    with witness(start, endless=True) as url:
        with pytest.raises(ConnectionError, match="TimeoutError"):
            over_http(url, ORIGIN, clock)(b"old 0\n")
        assert clock.looks <= 5


def test_one_deadline_holds_for_both_requests() -> None:
    """A witness that declines does not get the time twice."""
    clock = Clock(SECONDS / 8)
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 65000\r\n\r\n"
    with witness(reply(409, b"3\n"), start, endless=True) as url:
        with pytest.raises(ConnectionError, match="TimeoutError"):
            over_http(url, ORIGIN, clock)(b"old 0\n")
        assert clock.looks <= 9


def test_a_reply_without_end_is_cut() -> None:
    """Bounded bytes: what comes after them is not read."""
    with witness(b"HTTP/1.1 200 OK\r\n\r\n", endless=True) as url:
        assert len(over_http(url, ORIGIN, lambda: 0.0)(b"old 0\n").body) == 64 * 1024
