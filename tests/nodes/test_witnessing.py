"""The node as a witness: who may ask it, and what its settings may say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import grpc
import pytest

from landbridge.edge.settings import SettingsInvalid
from landbridge.edge.witness_wire import reply_from, reply_to
from landbridge.errors import LandbridgeError, error
from landbridge.evidence import Signer
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import Cosigner
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import AddCheckpoint
from landbridge.evidence.witness_memory import Reply, Witness
from landbridge.v1 import witness_pb2
from nodes import settings
from nodes.witnessing import WitnessedLogServicer, WitnessServicer

SIGNER = Signer.create("town/gateway")
NOBODY = cast(grpc.ServicerContext, None)
BODY = AddCheckpoint(0, (), Checkpoint(SIGNER.name, 1, bytes(32)).sign(SIGNER)).body


def _stranger(_: grpc.ServicerContext) -> None:
    raise error("PEER_UNKNOWN")


class Asked:
    """A log that remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Reply | None]] = []

    def next_request(self, witness: str, reply: Reply | None = None) -> bytes:
        self.heard.append((witness, reply))
        return b"old 0\n"


def opened(place: Path) -> Witness:
    """A witness of the gateway's log."""
    cosigner = Cosigner.create("town/library/witness")
    return Witness.open(place, cosigner, [Verifier.parse(SIGNER.vkey)], clock=time.time)


def test_only_the_gateway_is_heard(tmp_path: Path) -> None:
    """Another member must learn neither the sizes of a log nor tell it anything."""
    witness, log = opened(tmp_path), Asked()
    request = witness_pb2.AddCheckpointRequest(body=BODY)
    with pytest.raises(LandbridgeError, match="PEER_UNKNOWN"):
        WitnessServicer(_stranger, witness).AddCheckpoint(request, NOBODY)
    assert witness.latest(SIGNER.name) is None
    with pytest.raises(LandbridgeError, match="PEER_UNKNOWN"):
        WitnessedLogServicer(_stranger, log, "w").Converse(witness_pb2.ConverseRequest(), NOBODY)
    assert log.heard == []
    assert WitnessServicer(lambda _: None, witness).AddCheckpoint(request, NOBODY).status == 200


def test_a_conversation_carries_a_reply_only_where_there_is_one() -> None:
    """No reply is not the same as an empty one."""
    log = Asked()
    servicer = WitnessedLogServicer(lambda _: None, log, "w")
    reply = Reply(409, b"3\n", "note")
    assert reply_from(reply_to(reply)) == reply
    servicer.Converse(witness_pb2.ConverseRequest(), NOBODY)
    servicer.Converse(witness_pb2.ConverseRequest(reply=reply_to(reply)), NOBODY)
    assert log.heard == [("w", None), ("w", reply)]


def test_a_node_without_a_witness_says_so() -> None:
    """It is not asked for its log again and again in vain."""
    servicer = WitnessedLogServicer(lambda _: None, Asked(), "")
    with pytest.raises(LandbridgeError, match="NOT_AVAILABLE"):
        servicer.Converse(witness_pb2.ConverseRequest(), NOBODY)


def test_a_quorum_below_zero_is_no_setting(tmp_path: Path) -> None:
    """Named with its place, like every other."""
    (tmp_path / "node.toml").write_text("[log]\nquorum = -1\nwitness = 'x'\n")
    with pytest.raises(SettingsInvalid) as refused:
        settings.read(tmp_path / "node.toml")
    assert any("log.quorum" in problem for problem in refused.value.problems)
    assert any("unknown key log.witness" in problem for problem in refused.value.problems)
