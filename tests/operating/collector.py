"""An OTLP collector on loopback: takes what servers send and keeps it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(traces_grpc.TraceServiceServicer, metrics_grpc.MetricsServiceServicer):
    """What came, as it came; `headers` are the metadata of every export."""

    def __init__(self) -> None:
        self.port = 0
        self.traces: list[traces.ExportTraceServiceRequest] = []
        self.metrics: list[metrics.ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, Any]] = []
        self._arrived = threading.Condition()

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        with self._arrived:
            self.headers.append(dict(context.invocation_metadata()))
            if isinstance(request, traces.ExportTraceServiceRequest):
                self.traces.append(request)
            else:
                self.metrics.append(request)
            self._arrived.notify_all()
        if isinstance(request, traces.ExportTraceServiceRequest):
            return traces.ExportTraceServiceResponse()
        return metrics.ExportMetricsServiceResponse()

    def spans(self) -> list[tuple[str, Span]]:
        """Service name and span of each."""
        return [
            (resource.resource.attributes[_service(resource)].value.string_value, span)
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def names(self) -> set[str]:
        """Of all metrics that came."""
        return {
            metric.name
            for request in self.metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def octets(self) -> bytes:
        """Everything that came, as bytes."""
        return b"".join(each.SerializeToString() for each in (*self.traces, *self.metrics))


def _service(resource: Any) -> int:
    names = [attribute.key for attribute in resource.resource.attributes]
    return names.index("service.name")


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    add: tuple[Any, ...] = (
        traces_grpc.add_TraceServiceServicer_to_server,
        metrics_grpc.add_MetricsServiceServicer_to_server,
    )
    for register in add:
        register(collector, server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()
