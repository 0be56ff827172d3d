"""Where traces and metrics go, as the operator decides: by OTLP, to Prometheus, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from landbridge.edge.operating import Operating
from landbridge.edge.server import CannotListen
from landbridge.edge.settings import SettingsInvalid
from landbridge.edge.telemetry import Telemetry

EXPORT_SECONDS = 10.0
"""A collector hears of metrics so often; of spans within five seconds."""


@dataclass(frozen=True, slots=True)
class Exporting:
    """Telemetry that goes where it should, the port of Prometheus (0: none), and its end."""

    telemetry: Telemetry
    port: int
    close: Callable[[], None]


def exporting(operating: Operating, service: str) -> Exporting:
    """The telemetry of one process. Raises SettingsInvalid, and CannotListen for a taken port."""
    processors: list[SpanProcessor] = []
    readers: list[MetricReader] = []
    if operating.otlp:
        spans, metrics = _otlp(operating)
        processors.append(spans)
        readers.append(metrics)
    port, end = 0, _nothing
    if operating.prometheus:
        reader, port, end = _prometheus(operating.prometheus)
        readers.append(reader)
    telemetry = Telemetry(service, processors, readers)

    def close() -> None:
        end()
        telemetry.close()

    return Exporting(telemetry, port, close)


def _otlp(operating: Operating) -> tuple[SpanProcessor, MetricReader]:
    # Who sends nothing need not load it: it is some 15 MB.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    plain = operating.otlp.startswith("http://")
    authority = _read(operating.otlp_ca) or None
    credentials = None if plain else grpc.ssl_channel_credentials(authority)
    headers = _headers(operating.otlp_headers)
    spans = OTLPSpanExporter(operating.otlp, plain, credentials, headers, timeout=5)
    metrics = OTLPMetricExporter(operating.otlp, plain, credentials, headers, timeout=5)
    return BatchSpanProcessor(spans), PeriodicExportingMetricReader(
        metrics, export_interval_millis=EXPORT_SECONDS * 1000
    )


def _prometheus(address: str) -> tuple[MetricReader, int, Callable[[], None]]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import REGISTRY, start_http_server

    host, _, wanted = address.rpartition(":")
    try:
        server, thread = start_http_server(int(wanted), host.strip("[]"), REGISTRY)
    except OSError:
        raise CannotListen(f"Cannot serve metrics on {address}: the port is in use.") from None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return PrometheusMetricReader(), int(server.server_port), end


def _headers(path: Path | None) -> tuple[tuple[str, str], ...] | None:
    """From a file, so that a collector's token stands in no settings and no environment."""
    if path is None:
        return None
    found = []
    for line in _read(path).decode("ascii", "replace").splitlines():
        name, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise SettingsInvalid(str(path), ["must have one 'name: value' a line"])
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)


def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except OSError as failure:
        raise SettingsInvalid(str(path), [f"cannot be read ({failure.strerror})"]) from None


def _nothing() -> None:
    return
