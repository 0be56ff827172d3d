"""The gateway's round of the departments' logs: one that is gone or forked is told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from gateway.connection import Connection
from gateway.sight import Watched
from gateway.witnessing import Rounds
from landbridge.evidence import Signer
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import Cosigner
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import AddCheckpoint
from landbridge.evidence.witness_memory import Reply, Witness
from landbridge.v1 import witness_pb2, witness_pb2_grpc

SIGNER = Signer.create("town/library")


def request(word: bytes, old: int) -> bytes:
    """A checkpoint of one entry, whatever history that is."""
    return AddCheckpoint(old, (), Checkpoint(SIGNER.name, 1, word * 32).sign(SIGNER)).body


class Node(witness_pb2_grpc.WitnessedLogServicer):
    """Asks for one cosignature each time that somebody comes."""

    def __init__(self) -> None:
        self.body = request(b"a", 0)
        self.visits = 0

    def Converse(  # noqa: N802 - gRPC's own spelling
        self, request: witness_pb2.ConverseRequest, _context: grpc.ServicerContext
    ) -> witness_pb2.ConverseResponse:
        if request.HasField("reply"):
            return witness_pb2.ConverseResponse()
        self.visits += 1
        return witness_pb2.ConverseResponse(body=self.body)


@pytest.fixture
def node() -> Iterator[tuple[Node, str]]:
    """A node and its address."""
    server, servicer = grpc.server(ThreadPoolExecutor(2)), Node()
    witness_pb2_grpc.add_WitnessedLogServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """The gateway's memory of the node's log."""
    key = Verifier.parse(SIGNER.vkey)
    found = Witness.open(tmp_path, Cosigner.create("town/gw/w"), [key], clock=time.time)
    yield found
    found.close()


def test_a_closed_connection_does_not_end_the_round(
    node: tuple[Node, str], witness: Witness
) -> None:
    """A member that was removed must not keep the others from being watched."""
    told: list[str] = []
    gone = grpc.insecure_channel("127.0.0.1:1")
    lost = Connection.over(gone)
    with grpc.insecure_channel(node[1]) as channel:
        rounds = Rounds(
            witness, lambda: {"gone": lost, "library": Connection.over(channel)}, told.append
        )
        gone.close()
        rounds.go()
    assert told == ["department gone: its log is not watched: the connection to it is closed"]
    assert node[0].visits == 1


def test_a_round_ends_between_departments_when_the_gateway_stops(
    node: tuple[Node, str], witness: Witness
) -> None:
    """Silent members must not add up before the stop."""
    stopping = threading.Event()
    stopping.set()
    with grpc.insecure_channel(node[1]) as channel:
        Rounds(witness, lambda: {"library": Connection.over(channel)}, print).go(stopping)
    assert node[0].visits == 0


def test_two_histories_under_one_key_are_told_as_such(
    node: tuple[Node, str], witness: Witness
) -> None:
    """The operator must not have to know what a proof is to see that a log was forked."""
    told: list[str] = []
    with grpc.insecure_channel(node[1]) as channel:
        rounds = Rounds(witness, lambda: {"library": Connection.over(channel)}, told.append)
        rounds.go()
        assert told == []
        node[0].body = request(b"b", 1)
        rounds.go()
        rounds.go()
    (said,) = told
    assert "department library: its log shows, signed by its own key, what is not proved" in said
    assert "two histories" in said


def test_a_department_whose_log_was_forked_is_not_asked_until_it_is_mended(
    node: tuple[Node, str], witness: Witness
) -> None:
    """What stands in such a log proves nothing."""
    sight = Watched("town", witness.latest)
    with grpc.insecure_channel(node[1]) as channel:
        rounds = Rounds(
            witness, lambda: {"library": Connection.over(channel)}, lambda _: None, sight
        )
        rounds.go()
        assert sight.trusted("library")
        assert sight.sizes(["library", "other"]) == {"library": 1, "other": 0}
        node[0].body = request(b"b", 1)
        rounds.go()
        assert not sight.trusted("library")
        assert sight.trusted("other")
        node[0].body = request(b"a", 1)
        rounds.go()
        assert sight.trusted("library")


def test_a_round_says_whether_it_got_through_to_everybody(
    node: tuple[Node, str], witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was not looked at since it began lets everybody wait: it must come again soon."""

    def full(_: bytes) -> Reply:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    nobody = grpc.insecure_channel("127.0.0.1:1")
    with grpc.insecure_channel(node[1]) as channel, nobody:
        here = {"library": Connection.over(channel)}
        assert Rounds(witness, lambda: here, print).go()
        away = {"away": Connection.over(nobody), **here}
        assert not Rounds(witness, lambda: away, print).go()
        with monkeypatch.context() as disk:
            disk.setattr(witness, "add_checkpoint", full)
            assert not Rounds(witness, lambda: here, print).go()
        assert Rounds(witness, lambda: here, print).go()
