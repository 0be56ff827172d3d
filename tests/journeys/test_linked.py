"""A linked question with real processes: asked again, and over a restart, it is one charge."""

from __future__ import annotations

import secrets
import time

import duckdb
import grpc
import pytest

from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation
from landbridge.transport import Endpoint, bearer
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from landbridge.wire import read_answer

pytestmark = pytest.mark.journey

LAW = "dpv:LegalCompliance"
OWNERS = ("ewr", "faa", "jfk", "lga")
QUESTION = (
    "SELECT engine, count(DISTINCT tailnum) AS aircraft, count(*) AS flights "
    "FROM flights JOIN faa.planes USING (tailnum) GROUP BY engine"
)


def charges(nyc: Federation, department: str, idents: set[str]) -> list[int]:
    """What the department's log says of these questions: one number for each that it answered."""
    entries = (
        Entry.from_bytes(content) for _, content in verify_folder(nyc.log(department)).entries()
    )
    return [
        entry.charged_micro_rho
        for entry in entries
        if entry.question_id in idents and entry.kind == "query" and entry.outcome == "answered"
    ]


def test_three_airports_and_the_register_answer_once_and_are_charged_once(
    nyc: Federation, truth: duckdb.DuckDBPyConnection
) -> None:
    """Same id or another, also over a restart of an owner: the same numbers, and one charge.

    Four half-widths around the truth leave one run in 10^8.
    """
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    identity = bearer(nyc.token("carol"))
    with Endpoint.at(nyc.address, ca=nyc.ca).channel() as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)

        def ask(ident: str) -> gateway_pb2.QueryResponse:
            request = gateway_pb2.QueryRequest(
                sql=QUESTION, purpose=LAW, question_id=ident, micro_epsilon=2_000_000
            )
            for _ in range(50):
                try:
                    return stub.Query(request, timeout=50, metadata=identity)
                except grpc.RpcError as failure:
                    if failure.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    time.sleep(0.2)
            raise AssertionError("the restarted node is not found again")

        found = ask(first)
        lost = ask(first)  # as a client does whose reply did not come
        nyc.restart("faa")
        again = ask(second)
    assert found.rows == lost.rows == again.rows
    answer = read_answer(found)
    real = truth.execute(
        "SELECT engine, count(DISTINCT tailnum), count(*) FROM flights JOIN planes USING (tailnum) "
        "WHERE engine = 'Turbo-fan' GROUP BY engine"
    ).fetchone()
    assert real is not None
    told = {row[0]: row[1:] for row in answer.rows()}
    widths = answer.half_widths()[[row[0] for row in answer.rows()].index("Turbo-fan")]
    for number, width, expected in zip(told["Turbo-fan"], widths[1:], real[1:], strict=True):
        assert width is not None
        assert abs(number - expected) <= 4 * width
    assert set(answer.departments) == set(OWNERS)
    for department in OWNERS:
        for _ in range(50):
            charged = charges(nyc, department, {first, second})
            if len(charged) == 3:
                break
            time.sleep(0.1)  # until the log's folder shows what is in the log
        assert len(charged) == 3, department
        assert charged[0] > 0
        assert charged[1:] == [0, 0], department
