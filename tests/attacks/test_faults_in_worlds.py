"""Faults in three worlds that differ in one person: what fails, fails alike (F32, I8).

What a caller is told (status and every byte), what the log says, what was charged, and whether the
same question id is answered afterwards for that charge: all of it is a function of text, history
and fault. Noise is the operating system's, so answers differ in it alone.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from landbridge.v1 import gateway_pb2, problem_pb2
from landbridge.wire import read_answer
from tests.attacks.conftest import Worlds
from tests.attacks.test_engine import RARE, _holds_a_question, _until, stopped
from tests.attacks.worlds import PURPOSE, World, problem_of, temporary
from tests.faults.proxy import line

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

Told = tuple[str, bytes, bytes]
"""Status, the refusal's bytes, and the reply's without its numbers."""
Fault = Callable[[World, "Asker", Path], list[object]]


class Asker:
    """One organisation in one world: asks the question about the planted person, by id."""

    def __init__(self, world: World, organisation: str, address: str = "") -> None:
        self.world, self.organisation = world, organisation
        self._address = address

    def tell(self, question_id: str, seconds: float = 30, text: str = RARE) -> Told:
        """One asking: all that a caller sees but for the noise and the receipt."""
        request = gateway_pb2.QueryRequest(
            sql=text, purpose=PURPOSE, micro_epsilon=1_000_000, question_id=question_id
        )
        token = self.world.token(self.organisation)
        with self._channel() as channel:
            ask = channel.unary_unary(
                "/landbridge.v1.Gateway/Query",
                request_serializer=gateway_pb2.QueryRequest.SerializeToString,
                response_deserializer=gateway_pb2.QueryResponse.FromString,
            )
            try:
                reply = ask(request, metadata=(("authorization", f"Bearer {token}"),),
                            timeout=seconds)  # fmt: skip
            except grpc.RpcError as failure:
                call = cast(grpc.Call, failure)
                problem: problem_pb2.Problem = problem_of(call)
                problem.ClearField("receipt")
                return call.code().name, problem.SerializeToString(deterministic=True), b""
        return "OK", b"", _without_noise(reply)

    def spent(self) -> float:
        """What the organisation was charged in all, once the node answers again."""
        seen = self.world.ask("SELECT count(*) FROM people", self.organisation, epsilon=0.5)
        return round(seen.answer.cost.budgets[0].spent_epsilon, 6)

    def at(self, address: str) -> Asker:
        """The same by another way."""
        return Asker(self.world, self.organisation, address)

    def _channel(self) -> Any:
        if not self._address:
            return self.world.channel()
        credentials = grpc.ssl_channel_credentials(self.world.running.ca.read_bytes())
        name = (("grpc.ssl_target_name_override", "localhost"),)
        return grpc.secure_channel(self._address, credentials, name)


def _without_noise(reply: Any) -> bytes:
    kept = gateway_pb2.QueryResponse()
    kept.CopyFrom(reply)
    kept.ClearField("receipt")
    for row in kept.rows:
        for value in row.values:
            value.ClearField("value")
    assert read_answer(reply).departments == ("north",)
    return kept.SerializeToString(deterministic=True)


@contextmanager
def limited(process: int, what: int, least: int) -> Iterator[None]:
    """That process may have no more of it in this block."""
    before = resource.prlimit(process, what)
    resource.prlimit(process, what, (least, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, what, before)


def worker_killed(world: World, asker: Asker, _: Path) -> list[object]:
    """In the middle of the run, from outside: as the kernel does when memory is short."""
    with stopped(world) as pids, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asker.tell, "1" * 32, 60)
        _until(lambda: any(map(_holds_a_question, pids)))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        told = asked.result()
    return [told, asker.tell("1" * 32)]


def too_slow(world: World, asker: Asker, _: Path) -> list[object]:
    """No worker gets on before the caller's time is over."""
    with stopped(world):
        told = asker.tell("3" * 32, 4)
    return [told, asker.tell("3" * 32)]


def line_cut(world: World, asker: Asker, _: Path) -> list[object]:
    """Everything was done and charged, and the reply did not come."""
    with line(world.address) as wire:
        away = asker.at(wire.address)
        away.tell("4" * 32, text="SELECT count(*) FROM people")
        wire.valve.silence(2_000)
        cut = away.tell("5" * 32, 5)
    return [cut[0], asker.tell("5" * 32)]


def nothing_can_be_written(world: World, asker: Asker, _: Path) -> list[object]:
    """At the node: neither its ledger nor its log takes a byte; it is started again afterwards."""
    told = []
    with limited(world.running.process_id("north"), resource.RLIMIT_FSIZE, 1):
        told = [asker.tell("6" * 32), asker.tell("7" * 32)]
    world.restart_node()
    return [*told, asker.tell("6" * 32)]


def node_down(world: World, asker: Asker, _: Path) -> list[object]:
    """Killed, and not there; then there again."""
    world.running.kill("north")
    told = asker.tell("8" * 32)
    world.restart_node()
    return [told, asker.tell("8" * 32)]


def gateway_cannot_write(world: World, asker: Asker, folder: Path) -> list[object]:
    """A second gateway, whose log takes no byte: nothing leaves it."""
    folder.mkdir()
    with temporary(folder.parent):
        second, process = world.second_gateway(folder)
    try:
        other = asker.at(second.address)
        assert other.tell("9" * 32)[0] == "OK"
        with limited(process.process.pid, resource.RLIMIT_FSIZE, 1):
            told = [other.tell("a" * 32), other.tell("9" * 32)]
    finally:
        second.close()
        process.stop()
    return [*told, asker.tell("a" * 32)]


FAULTS: dict[str, tuple[Fault, str]] = {
    "a worker is killed": (worker_killed, "RUN_FAILED"),
    "the time is over": (too_slow, "DEADLINE"),
    "the line is silent": (line_cut, ""),
    "the gateway's log takes nothing": (gateway_cannot_write, "LOG_UNAVAILABLE"),
    "ledger and log of the node take nothing": (nothing_can_be_written, ""),
    "the node is down": (node_down, "DEPARTMENT_MISSING"),
}
"""What is done, and the reason that the caller is told."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_looks_the_same_whoever_is_in_the_data(
    worlds: Worlds, name: str, tmp_path: Path
) -> None:
    """F32: status, bytes, charge, and what the same id gets afterwards."""
    fault, reason = FAULTS[name]
    organisation = f"faulty{secrets.token_hex(4)}"
    seen = []
    with ThreadPoolExecutor(len(worlds)) as pool:

        def suffer(world: World) -> list[object]:
            asker = Asker(world, organisation)
            return [*fault(world, asker, tmp_path / world.name), asker.spent()]

        seen = list(pool.map(suffer, worlds))
    assert seen[0] == seen[1] == seen[2]
    first, *_, after, spent = seen[0]
    if reason:
        assert reason.encode() in cast(Told, first)[1]
    else:
        assert "OK" not in str(first)
    assert cast(Told, after)[0] == "OK"  # it is over without a hand, but for a node's restart
    assert isinstance(spent, float)
    assert spent < 8
