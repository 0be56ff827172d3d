"""The client's spans: one for each request that is sent, where OpenTelemetry's API is installed.

Without `opentelemetry-api` nothing is made and nothing is sent; with it, spans go where the
program's own provider sends them, and the gateway's are their children (W3C Trace Context). A span
carries names of methods, statuses and reasons, and nothing of a question: no text, no literal, no
subject, no token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from landbridge.errors import LandbridgeError
from landbridge.exchange import Listen, Send
from landbridge.status import FAULTS

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

HEADER: Final = "traceparent"
"""The one that is sent. `tracestate` and `baggage` hold what other programs put there."""


class Sending:
    """One request under way: the metadata that goes along, and how it ended."""

    __slots__ = ("_span", "headers")

    def __init__(self, headers: tuple[tuple[str, str], ...] = (), span: Span | None = None) -> None:
        self.headers = headers
        self._span = span

    def failed(self, failure: LandbridgeError) -> None:
        """It ended with an error or a refusal; a refusal is an answer, and no error of the span."""
        self._end(failure.status, failure.reason)

    def replied(self) -> None:
        """It ended well."""
        self._end("OK", "")

    def _end(self, status: str, reason: str) -> None:
        if self._span is None:
            return
        self._span.set_attribute("rpc.response.status_code", status)
        if reason:
            self._span.set_attribute("error.type", reason)
        if status in FAULTS:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR))


@contextmanager
def sending(step: Send | Listen, target: str) -> Iterator[Sending]:
    """A span around one request to the gateway at `target`; a second attempt is a second span.

    Of a stream it is the opening, and says nothing of how the stream ends.
    """
    tracer = _tracer()
    if tracer is None:
        yield Sending()
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    method = f"landbridge.v1.{step.service}/{step.method}"
    host, _, port = target.rpartition(":")
    # Of several replicas it is not known here which one is asked.
    attributes: dict[str, str | int] = {"rpc.system.name": "grpc", "rpc.method": method}
    if port.isdigit() and "," not in target:
        attributes |= {"server.address": host, "server.port": int(port)}
    with tracer.start_as_current_span(
        method,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        # An exception's text is for its reader; a span is for everybody's.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        headers = ((HEADER, carrier[HEADER]),) if HEADER in carrier else ()
        yield Sending(headers, span)


@cache
def _tracer() -> Tracer | None:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    # Of the program's provider, also of one that it sets later.
    return trace.get_tracer("landbridge")
