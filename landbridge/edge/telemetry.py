"""Traces and metrics: one id for a question across caller, gateway and nodes.

Owner file of OpenTelemetry, with exporters.py, which sends what is made here.

Names follow OpenTelemetry's semantic conventions for RPC and databases. Spans and metrics carry
names of methods, steps, reasons and contracts, and nothing of a question: no text, no literal, no
subject, no caller.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

from opentelemetry.metrics import CallbackOptions, NoOpMeterProvider, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from landbridge.status import FAULTS

Metadata = Sequence[tuple[str, str | bytes]]

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bucket boundaries of durations."""


class Telemetry:
    """One process's traces and metrics. W3C trace context comes in and goes out as gRPC metadata.

    Without processors and readers nothing is kept and nothing leaves; ids are made all the same.
    """

    def __init__(
        self,
        service: str,
        processors: Sequence[SpanProcessor] = (),
        readers: Sequence[MetricReader] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        resource = Resource.create({"service.name": service})
        # Not the caller's word for it: a trace that they do not sample is the operator's to see.
        # Where nobody is there to see it, only ids are made: a quick call would make five spans to
        # be thrown away.
        self._traced = bool(processors)
        self._measured = bool(readers)
        self._tracing = TracerProvider(
            resource=resource,
            sampler=ALWAYS_ON if processors else ALWAYS_OFF,
            shutdown_on_exit=False,
        )
        for processor in processors:
            self._tracing.add_span_processor(processor)
        self._metering = (
            MeterProvider(readers, resource, shutdown_on_exit=False)
            if readers
            else NoOpMeterProvider()
        )
        self._tracer = self._tracing.get_tracer("landbridge")
        self._meter = meter = self._metering.get_meter("landbridge")
        self._calls = meter.create_histogram(
            "rpc.server.call.duration",
            "s",
            "How long calls took, from arrival to reply.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._active = meter.create_up_down_counter(
            "rpc.server.active_requests", "{request}", "Calls that are served now."
        )
        self._database = meter.create_histogram(
            "db.client.operation.duration",
            "s",
            "How long the engine took for one statement of ours.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._clock = clock

    @contextmanager
    def request(self, step: str, metadata: Metadata) -> Iterator[Trace]:
        """A span for one request, a child of the caller's where they sent their own."""
        with self._span(step, metadata) as (known, _):
            headers = {"traceparent": f"00-{known}-{_drawn(16)}-00"}  # not sampled here
            if self._traced:
                _PROPAGATOR.inject(headers)
            yield Trace(known, tuple(headers.items()))

    @contextmanager
    def call(self, method: str, metadata: Metadata, ended: Call) -> Iterator[None]:
        """A whole call of "package.Service/Method", a method that this server has.

        The block says in `ended` how it ended; its seconds and trace are known afterwards.
        """
        attributes = {"rpc.system.name": "grpc", "rpc.method": method}
        began = self._clock()
        self._active.add(1, attributes)
        try:
            with self._span(method, metadata) as (ended.trace, span):
                try:
                    yield
                finally:
                    if self._traced:
                        span.set_attributes({**attributes, **ended.attributes()})
                        if ended.status in FAULTS:
                            span.set_status(Status(StatusCode.ERROR))
        finally:
            self._active.add(-1, attributes)
            ended.seconds = self._clock() - began
            if self._measured:
                self._calls.record(ended.seconds, {**attributes, **ended.attributes()})

    def database(self, system: str, collection: str = "") -> AbstractContextManager[None]:
        """One statement that a node wrote, over the table of a contract (empty: several)."""
        if not (self._traced or self._measured):
            return _NOTHING
        return self._statement(system, collection)

    @contextmanager
    def _statement(self, system: str, collection: str) -> Iterator[None]:
        attributes = {"db.system.name": system, "db.operation.name": "SELECT"}
        if collection:
            attributes["db.collection.name"] = collection
        began = self._clock()
        failed = {"error.type": "RUN_FAILED"}
        try:
            with self._tracer.start_as_current_span(
                f"SELECT {collection}".strip(),
                kind=SpanKind.CLIENT,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ):
                yield
                failed = {}
        finally:
            self._database.record(self._clock() - began, {**attributes, **failed})

    def gauge(self, name: str, unit: str, what: str, read: Callable[[], int]) -> None:
        """A number that is looked at whenever metrics are collected."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return (Observation(read()),)

        self._meter.create_observable_gauge(name, [observe], unit, what)

    def counter(self, name: str, unit: str, what: str) -> Callable[[int, dict[str, str]], None]:
        """Counts something under attributes that come from a closed list."""
        made = self._meter.create_counter(name, unit, what)
        return lambda number, attributes: made.add(number, attributes)

    def close(self) -> None:
        """Sends what is still here; a collector that does not answer holds it up for seconds."""
        self._tracing.shutdown()
        if isinstance(self._metering, MeterProvider):
            self._metering.shutdown(timeout_millis=3_000)

    @contextmanager
    def _span(self, name: str, metadata: Metadata) -> Iterator[tuple[str, Span]]:
        """The trace's id, and the span."""
        if not self._traced:
            with _identified(metadata) as known:
                yield known, INVALID_SPAN
            return
        inside = get_current_span().get_span_context().is_valid
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        parent = _PROPAGATOR.extract(
            {key: carrier[key] for key in ("traceparent",) if key in carrier}
        )
        with self._tracer.start_as_current_span(
            name,
            context=None if inside else parent,
            kind=SpanKind.INTERNAL if inside else SpanKind.SERVER,
            # An exception's text is for its reader; a span is for everybody's.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield trace_id(span), span


_NOTHING: Final = nullcontext()
_TRACE: Final[ContextVar[str]] = ContextVar("landbridge.trace", default="")
"""Of the call that this thread serves, where nobody keeps traces."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()


@contextmanager
def _identified(metadata: Metadata) -> Iterator[str]:
    """The id of the trace that goes on here: the caller's, where they sent one; or a new one."""
    known = _TRACE.get() or _sent(metadata) or _drawn(32)
    before = _TRACE.set(known)
    try:
        yield known
    finally:
        _TRACE.reset(before)


def _drawn(digits: int) -> str:
    """A new id, in hexadecimal, never all zeros. It is no secret, and drawing it lets nobody wait:
    the system's own source would let go of the interpreter's lock.
    """
    return format(random.getrandbits(4 * digits) or 1, f"0{digits}x")


def _sent(metadata: Metadata) -> str:
    """The caller's trace id; empty where they sent none, or none that is well formed."""
    for key, value in metadata:
        if key == "traceparent" and isinstance(value, str):
            span = get_current_span(_PROPAGATOR.extract({key: value}))
            return trace_id(span) if span.get_span_context().is_valid else ""
    return ""


class Call:
    """How a call ended: gRPC's word, the catalogue's reason, seconds, the id of its trace."""

    __slots__ = ("reason", "seconds", "status", "trace")

    def __init__(self) -> None:
        self.status = "UNKNOWN"
        self.reason = ""
        self.seconds = 0.0
        self.trace = ""

    def attributes(self) -> dict[str, str]:
        """As OpenTelemetry names them."""
        reason = {"error.type": self.reason} if self.reason else {}
        return {"rpc.response.status_code": self.status, **reason}


class Trace:
    """The id of a trace, 32 hex digits, and the metadata that hands it on."""

    __slots__ = ("headers", "id")

    def __init__(self, trace_id: str, headers: tuple[tuple[str, str], ...]) -> None:
        self.id = trace_id
        self.headers = headers


def trace_id(span: Span) -> str:
    """The id of the trace that a span belongs to, 32 hex digits."""
    return format(span.get_span_context().trace_id, "032x")
