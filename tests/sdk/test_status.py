"""Errors go over a real wire and come back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from typing import Never

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import (
    CATALOGUE,
    RETRY_AFTER,
    Fault,
    LandbridgeError,
    Passing,
    Position,
    error,
)
from landbridge.status import MAXIMUM_BYTES, NEAREST, from_rpc_error, to_status
from landbridge.transport import Endpoint
from landbridge.v1.evidence_pb2 import Receipt
from landbridge.v1.gateway_pb2 import DirectoryRequest
from landbridge.v1.gateway_pb2_grpc import GatewayStub
from landbridge.v1.problem_pb2 import Problem
from tests.sdk.loopback import Authority, Gateway, foreign, gateway

RECEIPT = Receipt(entry=b'{"v":1}', proof="c2sp.org/tlog-proof@v1\n").SerializeToString()


@contextmanager
def stub(address: str, authority: Authority) -> Iterator[GatewayStub]:
    """A stub without our client around it."""
    channel = Endpoint.at(address, ca=authority.pem).channel()
    try:
        yield GatewayStub(channel)
    finally:
        channel.close()


def failure(server: GatewayStub) -> grpc.RpcError:
    """What gRPC raises when the gateway refuses."""
    with pytest.raises(grpc.RpcError) as caught:
        server.Directory(DirectoryRequest(), timeout=20)
    return caught.value


@pytest.fixture(scope="module")
def served(authority: Authority) -> Iterator[tuple[Gateway, GatewayStub]]:
    """One gateway for the whole file."""
    with gateway(authority) as running, stub(running.address, authority) as server:
        yield running, server


def returned(served: tuple[Gateway, GatewayStub], sent: LandbridgeError) -> LandbridgeError:
    """What the client reads when the servicer raises `sent`."""
    running, server = served

    def refuse(_request: Message, _context: grpc.ServicerContext) -> Never:
        raise sent

    running.servicer.act = refuse
    return from_rpc_error(failure(server))


def foreign_failure(authority: Authority, status: grpc.Status) -> LandbridgeError:
    """What the client reads when a server that is not ours ends a call with `status`."""

    def abort(_request: Message, context: grpc.ServicerContext) -> Never:
        context.abort_with_status(status)

    with foreign(authority, abort) as address, stub(address, authority) as server:
        return from_rpc_error(failure(server))


def bare(code: grpc.StatusCode, text: str) -> grpc.Status:
    """A status without details of ours."""
    return rpc_status.to_status(status_pb2.Status(code=code.value[0], message=text))


def newer(code: grpc.StatusCode, problem: Problem) -> grpc.Status:
    """The status of a server that knows reasons we do not."""
    status = status_pb2.Status(code=code.value[0], message=problem.message)
    status.details.add().Pack(problem)
    return rpc_status.to_status(status)


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_comes_back_equal_in_all_fields(
    served: tuple[Gateway, GatewayStub], reason: str
) -> None:
    """One table read in both directions loses nothing on the way."""
    sent = error(
        reason,
        "" if reason == "FAULT" else "A sentence, with ümläuts.",
        rule="" if reason == "FAULT" else "faa/no-research",
        hint="" if reason == "FAULT" else "Ask for less.",
        position=None if reason == "FAULT" else Position(3, 14),
        missing=() if reason == "FAULT" else ("faa", "noaa"),
        receipt=b"" if reason == "FAULT" else RECEIPT,
    )
    sent.passing = None if reason == "FAULT" else Passing("SELECT 'ü'", 0.25)
    back = returned(served, sent)
    assert type(back) is type(sent)
    assert astuple(back) == astuple(sent)


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_status_of_the_catalogue_is_one_of_grpc_and_has_a_nearest_reason(reason: str) -> None:
    """A typing error in the catalogue would otherwise show when the refusal is first needed."""
    row = CATALOGUE[reason]
    assert row.status in grpc.StatusCode.__members__
    nearest = CATALOGUE[NEAREST.get(row.status, "FAULT")]
    assert nearest.exception is row.exception
    assert nearest.status == row.status


@settings(max_examples=60, deadline=None)
@given(
    message=st.text(min_size=1, max_size=200),
    rule=st.text(max_size=40),
    hint=st.text(max_size=200),
    position=st.none() | st.builds(Position, st.integers(0, 2**32 - 1), st.integers(0, 9)),
    missing=st.lists(st.text(max_size=20), max_size=5),
    passing=st.none() | st.builds(Passing, st.text(max_size=200)),
)
def test_any_text_survives_the_wire(
    served: tuple[Gateway, GatewayStub],
    message: str,
    rule: str,
    hint: str,
    position: Position | None,
    missing: list[str],
    passing: Passing | None,
) -> None:
    """Control characters, blanks at the ends and other alphabets are escaped by nobody but gRPC."""
    sent = error("ACCESS_DENIED", message, rule=rule, hint=hint, position=position, missing=missing)
    sent.passing = passing
    assert astuple(returned(served, sent)) == astuple(sent)


def test_the_receipt_of_the_longest_log_entry_arrives(
    served: tuple[Gateway, GatewayStub],
) -> None:
    """The usual limit for metadata is 16 KiB; an entry has up to 65,535 bytes."""
    receipt = Receipt(entry=b"x" * 65_535, proof="p" * 8_000).SerializeToString()
    back = returned(served, error("ACCESS_DENIED", receipt=receipt))
    assert (back.reason, back.receipt) == ("ACCESS_DENIED", receipt)


def test_an_oversized_refusal_loses_its_receipt_and_not_its_reason(
    served: tuple[Gateway, GatewayStub],
) -> None:
    """A status that the client cannot take would arrive as a fault."""
    receipt = Receipt(entry=b"x" * MAXIMUM_BYTES).SerializeToString()
    sent = error("BUDGET_EXHAUSTED", "\U0001f3db" * 9_000, hint="h" * 9_000, receipt=receipt)
    back = returned(served, sent)
    assert (back.reason, back.receipt) == ("BUDGET_EXHAUSTED", b"")
    assert back.message == "\U0001f3db" * 1_999 + "…"


def test_a_thousand_missing_departments_are_all_named(
    served: tuple[Gateway, GatewayStub],
) -> None:
    """Nobody who is missing is left out, up to the largest federation that is planned for."""
    missing = tuple(f"department_{number:04}" for number in range(1_000))
    back = returned(served, error("DEPARTMENT_MISSING", missing=missing))
    assert back.missing == missing


def test_lone_surrogates_are_replaced(served: tuple[Gateway, GatewayStub]) -> None:
    """They cannot be encoded, and a failing encoder would hide the reason."""
    assert returned(served, error("ACCESS_DENIED", "not \ud800 text")).message == "not ? text"


def test_other_clients_find_google_error_info() -> None:
    """Clients in other languages know that detail and not ours."""
    status = status_pb2.Status.FromString(
        dict(to_status(error("TOO_BUSY")).trailing_metadata or ())["grpc-status-details-bin"]
    )
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("TOO_BUSY", "landbridge")


def details(sent: LandbridgeError) -> status_pb2.Status:
    """What a client in another language reads."""
    return status_pb2.Status.FromString(
        dict(to_status(sent).trailing_metadata or ())["grpc-status-details-bin"]
    )


def test_other_clients_find_the_place_in_the_text() -> None:
    """`google.rpc.BadRequest` is what editors and gateways know how to show."""
    sent = error("INVALID_QUESTION", "Only SELECT is accepted.", position=Position(3, 14))
    found = [detail for detail in details(sent).details if "BadRequest" in detail.type_url]
    request = error_details_pb2.BadRequest()
    assert found[0].Unpack(request)
    (violation,) = request.field_violations
    assert violation.field == "sql"
    assert violation.description == "line 3, column 14: Only SELECT is accepted."


@pytest.mark.parametrize("reason", CATALOGUE)
def test_asking_again_is_suggested_where_it_can_help_and_nowhere_else(reason: str) -> None:
    """A client that waits for a budget that never comes back adds load and gains nothing."""
    found = [d for d in details(error(reason)).details if "RetryInfo" in d.type_url]
    assert bool(found) == (reason in RETRY_AFTER)
    passes = CATALOGUE[reason].status in ("UNAVAILABLE", "UNAUTHENTICATED")
    # As soon as one of the caller's own requests ends.
    assert reason not in RETRY_AFTER or passes or reason == "TOO_MANY_AT_ONCE"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED"),
        (grpc.StatusCode.UNAVAILABLE, "TOO_BUSY"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE"),
        (grpc.StatusCode.INTERNAL, "FAULT"),
        (grpc.StatusCode.FAILED_PRECONDITION, "FAULT"),
    ],
)
def test_a_reason_of_a_newer_server_gets_the_class_of_its_status(
    authority: Authority, code: grpc.StatusCode, reason: str
) -> None:
    """An older client must still tell a refusal from an outage, and show the server's sentence."""
    problem = Problem(reason="MOON_IN_THE_WAY", message="The moon is in the way.", rule="sky/7")
    read = foreign_failure(authority, newer(code, problem))
    assert isinstance(read, CATALOGUE[reason].exception)
    assert (read.reason, read.rule) == (reason, "sky/7")
    assert read.message == "The moon is in the way. (reason MOON_IN_THE_WAY)"


def test_a_known_reason_under_another_status_is_not_believed(authority: Authority) -> None:
    """A peer cannot make a retry or a new login happen by contradicting itself."""
    problem = Problem(reason="TOKEN_EXPIRED", message="m")
    read = foreign_failure(authority, newer(grpc.StatusCode.PERMISSION_DENIED, problem))
    assert read.reason == "ACCESS_DENIED"


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_a_bare_status_is_mapped_without_its_text(
    authority: Authority, code: grpc.StatusCode
) -> None:
    """The text of gRPC or of a proxy holds addresses and paths."""
    expected = {
        "UNAVAILABLE": "GATEWAY_UNREACHABLE",
        "CANCELLED": "GATEWAY_UNREACHABLE",  # a server that stops says it of what it never began
        "DEADLINE_EXCEEDED": "DEADLINE",
    }
    read = foreign_failure(authority, bare(code, "secret /etc/path of 10.1.2.3"))
    assert read.reason == expected.get(code.name, "FAULT")
    assert "secret" not in repr(astuple(read))


@pytest.mark.parametrize(
    "details",
    [
        b"\xff\xff\xff",
        status_pb2.Status(code=7, message="another text").SerializeToString(),
        status_pb2.Status(code=16, message="text").SerializeToString(),
    ],
)
def test_details_that_contradict_the_status_are_not_read(
    authority: Authority, details: bytes
) -> None:
    """Half-understood details must not become an exception that escapes, nor a wrong reason."""
    status = bare(grpc.StatusCode.PERMISSION_DENIED, "text")._replace(  # type: ignore[attr-defined]
        trailing_metadata=(("grpc-status-details-bin", details),)
    )
    read = foreign_failure(authority, status)
    assert isinstance(read, Fault)
    assert "PERMISSION_DENIED" in read.message


def test_no_reason_of_ours_is_written_as_what_a_stopping_server_says() -> None:
    """Whoever reads CANCELLED knows that nobody began the call, so that asking again is safe."""
    assert "CANCELLED" not in {row.status for row in CATALOGUE.values()}


def test_an_error_that_never_was_a_call_is_a_fault() -> None:
    """grpc.RpcError promises no code; nothing but a fault can be said."""
    assert from_rpc_error(grpc.RpcError("boom")).reason == "FAULT"
