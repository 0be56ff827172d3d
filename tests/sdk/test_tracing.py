"""The client's spans: made where OpenTelemetry is installed, and silent about the question."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from landbridge import tracing
from landbridge.client import AsyncClient, Client
from landbridge.errors import LandbridgeError, error
from landbridge.testing.channel import Lost, MemoryWay, Metadata
from landbridge.v1 import gateway_pb2

LITERAL = "Quirin Probe-77"
SQL = f"SELECT count(*) FROM people WHERE name = '{LITERAL}'"


class Served:
    """The other end: what came along with each request, and what it says."""

    def __init__(self, *says: LandbridgeError | Lost | None) -> None:
        self.says = list(says)
        self.headers: list[list[str]] = []

    def __call__(self, method: str, request: bytes, metadata: Metadata) -> bytes:
        assert method == "Explain"
        assert LITERAL.encode() in request
        self.headers.append([str(value) for key, value in metadata if key == "traceparent"])
        found = self.says.pop(0)
        if found is not None:
            raise found
        return gateway_pb2.ExplainResponse().SerializeToString()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a program's own provider gets."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", lambda: provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def threads(served: Served) -> None:
    """Asks once."""
    Client(MemoryWay(served), "test-token").explain(SQL, purpose="dpv:Testing")


def loop(served: Served) -> None:
    """Asks once, awaited."""

    async def ask() -> None:
        await AsyncClient(MemoryWay(served), "test-token").explain(SQL, purpose="dpv:Testing")

    asyncio.run(ask())


@pytest.mark.parametrize("ask", [threads, loop])
def test_a_request_is_a_client_span_and_the_gateways_parent(
    ask: Any, spans: InMemorySpanExporter
) -> None:
    """W3C Trace Context goes along: the gateway's span is a child of this one."""
    served = Served(None)
    ask(served)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("landbridge.v1.Gateway/Explain", SpanKind.CLIENT)
    context: Any = span.context
    ((header,),) = served.headers
    assert header.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": "landbridge.v1.Gateway/Explain",
        "rpc.response.status_code": "OK",
    }


@pytest.mark.parametrize("ask", [threads, loop])
def test_a_second_attempt_is_a_second_span(ask: Any, spans: InMemorySpanExporter) -> None:
    """The first one was an error, of a reason that the catalogue knows."""
    ask(Served(Lost(grpc.StatusCode.UNAVAILABLE), None))
    first, second = spans.get_finished_spans()
    assert (first.attributes or {})["error.type"] == "GATEWAY_UNREACHABLE"
    assert first.status.status_code is StatusCode.ERROR
    assert second.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("ask", [threads, loop])
def test_a_refusal_is_told_by_its_reason_alone(ask: Any, spans: InMemorySpanExporter) -> None:
    """Neither its words nor the question: a tracing service is not asked for its purpose."""
    with pytest.raises(LandbridgeError):
        ask(Served(error("INVALID_QUESTION", f"Not {LITERAL}.", hint=LITERAL)))
    (span,) = spans.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "INVALID_QUESTION"
    assert span.status.status_code is StatusCode.UNSET
    said = span.to_json()
    assert not re.search(r"Probe-77|SELECT|test-token|dpv", said), said
    assert not span.events


def test_without_opentelemetry_a_request_goes_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody's dependency."""
    tracing._tracer.cache_clear()
    try:
        monkeypatch.setitem(sys.modules, "opentelemetry", None)
        served = Served(None)
        threads(served)
    finally:
        tracing._tracer.cache_clear()
    assert served.headers == [[]]


def test_without_a_provider_nothing_is_sent_along() -> None:
    """The API alone makes no spans, and there is no trace to go on with."""
    served = Served(None)
    threads(served)
    assert served.headers == [[]]
