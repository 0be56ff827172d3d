"""Row 92: a token in the wrong hands, and a request that is sent again, also after a restart.

A gateway of its own before the running node: it takes bound tokens alone, over its second port.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from landbridge.federation.process import ServerProcess, spawn
from landbridge.identity.development import DevelopmentAuthority
from landbridge.transport import CHANNEL_OPTIONS
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from landbridge.wire import read_answer
from tests.attacks.test_floods import question
from tests.attacks.worlds import PURPOSE, World
from tests.ports import free_port

pytestmark = pytest.mark.journey

Pair = tuple[bytes, bytes]


@dataclass
class Door:
    """The gateway with two ports; `alice` and `bob` are keys and certificates of callers."""

    world: World
    settings: Path
    port: int
    process: ServerProcess
    alice: Pair
    bob: Pair
    revoked: Path

    def restart(self) -> None:
        """As after a crash: nothing that was only in its memory is left."""
        self.process.kill()
        self.process = spawn("gateway", "gateway", self.settings)
        self.process.await_ready()

    def bound(self, pair: Pair, token_id: str) -> str:
        """Alice's token, bound to that certificate (RFC 8705)."""
        der = x509.load_pem_x509_certificate(pair[1]).public_bytes(Encoding.DER)
        digest = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
        issuer, now = self.world.running._ground.issuer, int(time.time())
        claims = {
            "iss": issuer.issuer, "aud": issuer.audience, "sub": "alice", "client_id": "cli",
            "iat": now, "exp": now + 600, "jti": token_id, "org": "theft",
            "clearance": "internal", "purposes": [PURPOSE], "cnf": {"x5t#S256": digest},
        }  # fmt: skip
        return issuer._signed({"alg": "EdDSA", "kid": issuer.jwk["kid"], "typ": "at+jwt"}, claims)

    def ask(self, token: str, pair: Pair | None, request: Any) -> tuple[str, Any]:
        """The reason of the refusal and no reply, or the reply, over a connection of its own."""
        ca = self.world.running.ca.read_bytes()
        key, chain = pair or (None, None)
        address = f"127.0.0.1:{self.port if pair else self.process.port}"
        credentials = grpc.ssl_channel_credentials(ca, key, chain)
        with grpc.secure_channel(address, credentials, CHANNEL_OPTIONS) as channel:
            stub = gateway_pb2_grpc.GatewayStub(channel)
            seen = self.world.send(stub.Query, request, token)
        return seen.reason, seen.reply


@pytest.fixture
def door(rare: World, tmp_path: Path) -> Iterator[Door]:
    """It starts, and ends with its test."""
    callers = DevelopmentAuthority.create(tmp_path / "callers", "callers")
    (tmp_path / "callers.pem").write_bytes(callers.ca_pem)
    revoked = tmp_path / "revoked.json"
    revoked.write_text('{"revoked": []}')
    _, process = rare.second_gateway(tmp_path)
    process.kill()
    settings, port = tmp_path / "gateway.toml", free_port()
    text = settings.read_text()
    for place, lines in (
        ("[identity]", f'bound = true\nrevoked = "{revoked}"'),
        ("[tls]", f'callers = "{tmp_path / "callers.pem"}"'),
    ):
        assert text.count(f"{place}\n") == 1
        text = text.replace(f"{place}\n", f"{place}\n{lines}\n")
    settings.write_text(f'listen_mutual = "127.0.0.1:{port}"\n{text}')
    process = spawn("gateway", "gateway", settings)
    process.await_ready()
    world = World(rare.name, rare.running, f"127.0.0.1:{process.port}", process.log_key)
    made = Door(
        world, settings, port, process,
        callers.certificate("alice", []), callers.certificate("bob", []), revoked,
    )  # fmt: skip
    yield made
    made.process.kill()
    world.close()


def test_a_token_is_worth_nothing_in_other_hands_also_after_a_restart(door: Door) -> None:
    """Alice's token over Bob's connection, or over none; unbound ones; one that was taken back."""
    token, other = door.bound(door.alice, "first"), door.bound(door.alice, "second")
    unbound = door.world.token("theft")
    asked = question()
    reason, reply = door.ask(token, door.alice, asked)
    assert reason == ""
    entry = {
        "token": "second", "reason": "laptop lost", "until": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    door.revoked.write_text(json.dumps({"revoked": [entry]}))
    time.sleep(1.1)  # the list is looked at once a second
    for restarted in (False, True):
        if restarted:
            door.restart()
        assert door.ask(token, door.bob, question())[0] == "TOKEN_BOUND"
        assert door.ask(token, None, question())[0] == "TOKEN_BOUND"
        assert door.ask(unbound, door.bob, question())[0] == "TOKEN_UNBOUND"
        assert door.ask(unbound, None, question())[0] == "TOKEN_UNBOUND"
        assert door.ask(other, door.alice, question())[0] == "TOKEN_REVOKED"
        # The very request again: the same draw, and nobody pays twice.
        again = door.ask(token, door.alice, asked)[1]
        assert read_answer(again).rows() == read_answer(reply).rows()
        assert read_answer(again).cost.epsilon == 0
        # Its id for another question, by whoever saw it pass.
        changed = gateway_pb2.QueryRequest(
            sql="SELECT count(*) FROM people WHERE age > 40", purpose=PURPOSE,
            question_id=asked.question_id,
        )  # fmt: skip
        assert door.ask(token, door.alice, changed)[0] == "QUESTION_ID_REUSED"
