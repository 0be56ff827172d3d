"""Several addresses of one gateway: which one is asked, and when another is."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from landbridge.errors import LandbridgeError
from landbridge.replicas import AsyncReplicas, Replicas
from landbridge.transport import Endpoint


class Failure(grpc.RpcError):
    """How a call ended."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


class Town:
    """Replicas that a test stops and starts, and every connection that was made to them."""

    def __init__(self, *names: str) -> None:
        self.down: set[str] = set()
        self.code = grpc.StatusCode.UNAVAILABLE
        self.opened: list[Connection] = []
        self.openers: list[Any] = [lambda name=name: Connection(self, name) for name in names]


class Connection:
    """As gRPC's: once it failed it goes on failing for a while, whatever its server does."""

    def __init__(self, town: Town, name: str) -> None:
        self.town, self.name, self.stuck, self.closed = town, name, False, False
        town.opened.append(self)

    def unary_unary(self, path: str, **how: Any) -> Any:
        assert (path, how) == ("/Query", {})

        def ask(request: str) -> str:
            self.stuck |= self.name in self.town.down
            if self.stuck or self.closed:
                raise Failure(self.town.code)
            return f"{self.name}: {request}"

        return ask

    def close(self) -> None:
        self.closed = True


def test_calls_stay_with_one_until_it_is_gone() -> None:
    """One connection is warm, and a log is easier to read."""
    town = Town("one", "two")
    ask = Replicas(town.openers).unary_unary("/Query")
    assert [ask("a"), ask("b")] == ["one: a", "one: b"]
    town.down = {"one"}
    with pytest.raises(Failure):  # the call is not sent twice here
        ask("c")
    assert ask("c") == "two: c"
    assert [each.name for each in town.opened] == ["one", "two"]


def test_a_replica_that_came_back_is_met_on_a_new_connection() -> None:
    """The old one would wait before it tries; by then the other replica may be gone."""
    town = Town("one", "two")
    ask = Replicas(town.openers).unary_unary("/Query")
    for gone in ("one", "two"):
        town.down = {gone}
        try:
            ask("a")
        except Failure:
            ask("a")
    town.down = {"two"}
    assert ask("b") == "one: b"
    assert [each.name for each in town.opened] == ["one", "two", "one"]
    assert [each.closed for each in town.opened] == [True, True, False]


def test_a_refusal_is_no_reason_to_leave() -> None:
    """It was the replica's answer."""
    town = Town("one", "two")
    ask = Replicas(town.openers).unary_unary("/Query")
    town.down, town.code = {"one"}, grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(Failure):
        ask("a")
    assert [each.name for each in town.opened] == ["one"]


def test_a_replica_that_stops_is_left() -> None:
    """What a stopping server had not begun gRPC ends as CANCELLED, not as UNAVAILABLE."""
    town = Town("one", "two")
    ask = Replicas(town.openers).unary_unary("/Query")
    town.down, town.code = {"one"}, grpc.StatusCode.CANCELLED
    with pytest.raises(Failure):
        ask("a")
    assert ask("a") == "two: a"


def test_many_calls_that_fail_together_leave_once() -> None:
    """Otherwise an even number of them would come back to the one that is gone."""
    town = Town("one", "two")
    replicas = Replicas(town.openers)
    turn = replicas._turn
    legs = [turn.take() for _ in range(4)]
    assert [turn.give_back(leg, unreachable=True) for leg in legs] == [False, False, False, True]
    assert replicas.unary_unary("/Query")("a") == "two: a"


def test_asyncio_does_the_same() -> None:
    """One rule, two drivers."""
    town = Town("one", "two")

    class Awaited(Connection):
        def unary_unary(self, path: str, **how: Any) -> Any:
            plain = super().unary_unary(path, **how)

            async def ask(request: str) -> str:
                return str(plain(request))

            return ask

        async def close(self) -> None:  # type: ignore[override]
            self.closed = True

    async def story() -> str:
        openers: list[Any] = [lambda name=name: Awaited(town, name) for name in ("one", "two")]
        replicas = AsyncReplicas(openers)
        ask = replicas.unary_unary("/Query")
        town.down = {"one"}
        with pytest.raises(Failure):
            await ask("a")
        answer = str(await ask("a"))
        await replicas.close()
        return answer

    assert asyncio.run(story()) == "two: a"
    assert all(each.closed for each in town.opened)


def test_each_address_is_checked() -> None:
    """A comma too many is a mistake that would be found when the first replica is gone."""
    assert Endpoint.at("one:1, https://two:2/").target == "one:1,two:2"
    for address in ("one:1,", ",one:1", "one:1,,two:2", "one:1;two:2"):
        with pytest.raises(LandbridgeError):
            Endpoint.at(address)
