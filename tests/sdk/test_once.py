"""A body that is written once: the same steps for threads and for asyncio, and nothing beside."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange, Outcome, Pause, Send, Step, Steps
from landbridge.once import Asks, Awaited, Blocking, Give, Stream, each, once
from landbridge.v1 import gateway_pb2

Reply = gateway_pb2.DirectoryResponse


class Recorder:
    """A driver without a socket: keeps the steps, and answers from a list."""

    timeout = 7.0

    def __init__(self, *says: Outcome) -> None:
        self.says = list(says)
        self.done: list[str] = []

    def clock(self) -> float:
        """It stands still."""
        return 0.0

    def next(self, step: Step) -> Outcome:
        """What the list says next."""
        if isinstance(step, Pause):
            self.done.append(f"pause {step.seconds}")
            return None
        assert isinstance(step, Send)
        self.done.append(f"{step.method} {step.seconds}")
        return self.says.pop(0)


class BlockingRecorder(Recorder):
    """For threads."""

    def do(self, step: Step) -> Outcome:
        """One step."""
        return self.next(step)

    def carry(self, steps: Steps[Any]) -> Any:
        """All steps."""
        outcome: Outcome = None
        while True:
            try:
                outcome = self.do(steps.send(outcome))
            except StopIteration as end:
                return end.value


class AwaitedRecorder(Recorder):
    """For asyncio."""

    async def do(self, step: Step) -> Outcome:
        """One step."""
        await asyncio.sleep(0)
        return self.next(step)

    async def carry(self, steps: Steps[Any]) -> Any:
        """All steps."""
        outcome: Outcome = None
        while True:
            try:
                outcome = await self.do(steps.send(outcome))
            except StopIteration as end:
                return end.value


def look(name: str) -> Exchange[str]:
    """An exchange that is read as its name."""
    return Exchange(name, gateway_pb2.DirectoryRequest(), lambda _: name)


class _Thing(Asks):
    def __init__(self, driver: Any) -> None:
        self._driver = self.recorder = driver
        self.left = False

    @once
    def both(self, first: str, *, second: str = "Second") -> Steps[str]:
        """Asks twice."""
        one = yield from self._ask(look(first))
        two = yield from self._ask(look(second), 3.0)
        return f"{one}+{two}"

    @once
    def mended(self) -> Steps[str]:
        """Goes on after a refusal."""
        try:
            return (yield from self._ask(look("First")))
        except LandbridgeError as failure:
            return failure.reason

    @each
    def numbers(self, most: int) -> Stream[int]:
        """Gives numbers, and asks in between."""
        try:
            for number in range(most):
                yield from self._ask(look("Look"))
                yield Give(number)
                yield Pause(0.5)
        finally:
            self.left = True


class Thing(_Thing, Blocking):
    """For threads."""


class AsyncThing(_Thing, Awaited):
    """For asyncio."""


def of_threads(says: list[Outcome], use: Callable[[Any], Any]) -> tuple[Any, list[str], _Thing]:
    """What a use of it gives, and the steps."""
    thing = Thing(BlockingRecorder(*says))
    found = use(thing)
    return list(found) if inspect.isgenerator(found) else found, thing.recorder.done, thing


def of_asyncio(says: list[Outcome], use: Callable[[Any], Any]) -> tuple[Any, list[str], _Thing]:
    """The same, awaited."""
    thing = AsyncThing(AwaitedRecorder(*says))

    async def run() -> Any:
        found = use(thing)
        if inspect.isasyncgen(found):
            return [item async for item in found]
        return await found

    return asyncio.run(run()), thing.recorder.done, thing


@pytest.fixture(params=[of_threads, of_asyncio], ids=["threads", "asyncio"])
def used(request: pytest.FixtureRequest) -> Callable[..., tuple[Any, list[str], _Thing]]:
    """Both kinds, one after the other."""
    found: Callable[..., tuple[Any, list[str], _Thing]] = request.param
    return found


def test_a_body_asks_in_its_order_and_with_its_own_seconds(used: Any) -> None:
    """The client's seconds where it names none."""
    found, done, _ = used([Reply(), Reply()], lambda thing: thing.both("First"))
    assert (found, done) == ("First+Second", ["First 7.0", "Second 3.0"])


def test_a_lost_reply_is_asked_for_once_more_within_a_body(used: Any) -> None:
    """The one retry is in the exchange's own steps, whoever drives them."""
    found, done, _ = used(
        [error("GATEWAY_UNREACHABLE"), Reply(), Reply()], lambda thing: thing.both("First")
    )
    assert (found, done) == ("First+Second", ["First 7.0", "pause 0.25", "First 7.0", "Second 3.0"])


def test_a_body_can_go_on_after_a_refusal(used: Any) -> None:
    """Errors arrive where the body asked."""
    found, _, _ = used([error("ACCESS_DENIED")], lambda thing: thing.mended())
    assert found == "ACCESS_DENIED"


def test_what_a_body_does_not_mend_reaches_the_caller(used: Any) -> None:
    """As the same exception."""
    with pytest.raises(LandbridgeError) as refusal:
        used([error("ACCESS_DENIED")], lambda thing: thing.both("First"))
    assert refusal.value.reason == "ACCESS_DENIED"


def test_things_are_given_one_after_another(used: Any) -> None:
    """And nothing is asked before it is wanted."""
    found, done, thing = used([Reply()] * 3, lambda thing: thing.numbers(3))
    assert found == [0, 1, 2]
    assert done == ["Look 7.0", "pause 0.5"] * 3
    assert thing.left


def test_whoever_stops_iterating_ends_the_body() -> None:
    """What it holds is given back; and nothing more is asked."""
    thing = Thing(BlockingRecorder(Reply(), Reply()))
    numbers: Any = thing.numbers(2)
    assert next(numbers) == 0
    numbers.close()
    assert (thing.left, thing.recorder.done) == (True, ["Look 7.0"])

    async def run() -> AsyncThing:
        awaited = AsyncThing(AwaitedRecorder(Reply(), Reply()))
        async_numbers: Any = awaited.numbers(2)
        assert await anext(async_numbers) == 0
        await async_numbers.aclose()
        return awaited

    awaited = asyncio.run(run())
    assert (awaited.left, awaited.recorder.done) == (True, ["Look 7.0"])


def test_help_shows_what_the_caller_gets() -> None:
    """Not the steps to it; and the class that was asked about."""
    assert str(inspect.signature(Thing.both)).endswith("second: 'str' = 'Second') -> 'str'")
    assert str(inspect.signature(AsyncThing.numbers)).endswith("-> 'AsyncIterator[int]'")
    assert AsyncThing.both.__qualname__ == "AsyncThing.both"
    assert Thing.both.__doc__ == "Asks twice."
    assert inspect.iscoroutinefunction(AsyncThing.both)
    assert not inspect.iscoroutinefunction(Thing.both)
