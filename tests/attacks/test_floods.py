"""More than a server should take: each flood ends at its own bound, and others are served."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import cast

import grpc
import pytest

from landbridge.edge.logins import EACH
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import PURPOSE, World

pytestmark = pytest.mark.journey

HOSTILE = {
    "a megabyte": "x" * 1_000_000,
    "three megabytes of blanks": " " * 3_000_000,
    "20,000 parentheses": "SELECT count(*) FROM people WHERE "
    + "(" * 20_000 + "age = 1" + ")" * 20_000,
    "NUL": "SELECT count(*) FROM people\0",
    "zero width": "SELECT count(*) FROM people WHERE age = 1 \u200b",
    "Cyrillic": "SELECT count(*) FROM \u0440eople",
    "right to left": "SELECT count(*) FROM people WHERE \u202e1 = ega",
    "combining": "SELECT count(*) FROM people\u0301",
    "quotes": "'" * 999,
    "comments": "/* " * 3_000,
    "semicolons": ";" * 10_000,
    "a name of the tree": "SELECT count(*) FROM " + "a." * 5_000 + "people",
    "unions": " UNION ".join(["SELECT count(*) FROM people"] * 500),
    "joins": "SELECT count(*) FROM people" + " JOIN people" * 2_000,
    "a list": "SELECT count(*) FROM people WHERE age IN (" + ",".join("1" * 50_000) + ")",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_one_clear_refusal(worlds: Worlds, name: str) -> None:
    """Row 74: a sentence, alike everywhere, in a log of UTF-8; the next question is answered."""
    seen = [world.ask(HOSTILE[name], "hostile", seconds=20) for world in worlds]
    assert len({each.refusal for each in seen}) == 1
    assert seen[0].reason in ("INVALID_QUESTION", "NOT_AVAILABLE")
    assert len(seen[0].problem.SerializeToString()) < 2_000
    for world in worlds:
        assert world.ask("SELECT count(*) FROM people", "honest").code == "OK"


def bare(world: World, request: object, metadata: object = (), **more: object) -> grpc.StatusCode:
    """The status of one request on a connection of its own."""
    with world.channel() as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        try:
            stub.Query(request, metadata=metadata, timeout=20, **more)  # type: ignore[arg-type]
        except grpc.RpcError as failure:
            return cast(grpc.Call, failure).code()
    return grpc.StatusCode.OK


def question(sql: str = "SELECT count(*) FROM people") -> gateway_pb2.QueryRequest:
    """A request under a fresh id."""
    return gateway_pb2.QueryRequest(
        sql=sql, purpose=PURPOSE, question_id=secrets.token_hex(16)
    )  # fmt: skip


def test_each_flood_ends_at_its_bound(worlds: Worlds) -> None:
    """Row 99: 20 kB of metadata, 5 MB, a bomb of gzip; before anybody was identified."""
    for world in worlds:
        bearer = ("authorization", f"Bearer {world.token('honest')}")
        flood = (bearer, ("x-flood", "x" * 20_000))
        assert bare(world, question(), flood) is grpc.StatusCode.RESOURCE_EXHAUSTED
        large = question("x" * 5_000_000)
        assert bare(world, large, (bearer,)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        bomb = question(" " * 4_000_000)
        gzip = bare(world, bomb, (bearer,), compression=grpc.Compression.Gzip)
        assert gzip is grpc.StatusCode.UNIMPLEMENTED
        assert bare(world, question(), (bearer,)) is grpc.StatusCode.OK


def test_no_deadline_is_not_forever(rare: World) -> None:
    """Row 99: a caller without a deadline gets the server's; here it is enough for an answer."""
    metadata = (("authorization", f"Bearer {rare.token('honest')}"),)
    assert rare.stub.Query(question(), metadata=metadata).rows


def test_many_at_once_are_served_or_turned_away(rare: World) -> None:
    """Row 99: 300 calls at a time on one connection; each ends, and none as a fault."""
    token = rare.token("crowd")
    metadata = (("authorization", f"Bearer {token}"),)
    futures = [
        rare.stub.Query.future(question(f"SELECT count(name{n}) FROM people"), 60, metadata)
        for n in range(300)
    ]
    codes = {future.code() for future in futures}
    # Over 100 streams of one connection HTTP/2 itself turns away (REFUSED_STREAM: UNAVAILABLE).
    turned_away = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert grpc.StatusCode.PERMISSION_DENIED in codes
    assert codes <= {grpc.StatusCode.PERMISSION_DENIED, *turned_away}
    assert rare.ask("SELECT count(*) FROM people", "honest").code == "OK"


def test_half_open_connections_hold_nobody_up(rare: World) -> None:
    """Row 99: 100 peers that connect and say nothing, or half a preface, or no TLS at all."""
    host, _, port = rare.address.rpartition(":")
    context = ssl.create_default_context(cafile=str(rare.running.ca))
    context.set_alpn_protocols(["h2"])
    open_ones: list[socket.socket] = []
    try:
        for turn in range(100):
            plain = socket.create_connection((host, int(port)), timeout=10)
            open_ones.append(plain)
            if turn % 10 == 0:
                plain.sendall(b"GET / HTTP/1.1\r\n")
            elif turn % 10 == 1:
                secured = context.wrap_socket(plain, server_hostname=host)
                secured.sendall(b"PRI * HTTP/2.0")
                open_ones.append(secured)
        with ThreadPoolExecutor(4) as pool:
            honest = [
                pool.submit(rare.ask, "SELECT count(*) FROM people", "honest") for _ in range(8)
            ]
            assert {each.result().code for each in honest} == {"OK"}
    finally:
        for each in open_ones:
            each.close()


def test_a_thousand_failed_logins_keep_nobody_from_being_answered(rare: World) -> None:
    """A thousand at once, over ten connections: each is refused with its reason, the log takes
    ten entries of them in a minute, and the honest caller is answered all the while.
    """
    before = rare.ask("SELECT count(*) FROM people", "honest").index
    token = rare.token("honest")
    forged = f"{token[:-8]}{'A' * 8}"
    with ExitStack() as kept:
        stubs = [
            gateway_pb2_grpc.GatewayStub(kept.enter_context(rare.channel())) for _ in range(10)
        ]
        futures = [
            stub.Directory.future(
                gateway_pb2.DirectoryRequest(),
                60,
                (("authorization", f"Bearer {forged if turn % 2 else forged[:-1] + 'B'}"),),
            )
            for turn in range(100)
            for stub in stubs
        ]
        honest = [rare.ask("SELECT count(*) FROM people", "honest") for _ in range(10)]
        codes = Counter(future.code() for future in futures)
    assert {each.code for each in honest} == {"OK"}
    turned_away = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert set(codes) <= {grpc.StatusCode.UNAUTHENTICATED, *turned_away}
    assert codes[grpc.StatusCode.UNAUTHENTICATED] > 100
    after = rare.ask("SELECT count(*) FROM people", "honest").index
    # The honest ones, and the window may have turned over meanwhile, with the count of the first.
    assert after - before <= len(honest) + 2 * EACH + 2
