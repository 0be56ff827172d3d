"""What a span costs where nobody collects it, and what it holds where somebody does."""

from __future__ import annotations

import re

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
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


@pytest.mark.parametrize("readers", [(), (InMemoryMetricReader(),)], ids=["nobody", "prometheus"])
def test_a_call_and_its_parts_have_one_id_and_the_next_call_has_another(
    readers: tuple[InMemoryMetricReader, ...],
) -> None:
    """A thread serves one call after the other: nothing of the first is there for the second."""
    telemetry = Telemetry("test", (), readers)
    seen = []
    for number in range(3):
        call = Call()
        metadata = METADATA if number == 1 else ()
        with (
            telemetry.call("landbridge.v1.Gateway/Call", metadata, call),
            telemetry.request("gateway.call", metadata) as trace,
        ):
            pass
        assert trace.id == call.trace
        seen.append(trace.id)
    assert len({*seen}) == 3
    assert seen[1] == PARENT
    telemetry.close()


@pytest.mark.parametrize(
    "sent",
    [
        f"00-{'0' * 32}-00f067aa0ba902b7-00",
        f"ff-{PARENT}-00f067aa0ba902b7-00",
        f"00-{PARENT.upper()}-00f067aa0ba902b7-00",
        f"00-{PARENT}",
        "x" * 10_000,
    ],
)
def test_a_trace_that_is_not_well_formed_is_not_gone_on_with(sent: str) -> None:
    """What a caller sends stands in the log as an id only if it is one (W3C Trace Context)."""
    telemetry = Telemetry("test")
    with telemetry.request("gateway.call", (("traceparent", sent),)) as trace:
        assert re.fullmatch(r"[0-9a-f]{32}", trace.id)
        assert trace.id not in sent
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
