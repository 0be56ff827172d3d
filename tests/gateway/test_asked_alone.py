"""One department is asked on the caller's own thread; what can befall it is told as for many."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from gateway.ask_each import Asked, ask_each
from landbridge.errors import LandbridgeError, error
from landbridge.status import to_status
from landbridge.v1 import node_pb2, node_pb2_grpc

Describe = node_pb2.DescribeResponse


class Office:
    """Describes itself when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.says: LandbridgeError | None = None

    def describe(
        self, request: node_pb2.DescribeRequest, context: grpc.ServicerContext
    ) -> Describe:
        """Waits, then answers or refuses."""
        del request
        self.asked.set()
        self.go.wait(10)
        if self.says is not None:
            context.abort_with_status(to_status(self.says))
        return Describe()


@contextmanager
def serving(office: Office) -> Iterator[grpc.Channel]:
    """A channel to it."""
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        handler = grpc.unary_unary_rpc_method_handler(
            office.describe,
            node_pb2.DescribeRequest.FromString,
            Describe.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("landbridge.v1.Node", {"Describe": handler})
        server.add_generic_rpc_handlers((service,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        try:
            yield channel
        finally:
            office.go.set()
            channel.close()
            server.stop(0).wait()


def ask(stub: node_pb2_grpc.NodeStub, names: tuple[str, ...], seconds: float) -> Asked[Describe]:
    """As the gateway asks."""
    return ask_each(
        dict.fromkeys(names, stub),
        names,
        lambda each: each.Describe,
        lambda _: node_pb2.DescribeRequest(),
        seconds,
        (),
    )


@pytest.mark.parametrize("names", [("one",), ("one", "two")])
@pytest.mark.parametrize("befalls", ["answers", "refuses", "is late", "leaves", "had left"])
def test_one_is_told_of_as_many_are(names: tuple[str, ...], befalls: str) -> None:
    """A channel that is closed under a call is a department that left, and no refusal of its."""
    office = Office()
    with serving(office) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        if befalls == "refuses":
            office.says = error("ACCESS_DENIED", "No.", rule="r")
        if befalls != "is late":
            office.go.set()
        if befalls == "had left":
            channel.close()
        leaving = threading.Thread(target=lambda: (office.asked.wait(10), channel.close()))
        if befalls == "leaves":
            office.go.clear()
            leaving.start()
        found = ask(stub, names, 0.3 if befalls == "is late" else 10)
        if befalls == "leaves":
            leaving.join()
        expected = {
            "answers": ("", ""),
            "refuses": ("", "ACCESS_DENIED"),
            "is late": ("DEADLINE", ""),
            "leaves": ("DEPARTMENT_MISSING", ""),
            "had left": ("DEPARTMENT_MISSING", ""),
        }[befalls]
        for name in names:
            missing, refused = found.missing.get(name), found.refused.get(name)
            told = ("" if said is None else said.reason for said in (missing, refused))
            assert tuple(told) == expected
            assert (name in found.replies) is (befalls == "answers")


class Held:
    """Stands for what a request's frames hold: the call whose stream the caller waits at."""


def test_a_refusal_that_was_told_holds_nothing_of_the_request() -> None:
    """A future is the exception that it raises: its traceback would keep the caller's stream open
    until the collector looks, and after a hundred of them a connection is refused.
    """
    office = Office()
    office.says = error("ACCESS_DENIED", "No.", rule="r")
    office.go.set()

    def request(stub: node_pb2_grpc.NodeStub) -> weakref.ref[Held]:
        held = Held()
        assert ask(stub, ("one", "two"), 10).refused
        return weakref.ref(held)

    with serving(office) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        gc.disable()
        try:
            assert request(stub)() is None
        finally:
            gc.enable()
