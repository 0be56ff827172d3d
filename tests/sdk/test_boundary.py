"""What the boundary lets out, and the deadline that it imposes."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Never, cast

import grpc
import pytest
from google.protobuf.message import Message

from landbridge.edge.interceptor import Boundary
from landbridge.errors import CATALOGUE, Position, error
from landbridge.status import from_rpc_error
from landbridge.transport import Endpoint
from landbridge.v1.gateway_pb2 import DirectoryRequest, DirectoryResponse, QueryRequest
from landbridge.v1.gateway_pb2_grpc import GatewayStub
from tests.sdk.loopback import Authority, Gateway, gateway

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[bytes, bytes]

PLANTED = "Zoltan Q 812345"


def failing(served: Gateway, authority: Authority) -> grpc.RpcError:
    """What a caller sees of a call that fails."""
    with Endpoint.at(served.address, ca=authority.pem).channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            GatewayStub(channel).Query(QueryRequest(), timeout=10)
        return caught.value


def seconds_seen(served: Gateway, authority: Authority, timeout: float | None) -> float:
    """What the servicer is told that remains of a call with this timeout."""
    seen: list[float] = []

    def look(_request: Message, context: grpc.ServicerContext) -> Message:
        seen.append(context.time_remaining())
        return DirectoryResponse()

    served.servicer.act = look
    with Endpoint.at(served.address, ca=authority.pem).channel() as channel:
        GatewayStub(channel).Directory(DirectoryRequest(), timeout=timeout)
    return seen[0]


def visible(caught: grpc.RpcError) -> str:
    """Everything that reached the client, as text."""
    call = cast(grpc.Call, caught)
    return repr((call.code(), call.details(), list(call.trailing_metadata()), str(caught)))


@pytest.mark.parametrize(
    "defect",
    [
        ValueError(PLANTED),
        KeyError(PLANTED),
        MemoryError(PLANTED),
        SystemExit(PLANTED),
        KeyboardInterrupt(PLANTED),
        error("ACCESS_DENIED", PLANTED, position=Position(-1, 0)),
        error("ACCESS_DENIED", PLANTED, receipt=b"\xff"),
    ],
    ids=["value", "key", "memory", "exit", "interrupt", "position", "receipt"],
)
def test_a_defect_leaves_as_the_constant_sentence(
    authority: Authority, caplog: pytest.LogCaptureFixture, defect: BaseException
) -> None:
    """Texts of exceptions hold data; even an error that cannot be written must not show itself."""

    def break_(_request: Message, _context: grpc.ServicerContext) -> Never:
        raise defect

    with caplog.at_level(logging.DEBUG), gateway(authority, break_) as served:
        caught = failing(served, authority)
    read = from_rpc_error(caught)
    assert (read.reason, read.message) == ("FAULT", CATALOGUE["FAULT"].sentence)
    assert PLANTED not in visible(caught)
    assert PLANTED not in caplog.text
    assert len(served.reported) == 1


def test_the_operator_gets_the_exception_itself_with_its_place(authority: Authority) -> None:
    """The sentence on the wire says that the operator's log says where."""

    def break_(_request: Message, _context: grpc.ServicerContext) -> Never:
        raise ValueError(PLANTED)

    with gateway(authority, break_) as served:
        failing(served, authority)
    assert "break_" in "".join(traceback.format_exception(served.reported[0]))


def test_a_refusal_is_not_reported_as_a_defect(authority: Authority) -> None:
    """Callers could otherwise fill the operator's log with their refusals."""

    def refuse(_request: Message, _context: grpc.ServicerContext) -> Never:
        raise error("ACCESS_DENIED")

    with gateway(authority, refuse) as served:
        assert from_rpc_error(failing(served, authority)).reason == "ACCESS_DENIED"
    assert served.reported == []


def test_a_report_that_fails_changes_nothing_for_the_caller(authority: Authority) -> None:
    """A full disk under the operator's log must not put its own text on the wire."""

    def report(_defect: BaseException) -> None:
        raise OSError(PLANTED)

    def break_(_request: Message, _context: grpc.ServicerContext) -> Never:
        raise ValueError

    with gateway(authority, break_, report=report) as served:
        caught = failing(served, authority)
    assert from_rpc_error(caught).reason == "FAULT"
    assert PLANTED not in visible(caught)


def test_an_abort_by_a_servicer_counts_as_a_defect(authority: Authority) -> None:
    """Its text was written past the catalogue."""

    def abort(_request: Message, context: grpc.ServicerContext) -> Never:
        context.abort(grpc.StatusCode.NOT_FOUND, PLANTED)

    with gateway(authority, abort) as served:
        caught = failing(served, authority)
    assert from_rpc_error(caught).reason == "FAULT"
    assert PLANTED not in visible(caught)


def test_a_call_without_deadline_gets_ours(authority: Authority) -> None:
    """By itself gRPC shows such a call as having 9.2e18 seconds."""
    with gateway(authority, maximum_seconds=7.0) as served:
        assert 0 < seconds_seen(served, authority, None) <= 7.0


def test_a_callers_shorter_deadline_stays(authority: Authority) -> None:
    """Work for a caller who has gone is work for nobody."""
    with gateway(authority, maximum_seconds=1_000.0) as served:
        assert 0 < seconds_seen(served, authority, 20.0) <= 20.0


def test_time_remaining_runs_down_and_stops_at_zero() -> None:
    """A negative number of seconds would mean 'for ever' to some engines."""
    now = [100.0]
    seen: list[float] = []

    def work(_request: bytes, context: grpc.ServicerContext) -> bytes:
        for moment in (100.0, 103.0, 999.0):
            now[0] = moment
            seen.append(context.time_remaining())
        return b""

    class Unhurried:
        def add_callback(self, callback: object) -> bool:
            return callback is not None

        def time_remaining(self) -> float:
            return 9.2e18

    boundary = Boundary(lambda _defect: None, maximum_seconds=5.0, clock=lambda: now[0])
    handler: grpc.RpcMethodHandler[bytes, bytes] | None = boundary.intercept_service(
        lambda _details: grpc.unary_unary_rpc_method_handler(work),
        cast(grpc.HandlerCallDetails, SimpleNamespace(method="/service/Work")),
    )
    assert handler is not None
    assert handler.unary_unary is not None
    handler.unary_unary(b"", Unhurried())  # type: ignore[arg-type]
    assert seen == [5.0, 2.0, 0.0]


def test_a_method_is_guarded_once_and_another_handler_of_its_name_anew() -> None:
    """It is asked for at every call; what is remembered is of that handler and of no other."""
    boundary = Boundary(lambda _defect: None, maximum_seconds=5.0)
    one: Handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"one")
    other: Handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"other")

    def asked(handler: Handler, method: str) -> Handler | None:
        details = cast(grpc.HandlerCallDetails, SimpleNamespace(method=method))
        return boundary.intercept_service(lambda _: handler, details)

    assert asked(one, "/s/A") is asked(one, "/s/A")
    replaced = asked(other, "/s/A")
    assert replaced is not None
    assert replaced.unary_unary is not None
    assert replaced.unary_unary(b"", SimpleNamespace(add_callback=lambda _: True)) == b"other"  # type: ignore[arg-type]
    assert asked(one, "/s/B") is not asked(one, "/s/A")


def test_a_stream_of_requests_is_not_served_unguarded() -> None:
    """Nothing may leave past the boundary because it was registered in another shape."""
    boundary = Boundary(lambda _defect: None, maximum_seconds=5.0)
    streaming: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(
        lambda _requests, _context: b""
    )
    details = cast(grpc.HandlerCallDetails, SimpleNamespace(method="/service/Stream"))
    with pytest.raises(TypeError, match="unary"):
        boundary.intercept_service(lambda _details: streaming, details)


def test_a_stream_that_fails_half_way_says_nothing_of_why() -> None:
    """What was told stands; the end is a status like any other, with a deadline of ours."""
    reported: list[BaseException] = []
    ended: list[grpc.Status] = []

    def tell(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"told"
        assert context.time_remaining() <= 5.0
        raise ValueError(PLANTED)

    class Caller:
        def time_remaining(self) -> float:
            return 9.2e18

        def abort_with_status(self, status: grpc.Status) -> Never:
            ended.append(status)
            raise RuntimeError

    boundary = Boundary(reported.append, maximum_seconds=5.0)
    handler: grpc.RpcMethodHandler[bytes, bytes] | None = boundary.intercept_service(
        lambda _details: grpc.unary_stream_rpc_method_handler(tell),
        cast(grpc.HandlerCallDetails, SimpleNamespace(method="/service/Tell")),
    )
    assert handler is not None
    assert handler.unary_stream is not None
    replies = handler.unary_stream(b"", Caller())  # type: ignore[arg-type]
    assert next(iter(replies)) == b"told"
    with pytest.raises(RuntimeError):
        next(iter(replies))
    assert [type(each) for each in reported] == [ValueError]
    assert ended[0].code is grpc.StatusCode.INTERNAL
    assert PLANTED not in repr(ended)
