"""Reflection, where it is on: bounded, and refused in the catalogue's words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from landbridge.edge.reflection import MOST_CALLERS, MOST_QUESTIONS, Reflection
from landbridge.edge.server import Running, Tls, serve
from landbridge.errors import error
from landbridge.status import from_rpc_error
from tests.sdk.loopback import Authority

SERVICES = ("landbridge.v1.Gateway",)
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Keys take time."""
    return Authority()


def _served(authority: Authority, admit: Any, reports: list[BaseException]) -> Running:
    reflection = Reflection(SERVICES, admit, reports.append, seconds=0.5)
    return serve(
        [reflection.register], address="127.0.0.1:0", tls=Tls(*authority.issue()),
        report=reports.append, threads=8,
    )  # fmt: skip


def _stub(channel: grpc.Channel) -> Any:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub
    return stub(channel)


def _channel(authority: Authority, running: Running) -> grpc.Channel:
    return grpc.secure_channel(
        f"localhost:{running.port}", grpc.ssl_channel_credentials(authority.pem)
    )


def test_a_stream_that_does_not_end_is_ended(authority: Authority) -> None:
    """Row 98 and 99: two callers hold it for a moment, a third is turned away, nobody for ever."""
    reports: list[BaseException] = []
    running = _served(authority, lambda _: None, reports)
    never = threading.Event()

    def endless() -> Iterator[Any]:
        yield LIST
        never.wait(20)

    try:
        with _channel(authority, running) as channel:
            held = [_stub(channel).ServerReflectionInfo(endless()) for _ in range(MOST_CALLERS)]
            for stream in held:
                assert next(stream).HasField("list_services_response")
            with pytest.raises(grpc.RpcError) as refused:
                list(_stub(channel).ServerReflectionInfo(iter([LIST])))
            assert from_rpc_error(refused.value).reason == "TOO_BUSY"
            for stream in held:
                with pytest.raises(grpc.RpcError):
                    next(stream)
            assert len(list(_stub(channel).ServerReflectionInfo(iter([LIST])))) == 1
    finally:
        never.set()
        running.stop(0)
    assert reports == []


def test_a_caller_gets_so_many_answers_and_no_more(authority: Authority) -> None:
    """A descriptor is some kilobytes; a stream is not an endless supply of them."""
    running = _served(authority, lambda _: None, [])
    try:
        with _channel(authority, running) as channel:
            asked = iter([LIST] * (MOST_QUESTIONS + 50))
            assert len(list(_stub(channel).ServerReflectionInfo(asked))) == MOST_QUESTIONS
    finally:
        running.stop(0)


def test_a_refusal_and_a_defect_say_what_they_may(authority: Authority) -> None:
    """The refusal its reason; the defect nothing, and the operator where it was."""
    reports: list[BaseException] = []
    problems: list[BaseException] = [error("TOKEN_EXPIRED"), ValueError("a secret")]

    def admit(_: grpc.ServicerContext) -> None:
        raise problems.pop(0)

    running = _served(authority, admit, reports)
    try:
        with _channel(authority, running) as channel:
            for reason in ("TOKEN_EXPIRED", "FAULT"):
                with pytest.raises(grpc.RpcError) as refused:
                    list(_stub(channel).ServerReflectionInfo(iter([LIST])))
                assert from_rpc_error(refused.value).reason == reason
                assert "secret" not in str(refused.value)
    finally:
        running.stop(0)
    assert [type(each) for each in reports] == [ValueError]
