"""Who waits for a message waits for so long, and not at all where too many do."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import grpc
import pytest

from landbridge.edge.arrivals import GRACE, LATEST, Arrivals
from landbridge.edge.interceptor import Boundary
from landbridge.errors import error
from tests.identity.forge import Clock


class Call:
    """What gRPC shows of a call, as far as it is looked at."""

    def __init__(self) -> None:
        self.cancelled = False
        self.said: Any = None

    def time_remaining(self) -> float | None:
        """As a call without deadline."""
        return None

    def is_active(self) -> bool:
        """Somebody waits."""
        return True

    def add_callback(self, _: object) -> bool:
        """It has not ended."""
        return True

    def cancel(self) -> None:
        """As RpcContext has it."""
        self.cancelled = True

    def abort_with_status(self, status: Any) -> None:
        """Raises, as gRPC's does."""
        self.said = status
        raise RuntimeError


def handler(arrivals: Arrivals) -> Any:
    """One method, behind it."""
    inner: Any = grpc.unary_unary_rpc_method_handler(
        lambda request, _context: request, request_deserializer=lambda content: content.decode()
    )
    details = type("Details", (), {"method": "/x/Y"})()
    return cast(Any, arrivals.intercept_service(lambda _: inner, details)).stream_unary


def test_a_message_in_time_is_the_servicers() -> None:
    """The wrapping shows in nothing."""
    arrivals = Arrivals(1)
    assert handler(arrivals)(iter([b"asked"]), Call()) == "asked"
    assert not arrivals._waiting


@pytest.mark.parametrize("messages", [[], [b"\xff"]])
def test_no_message_and_no_sense_are_one_status(messages: list[bytes]) -> None:
    """A sentence of ours; nothing of what a parser says of a stranger's bytes."""
    arrivals, call = Arrivals(1), Call()
    with pytest.raises(RuntimeError):
        handler(arrivals)(iter(messages), call)
    assert call.said.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "utf" not in call.said.details
    assert not arrivals._waiting


@pytest.mark.parametrize("inner", [False, True], ids=["by its message", "by its servicer"])
def test_a_call_that_is_refused_is_let_go_at_once(inner: bool) -> None:
    """Held by a circle until the collector came, a hundred of them were all streams of a line."""

    def serve(_request: object, _context: object) -> object:
        failure = error("NOT_AVAILABLE", "It is not there.")
        raise failure

    def refused() -> weakref.ref[Call]:
        call = Call()
        with suppress(RuntimeError):
            if inner:
                unary: Any = grpc.unary_unary_rpc_method_handler(cast(Any, serve))
                details = type("Details", (), {"method": "/x/Y"})()
                boundary = Boundary(lambda _: None, maximum_seconds=5.0)
                cast(Any, boundary.intercept_service(lambda _: unary, details)).unary_unary(
                    b"", call
                )
            else:
                handler(Arrivals(1))(iter([b"\xff"]), call)
        assert call.said is not None
        return weakref.ref(call)

    gc.disable()
    try:
        assert refused()() is None
    finally:
        gc.enable()


def test_whoever_waits_longest_goes_first_and_nobody_in_the_first_moment() -> None:
    """Honest messages are there within it; only who trickles is ended, and only as many."""
    clock = Clock(0.0)
    arrivals = Arrivals(2, seconds=10, clock=clock)
    calls = [Call() for _ in range(4)]
    looked: list[list[bool]] = []

    def look() -> None:
        arrivals.look()
        looked.append([call.cancelled for call in calls])

    def come(number: int) -> Iterator[bytes]:
        """While this one waits, all later ones come, and time goes by."""
        if number + 1 < len(calls):
            clock.now += 0.1
            with pytest.raises(RuntimeError):
                handler(arrivals)(come(number + 1), calls[number + 1])
            return
        look()
        clock.now = GRACE
        handler(arrivals), handler(arrivals)
        look()
        clock.now = 9.0
        look()
        clock.now = 10.25
        look()
        yield from ()

    with pytest.raises(RuntimeError):
        handler(arrivals)(come(0), calls[0])
    assert looked == [
        [False, False, False, False],
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
    ]
    assert not arrivals._waiting


def test_a_server_that_reads_late_ends_nobody_whose_message_may_lie_here() -> None:
    """No call has been taken in since that shows that all before it was read; then two were."""
    clock = Clock(100.0)
    arrivals = Arrivals(0, seconds=60, clock=clock)
    call = Call()
    looked: list[bool] = []

    def look(now: float) -> None:
        clock.now = now
        arrivals.look()
        looked.append(call.cancelled)

    def late() -> Iterator[bytes]:
        look(101.0)
        handler(arrivals)  # it may have come when this one waited already
        look(102.0)
        handler(arrivals)  # it came after that one was taken in
        look(102.5)
        yield from ()

    with pytest.raises(RuntimeError):
        handler(arrivals)(late(), call)
    assert looked == [False, False, True]


def test_nobody_waits_for_long_where_too_many_do() -> None:
    """Also where no more calls come that would show what was read."""
    clock = Clock(100.0)
    arrivals = Arrivals(0, seconds=60, clock=clock)
    call = Call()

    def silent() -> Iterator[bytes]:
        clock.now += LATEST
        arrivals.look()
        yield from ()

    with pytest.raises(RuntimeError):
        handler(arrivals)(silent(), call)
    assert call.cancelled
