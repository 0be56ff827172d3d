"""What a span costs where nobody collects it, and what it holds where somebody does."""

from __future__ import annotations

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span

from landbridge.edge.telemetry import Call, Telemetry

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"
METADATA = (("traceparent", f"00-{PARENT}-00f067aa0ba902b7-00"),)


def test_a_span_that_nobody_collects_has_its_ids_and_records_nothing() -> None:
    """The id stands in the log and goes on to the departments; what is thrown away is not made."""
    telemetry = Telemetry("test")
    call = Call()
    with (
        telemetry.call("landbridge.v1.Gateway/Call", METADATA, call),
        telemetry.request("gateway.call", METADATA) as trace,
        telemetry.database("duckdb", "people"),
    ):
        assert not get_current_span().is_recording()
        assert (trace.id, call.trace) == (PARENT, PARENT)
        assert dict(trace.headers)["traceparent"].split("-")[1] == PARENT
    with telemetry.request("gateway.call", ()) as other:
        assert len(other.id) == 32
        assert int(other.id, 16) > 0
    telemetry.close()


def test_a_collectors_spans_are_the_operators_choice_and_not_the_callers() -> None:
    """The caller's trace above says "not sampled"; with a collector it is recorded all the same."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry("test", [SimpleSpanProcessor(exporter)])
    with telemetry.request("gateway.call", METADATA) as trace:
        assert get_current_span().is_recording()
    assert trace.id == PARENT
    assert [span.name for span in exporter.get_finished_spans()] == ["gateway.call"]
    telemetry.close()
