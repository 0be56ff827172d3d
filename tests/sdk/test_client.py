"""The client for threads and the client for asyncio, against a real gateway."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from decimal import Decimal
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message

import landbridge
from landbridge import Answer, AsyncClient, Client, LandbridgeError
from landbridge.errors import Refused, error
from landbridge.v1 import gateway_pb2
from tests.sdk.asking import (
    TOKEN,
    Ask,
    ask_with_threads,
    both,
    raising,
    requests,
    says,
)
from tests.sdk.loopback import PEOPLE, PURPOSE, Authority, gateway


@both
def test_a_question_arrives_as_it_was_asked(authority: Authority, ask: Ask) -> None:
    """Both ways send the same request, with the token of this call."""
    reply = gateway_pb2.QueryResponse(departments=["ewr"])
    with gateway(authority, says(reply)) as served:
        answer = ask(served, "query", PEOPLE, purpose=PURPOSE, epsilon=0.3, partial=True)
    (request,) = requests(served)
    assert answer.departments == ("ewr",)
    assert (request.sql, request.purpose) == (PEOPLE, PURPOSE)
    assert (request.micro_epsilon, request.partial) == (300_000, True)
    assert len(bytes.fromhex(request.question_id)) == 16
    assert served.servicer.metadata[0]["authorization"] == f"Bearer {TOKEN}"


@both
def test_explain_call_and_directory_are_read_as_values(authority: Authority, ask: Ask) -> None:
    """Generated types stop at the wire."""
    plan = gateway_pb2.ExplainResponse(
        mode="fan-out",
        cells=3,
        accuracy=[
            gateway_pb2.ExpectedAccuracy(column="n", half_width=4.5),
            gateway_pb2.ExpectedAccuracy(column="mean"),
        ],
    )
    with gateway(authority, says(plan)) as served:
        read = ask(served, "explain", PEOPLE, purpose=PURPOSE)
        assert (read.mode, read.cells, read.accuracy) == ("fan-out", 3, {"n": 4.5, "mean": None})

        served.servicer.act = says(gateway_pb2.CallResponse(code="OLD", version="2"))
        reply = ask(
            served, "call", "faa.airworthiness_band", purpose=PURPOSE, tailnum="N1", handler=7
        )
        assert (reply.code, reply.version, reply.receipt) == ("OLD", "2", None)
        request = cast(gateway_pb2.CallRequest, served.servicer.requests[-1])
        assert request.arguments["tailnum"].text == "N1"
        assert request.arguments["handler"].integer == 7
        assert len(request.question_id) == 32

        members = [gateway_pb2.DirectoryMember(department="faa", reachable=True)]
        members[0].contracts.add(id="planes").columns.add(name="year", grouping=True)
        members[0].handlers.add(name="airworthiness_band", codes=["OLD", "NEW"])
        served.servicer.act = says(gateway_pb2.DirectoryResponse(members=members))
        (member,) = ask(served, "directory").members
        assert (member.department, member.reachable) == ("faa", True)
        assert member.contracts[0].columns[0].grouping
        assert member.handlers[0].codes == ("OLD", "NEW")


@both
def test_a_refusal_is_raised_as_the_gateway_raised_it(authority: Authority, ask: Ask) -> None:
    """Which rule refused and what would pass is the whole point of a refusal."""
    refusal = error("ACCESS_DENIED", rule="faa/no-research", hint="Ask for less.")
    with gateway(authority, raising(refusal, then=gateway_pb2.QueryResponse())) as served:
        with pytest.raises(Refused) as caught:
            ask(served, "query", PEOPLE, purpose=PURPOSE)
        assert (caught.value.rule, caught.value.hint) == ("faa/no-research", "Ask for less.")
        assert len(served.servicer.requests) == 1


@both
def test_two_questions_have_two_ids(authority: Authority, ask: Ask) -> None:
    """The same id would ask the first question again."""
    with gateway(authority) as served:
        for _ in range(2):
            ask(served, "query", PEOPLE, purpose=PURPOSE)
        assert len({request.question_id for request in requests(served)}) == 2


@both
@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"epsilon": 0}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": -1.0}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": math.nan}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": math.inf}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": 1e-7}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": Decimal("NaN")}, "EPSILON_OUT_OF_RANGE"),
        ({"epsilon": "1"}, "INVALID_ARGUMENT"),
        ({"epsilon": True}, "INVALID_ARGUMENT"),
        ({"purpose": ""}, "PURPOSE_MISSING"),
        ({"purpose": None}, "PURPOSE_MISSING"),
        ({"purpose": 7}, "PURPOSE_MISSING"),
        ({"purpose": "\ud800"}, "INVALID_ARGUMENT"),
        ({"partial": 1}, "INVALID_ARGUMENT"),
        ({"timeout": 0}, "INVALID_ARGUMENT"),
        ({"timeout": math.nan}, "INVALID_ARGUMENT"),
        ({"timeout": "30"}, "INVALID_ARGUMENT"),
        ({"sql": ""}, "INVALID_QUESTION"),
        ({"sql": " \n"}, "INVALID_QUESTION"),
        ({"sql": b"SELECT 1"}, "INVALID_QUESTION"),
        ({"sql": "\ud800"}, "INVALID_QUESTION"),
        ({"sql": "x" * 5_000_000}, "INVALID_ARGUMENT"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_sent(
    authority: Authority, ask: Ask, named: dict[str, object], reason: str
) -> None:
    """Above all an epsilon that would arrive as 0: that means the contract's default, and costs."""
    with gateway(authority) as served:
        with pytest.raises(LandbridgeError) as caught:
            ask(served, "query", **({"sql": PEOPLE, "purpose": PURPOSE} | named))
        assert caught.value.reason == reason
        assert served.servicer.requests == []


@pytest.mark.parametrize("handler", ["", "faa", "faa.", ".x", "a.b.c", None, "a..b.c"])
def test_a_handler_is_named_with_its_department(authority: Authority, handler: object) -> None:
    """A name without a department cannot be sent to anybody."""
    with gateway(authority) as served:
        with pytest.raises(LandbridgeError, match=r"department\.handler"):
            ask_with_threads(served, "call", handler, purpose=PURPOSE)
        assert served.servicer.requests == []


def test_a_closed_client_says_so(authority: Authority) -> None:
    """In one sentence, for both."""
    with gateway(authority) as served:
        client = landbridge.connect(served.address, token=TOKEN, ca=served.ca)
        client.close()
        with pytest.raises(LandbridgeError, match="closed"):
            client.directory()

        async def ask() -> None:
            client = landbridge.aconnect(served.address, token=TOKEN, ca=served.ca)
            await client.close()
            with pytest.raises(LandbridgeError, match="closed"):
                await client.directory()

        asyncio.run(ask())


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    """What is written once shows to both as if it were their own: names, parameters, results."""

    def public(kind: type) -> dict[str, tuple[str, ...]]:
        return {
            name: (*map(str, seen.parameters.values()), str(seen.return_annotation))
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
            for seen in [inspect.signature(method)]
        }

    threads, loop = public(Client), public(AsyncClient)
    assert threads.keys() == loop.keys() > {"query", "open_case", "close"}
    handles = {name for name in threads if threads[name] != loop[name]}
    assert handles >= {"open_case", "case", "consult", "consultation"}
    for name in handles:  # each gives its own kind of handle, and differs in nothing else
        assert loop[name] == (*threads[name][:-1], f"Async{threads[name][-1]}")
    for name in loop.keys() - {"close"}:
        assert inspect.iscoroutinefunction(getattr(AsyncClient, name))
        assert inspect.getdoc(getattr(AsyncClient, name)) == inspect.getdoc(getattr(Client, name))


def test_one_client_serves_many_threads(authority: Authority) -> None:
    """A web service has one client and many requests."""

    def echo(request: Message, _context: grpc.ServicerContext) -> Message:
        purpose = cast(gateway_pb2.QueryRequest, request).purpose
        return gateway_pb2.QueryResponse(departments=[purpose])

    wrong: list[Answer] = []
    with (
        gateway(authority, echo) as served,
        landbridge.connect(served.address, token=TOKEN, ca=served.ca) as client,
    ):

        def work(number: int) -> None:
            answers = [client.query(PEOPLE, purpose=f"p{number}") for _ in range(10)]
            wrong.extend(got for got in answers if got.departments != (f"p{number}",))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(served.servicer.requests) == 80
