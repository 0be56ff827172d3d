"""What an operator's tools see of a federation, and what they must not."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

import landbridge.testing
from landbridge.edge.health import check
from landbridge.errors import InvalidQuestion, LandbridgeError, Refused
from landbridge.federation.running import Federation
from tests.operating.collector import Collector, collecting
from tests.operating.town import PURPOSE, QUESTION, write
from tests.ports import free_port

pytestmark = pytest.mark.journey

NAME = "Quirin Probe-77"
NUMBER = 987_654_321
MARKS = (NAME, "Probe-77", str(NUMBER), "SELECT topic", "eyJ", "planner", "city-planning", "R-4711")


@dataclass(frozen=True, slots=True)
class Watched:
    """A federation that was asked and has ended, and what its operator's tools got."""

    collector: Collector
    scraped: str
    words: dict[str, str]
    serving: tuple[bool, bool]
    clock: float | None
    reflected: tuple[list[str], list[grpc.StatusCode]]
    unknown: dict[str, tuple[grpc.StatusCode, str]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One federation for all of them: answers, refusals, a handler, each with a literal."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "headers").write_text("Authorization: Bearer collectors-own\n")
    ports = (free_port(), free_port())
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        for server, port in zip(("GATEWAY", "NODE"), ports, strict=True):
            for key, value in (
                ("OTLP", f"http://127.0.0.1:{collector.port}"),
                ("OTLP_HEADERS", str(folder / "headers")),
                ("PROMETHEUS", f"127.0.0.1:{port}"),
                ("LOGS", "json"),
            ):
                patch.setenv(f"LANDBRIDGE_{server}__TELEMETRY__{key}", value)
        patch.setenv("LANDBRIDGE_GATEWAY__REFLECTION", "true")
        with landbridge.testing.federation(
            write(folder / "town"), state=folder / "state"
        ) as running:
            _ask(running)
            _ask_as_a_service(running, collector.port)
            serving, clock = _health(running)
            found = Watched(
                collector,
                "".join(_get(port) for port in ports),
                {},
                serving,
                clock,
                _reflection(running),
                _strangers(running),
            )
        for name in ("gateway", "library"):
            found.words[name] = (folder / "state" / name / "stderr.log").read_text()
        yield found


def _ask(running: Federation) -> None:
    with running.client("planner") as client:
        assert client.query(QUESTION, purpose=PURPOSE).rows()
        for sql in (
            f"SELECT count(*) FROM loans WHERE topic = '{NAME}'",
            f"SELECT count(*) FROM loans WHERE days > {NUMBER}",
            f"SELECT '{NAME}', count(*) FROM loans",
            f"SELECT count(*) FROM loans WHERE reader = '{NAME}'",
            f"-- {NAME}\nSELECT",
        ):
            with suppress(Refused, InvalidQuestion):
                client.query(sql, purpose=PURPOSE)
        with pytest.raises(LandbridgeError):
            client.query(QUESTION, purpose=NAME)
    with running.client("desk") as desk:
        assert desk.call("library.reader_standing", purpose="dpv:ServiceProvision", reader="R-4711")


SERVICE = """
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import landbridge

collector, gateway, ca, token, sql, *refused = sys.argv[1:]
WHO = (("authorization", "Bearer collectors-own"),)
provider = TracerProvider(resource=Resource.create({"service.name": "a-service"}))
exporter = OTLPSpanExporter(collector, insecure=True, headers=WHO)
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with landbridge.connect(gateway, token=token, ca=Path(ca)) as client:
    with trace.get_tracer("a-service").start_as_current_span("the service's own work"):
        client.query(sql, purpose="dpv:ServiceOptimisation")
    for text in refused:
        try:
            client.query(text, purpose="dpv:ServiceOptimisation")
        except landbridge.LandbridgeError:
            continue
        raise SystemExit(f"{text} was not refused")
provider.shutdown()
"""


def _ask_as_a_service(running: Federation, collector: int) -> None:
    """A program with a provider of its own, which knows nothing of ours."""
    ca = running.state / "service-ca.pem"
    ca.write_bytes(running.ca.read_bytes())
    subprocess.run(
        [sys.executable, "-c", SERVICE, f"http://127.0.0.1:{collector}", running.address, str(ca),
         running.token("planner"), QUESTION,
         f"SELECT count(*) FROM loans WHERE reader = '{NAME}'", f"SELECT '{NAME}' FROM loans"],
        check=True, timeout=120,
    )  # fmt: skip


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return str(answer.read().decode())


def _channel(running: Federation) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(running.ca.read_bytes())
    return grpc.secure_channel(running.address, credentials)


def _health(running: Federation) -> tuple[tuple[bool, bool], float | None]:
    with _channel(running) as channel:
        serving, clock = check(channel, 5)
    state = running.state / "gateway"
    credentials = grpc.ssl_channel_credentials(
        running.ca.read_bytes(), (state / "tls.key").read_bytes(), (state / "tls.pem").read_bytes()
    )
    with grpc.secure_channel(f"127.0.0.1:{running.node_port('library')}", credentials) as channel:
        return (serving, check(channel, 5)[0]), clock


def _reflection(running: Federation) -> tuple[list[str], list[grpc.StatusCode]]:
    """What a known caller is told, and how it ends for one without a token."""
    refused = []
    with _channel(running) as channel:
        try:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        except grpc.RpcError as failure:
            refused.append(_ended(failure)[0])
        known = grpc.intercept_channel(channel, _Bearer(running.token("planner")))
        return sorted(ProtoReflectionDescriptorDatabase(known).get_services()), refused


def _ended(failure: Any) -> tuple[grpc.StatusCode, str]:
    return failure.code(), failure.details() or ""


class _Bearer(grpc.StreamStreamClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        metadata = (("authorization", f"Bearer {self._token}"),)
        return continuation(details._replace(metadata=metadata), requests)


def _strangers(running: Federation) -> dict[str, tuple[grpc.StatusCode, str]]:
    """How methods end that a stranger tries, without a token."""
    found: dict[str, tuple[grpc.StatusCode, str]] = {}
    with _channel(running) as channel:
        for method in (
            "/grpc.health.v1.Health/Watch",
            "/grpc.channelz.v1.Channelz/GetServers",
            "/landbridge.v1.Gateway/Nothing",
            "/landbridge.v1.Gateway/Query",
        ):
            try:
                cast(Any, channel.unary_unary(method))(b"", timeout=5)
            except grpc.RpcError as failure:
                found[method] = _ended(failure)
    return found


def test_a_question_is_one_trace_over_both_servers(seen: Watched) -> None:
    """OpenTelemetry's names, so that an operator's dashboards know what they see."""
    spans = seen.collector.spans()
    (ask, *_) = [
        span
        for service, span in spans
        if service == "landbridge.gateway" and span.name == "landbridge.v1.Gateway/Query"
    ]
    answers = [
        span
        for service, span in spans
        if service == "landbridge.node.library" and span.name == "landbridge.v1.Node/Answer"
    ]
    assert ask.trace_id in {span.trace_id for span in answers}
    attributes = {each.key: each.value.string_value for each in ask.attributes}
    assert attributes["rpc.system.name"] == "grpc"
    assert attributes["rpc.method"] == "landbridge.v1.Gateway/Query"
    assert attributes["rpc.response.status_code"] == "OK"
    (statement, *_) = [span for _, span in spans if span.name == "SELECT loans"]
    attributes = {each.key: each.value.string_value for each in statement.attributes}
    assert attributes["db.system.name"] == "duckdb"
    assert statement.trace_id == ask.trace_id
    assert statement.kind == statement.SPAN_KIND_CLIENT


def test_a_trace_begins_at_the_service_that_asks(seen: Watched) -> None:
    """Its own span, the client's below it, the gateway's below that, the node's below that."""
    spans = seen.collector.spans()
    by_id = {span.span_id: (service, span) for service, span in spans}
    (work,) = [span for _, span in spans if span.name == "the service's own work"]
    trace = [(service, span) for service, span in spans if span.trace_id == work.trace_id]
    (client,) = [span for service, span in trace if span.parent_span_id == work.span_id]
    assert (client.name, client.kind) == ("landbridge.v1.Gateway/Query", client.SPAN_KIND_CLIENT)
    (served,) = [
        (service, span) for service, span in trace if span.parent_span_id == client.span_id
    ]
    assert served[0] == "landbridge.gateway"
    assert served[1].kind == client.SPAN_KIND_SERVER
    answers = [span for service, span in trace if service == "landbridge.node.library"]
    assert answers
    for span in answers:
        place = ("", span)
        while place[1].span_id != work.span_id:  # up to where it began
            place = by_id[place[1].parent_span_id]


def test_a_refusal_is_an_answer_with_its_reason(seen: Watched) -> None:
    """What an operator counts is the catalogue's word; a refusal is no error of the server."""
    by_reason = {
        attribute.value.string_value: span.status.code
        for _, span in seen.collector.spans()
        for attribute in span.attributes
        if attribute.key == "error.type"
    }
    assert "INVALID_QUESTION" in by_reason
    assert by_reason["INVALID_QUESTION"] == 0


def test_no_literal_token_or_caller_is_in_any_trace_or_metric(seen: Watched) -> None:
    """Whoever runs the collector is told nothing of a question."""
    octets = seen.collector.octets()
    assert len(octets) > 5_000
    for mark in MARKS:
        assert mark.encode() not in octets, mark
        assert mark not in seen.scraped, mark


def test_the_collectors_token_comes_from_its_file(seen: Watched) -> None:
    """Secrets by file: none in settings, none in the environment."""
    assert {headers["authorization"] for headers in seen.collector.headers} == {
        "Bearer collectors-own"
    }


def test_metrics_come_by_both_ways(seen: Watched) -> None:
    """One set of instruments, whoever asks for it."""
    assert {
        "rpc.server.call.duration",
        "rpc.server.active_requests",
        "db.client.operation.duration",
        "landbridge.log.size",
    } <= seen.collector.names()
    assert 'rpc_method="landbridge.v1.Gateway/Query"' in seen.scraped
    assert 'error_type="INVALID_QUESTION"' in seen.scraped
    assert "landbridge_log_size" in seen.scraped


def test_every_word_of_a_server_is_one_object_a_line(seen: Watched) -> None:
    """A log shipper reads them; a person finds the call by its trace."""
    lines = [json.loads(line) for words in seen.words.values() for line in words.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert {"OK", "INVALID_ARGUMENT"} <= {call["status"] for call in calls}
    assert {"landbridge.v1.Gateway/Query", "landbridge.v1.Node/Answer"} <= {
        call["method"] for call in calls
    }
    traced: dict[str, set[str]] = {call["trace"]: set() for call in calls}
    for call in calls:
        traced[call["trace"]].add(call["method"])
    assert {"landbridge.v1.Gateway/Query", "landbridge.v1.Node/Answer"} in traced.values()
    for line in lines:
        assert {"time", "level", "event"} <= line.keys()


def test_no_literal_token_or_caller_is_in_any_word(seen: Watched) -> None:
    """Logs are read by more people than data."""
    for name, words in seen.words.items():
        for mark in MARKS:
            assert mark not in words, f"{mark} in the words of {name}"


def test_health_is_known_to_who_may_connect(seen: Watched) -> None:
    """The gateway's to everybody, a node's to members; with the clock that doctor compares."""
    assert seen.serving == (True, True)
    assert seen.clock is not None
    assert seen.clock > 1_700_000_000


def test_reflection_shows_the_protos_to_a_known_caller_only(seen: Watched) -> None:
    """Row 98: authenticated where it is on."""
    services, refused = seen.reflected
    assert services == [
        "grpc.reflection.v1alpha.ServerReflection",
        "landbridge.v1.Enrolment",
        "landbridge.v1.Gateway",
    ]
    assert refused == [grpc.StatusCode.UNAUTHENTICATED]


def test_strangers_learn_no_version_path_or_table(seen: Watched) -> None:
    """Row 98: health has no Watch to hold a thread with, and channelz is not there."""
    code, _ = seen.unknown["/landbridge.v1.Gateway/Query"]
    assert code is grpc.StatusCode.UNAUTHENTICATED
    for method in list(seen.unknown)[:3]:
        code, details = seen.unknown[method]
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert details == "Method not found!"
    for _, details in seen.unknown.values():
        for mark in ("loans", "landbridge", "0.1", ".py", "/work", "Traceback"):
            assert mark not in details
