"""What comes on top is turned away at once, with a reason, and costs next to nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from landbridge.edge.arrivals import Arrivals
from landbridge.edge.calls import OF_CALLER, Calls
from landbridge.edge.health import Health
from landbridge.edge.interceptor import Boundary
from landbridge.edge.logins import EACH
from landbridge.edge.room import Room
from landbridge.errors import error
from landbridge.status import from_rpc_error
from landbridge.transport import bearer
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from tests.people import PURPOSE, TARGET, contract, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
FLOOD = 60


def _nothing(_: object) -> None:
    """Takes a defect, of which there is none."""


@contextmanager
def serving(
    register: Callable[[grpc.Server], None], room: Room, calls: Calls | None = None
) -> Iterator[grpc.Channel]:
    """A real server behind a room, and a connection to it."""
    server = grpc.server(
        ThreadPoolExecutor(64),
        interceptors=[
            room,
            Arrivals(1_000),
            Boundary(_nothing, maximum_seconds=30, calls=calls),
        ],
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(0).wait()
    room.close()


def reason(call: Any) -> str:
    """How it ended; empty for an answer."""
    try:
        call.result()
    except grpc.RpcError as failure:
        said = from_rpc_error(failure)
        assert said.retry_after == 1.0
        return said.reason
    return ""


class Slow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.inside = threading.Semaphore(0)
        self.let = threading.Event()

    def explain(self, request: Any, context: Any) -> gateway_pb2.ExplainResponse:
        """Waits."""
        del request, context
        self.inside.release()
        self.let.wait()
        return gateway_pb2.ExplainResponse()


def test_what_is_too_much_for_the_server_is_told_so_at_once() -> None:
    """Two are in it and the third is refused while they are; who asks again then is served."""
    slow = Slow()
    room = Room(2)

    def register(server: grpc.Server) -> None:
        Health(lambda: None).register(server)
        each = grpc.unary_unary_rpc_method_handler(
            slow.explain,
            gateway_pb2.ExplainRequest.FromString,
            gateway_pb2.ExplainResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("landbridge.v1.Gateway", {"Explain": each}),)
        )

    with serving(register, room) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        for _ in range(3):
            slow.let.clear()
            running = [stub.Explain.future(gateway_pb2.ExplainRequest()) for _ in range(2)]
            for _ in running:
                assert slow.inside.acquire(timeout=30)
            for _ in range(5):
                assert reason(stub.Explain.future(gateway_pb2.ExplainRequest())) == "TOO_BUSY"
            health: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert health(b"")
            slow.let.set()
            assert [reason(each) for each in running] == ["", ""]
    assert room._here == 0


def test_a_stream_that_was_left_is_no_longer_there() -> None:
    """However it ends: by itself, by its caller, or refused."""
    room = Room(2)

    class Told(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            def tell(_: Any, context: Any) -> Iterator[bytes]:
                yield b"x"
                if details.method == "/x.Y/Long":
                    gone = threading.Event()
                    context.add_callback(gone.set)
                    gone.wait(30)
                if details.method == "/x.Y/Refused":
                    raise error("TOO_BUSY")

            return grpc.unary_stream_rpc_method_handler(tell)

    def register(server: grpc.Server) -> None:
        server.add_generic_rpc_handlers((Told(),))

    with serving(register, room) as opened:
        channel: Any = opened
        for _ in range(4):
            long = [channel.unary_stream("/x.Y/Long")(b"") for _ in range(2)]
            assert [next(each) for each in long] == [b"x", b"x"]
            with pytest.raises(grpc.RpcError) as refused:
                list(channel.unary_stream("/x.Y/Long")(b""))
            assert from_rpc_error(refused.value).reason == "TOO_BUSY"
            for each in long:
                each.cancel()
            _await_nobody(room)
            with pytest.raises(grpc.RpcError):
                list(channel.unary_stream("/x.Y/Refused")(b""))
            assert list(channel.unary_stream("/x.Y/Short")(b"")) == [b"x"]
            _await_nobody(room)


def test_a_flood_of_one_caller_reaches_no_node_and_costs_no_charge_and_few_entries(
    simulate: Simulate,
) -> None:
    """Five times what they may have here: the rest is refused, unread once it is known whose it is,
    and counted in the log. Another caller is answered meanwhile; and they are, afterwards.
    """
    federation = simulate({"north": [TARGET, *crowd(40)]})
    calls = Calls(2)
    federation.recorder._calls = calls
    calls.turned_away = federation.recorder.turned_away
    node = federation.nodes["north"]
    mine, other = federation.token(), federation.token(subject="other")
    sql = "SELECT count(*) AS n FROM people"
    federation.query(sql, token=mine)
    spent = node.ledger.accounts(contract(), "university")
    released, received = threading.Event(), Counter[str]()

    def slow(request: Any) -> None:
        del request
        received["here"] += 1
        released.wait(30)

    def register(server: grpc.Server) -> None:
        gateway_pb2_grpc.add_GatewayServicer_to_server(federation.gateway, server)

    room = Room(1_000, calls)
    with serving(register, room, calls) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)

        def ask(number: int, token: str) -> Any:
            return stub.Query.future(
                gateway_pb2.QueryRequest(sql=sql, purpose=PURPOSE, question_id=f"{number:032x}"),
                metadata=bearer(token),
            )

        node.before = slow
        most = OF_CALLER * 2
        mine_here = [ask(number, mine) for number in range(most)]
        while calls._seats._here.total() < 2 * most:
            pass
        refused = [reason(ask(1_000 + number, mine)) for number in range(FLOOD)]
        assert refused == ["TOO_MANY_AT_ONCE"] * FLOOD
        assert received["here"] <= 2  # those that sit
        released.set()
        assert [reason(each) for each in mine_here] == [""] * most
        assert reason(ask(2_000, mine)) == ""
        assert reason(ask(2_001, other)) == ""
    assert received["here"] == most + 2
    federation.recorder.write_counts()
    entries = [each for each in federation.log.entries if each.reason == "TOO_MANY_AT_ONCE"]
    assert len(entries) <= EACH + 1
    assert sum(each.count or 1 for each in entries) == FLOOD
    assert {each.organisation for each in entries} == {"university"}
    assert node.ledger.accounts(contract(), "university") == spent


def _await_nobody(room: Room) -> None:
    while room._here:
        pass
