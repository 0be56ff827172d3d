"""Traces: one id for a question across caller, gateway and nodes. Owner file of OpenTelemetry.

Spans carry names of steps and nothing of a question: no text, no literal, no subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Metadata = Sequence[tuple[str, str | bytes]]


class Telemetry:
    """One process's traces. W3C trace context comes in and goes out as gRPC metadata."""

    def __init__(self, service: str) -> None:
        resource = Resource.create({"service.name": service})
        self._tracer = TracerProvider(resource=resource).get_tracer("landbridge")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, step: str, metadata: Metadata) -> Iterator[Trace]:
        """A span for one request, a child of the caller's where they sent their own."""
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        parent = self._propagator.extract(
            {key: carrier[key] for key in ("traceparent",) if key in carrier}
        )
        with self._tracer.start_as_current_span(
            step,
            context=parent,
            kind=SpanKind.SERVER,
            # An exception's text is for its reader; a span is for everybody's.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            headers: dict[str, str] = {}
            self._propagator.inject(headers)
            trace_id = format(span.get_span_context().trace_id, "032x")
            yield Trace(trace_id, tuple(headers.items()))


class Trace:
    """The id of a trace, 32 hex digits, and the metadata that hands it on."""

    __slots__ = ("headers", "id")

    def __init__(self, trace_id: str, headers: tuple[tuple[str, str], ...]) -> None:
        self.id = trace_id
        self.headers = headers
