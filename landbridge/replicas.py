"""One gateway at several addresses: a call that cannot reach one leaves the next call to another.

No call is sent twice here. Whether to ask again is the caller's to know, since a lost reply may
have been charged; `landbridge.exchange` asks once more with the same question id, and this is where
that second attempt finds another replica.

A replica that was left is met on a new connection. The earlier one would wait before it connects
again, while the replica is long back and the other one goes; it ends when its last call has.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import grpc

from landbridge.status import LOST

Channel = TypeVar("Channel", grpc.Channel, grpc.aio.Channel)


class _Leg(Generic[Channel]):
    """A connection to one replica, and how many calls are under way on it."""

    __slots__ = ("calls", "channel", "left", "methods")

    def __init__(self, channel: Channel) -> None:
        self.channel: Channel = channel
        self.methods: dict[str, Any] = {}
        self.calls = 0
        self.left = False

    def method(self, path: str, how: dict[str, Any]) -> Any:
        """The method, made once."""
        if path not in self.methods:
            self.methods[path] = self.channel.unary_unary(path, **how)
        return self.methods[path]


class _Turn(Generic[Channel]):
    """Which replica is asked now: the same one, until it cannot be reached."""

    def __init__(self, openers: Sequence[Callable[[], Channel]]) -> None:
        self._openers: tuple[Callable[[], Channel], ...] = tuple(openers)
        self._lock = threading.Lock()
        self._at = 0
        self._legs: dict[int, _Leg[Channel]] = {}

    def take(self) -> _Leg[Channel]:
        """The connection for one call."""
        with self._lock:
            if self._at not in self._legs:
                self._legs[self._at] = _Leg(self._openers[self._at]())
            leg = self._legs[self._at]
            leg.calls += 1
            return leg

    def give_back(self, leg: _Leg[Channel], *, unreachable: bool) -> bool:
        """Ends one call; whether the connection is to be closed."""
        with self._lock:
            leg.calls -= 1
            # Of many calls that find it gone only the first goes on to the next replica.
            if unreachable and self._legs.get(self._at) is leg:
                del self._legs[self._at]
                leg.left = True
                self._at = (self._at + 1) % len(self._openers)
            return leg.left and not leg.calls

    def channels(self) -> list[Channel]:
        """All that are open now."""
        with self._lock:
            return [leg.channel for leg in self._legs.values()]


class Replicas:
    """A channel for threads, as far as stubs of unary methods and of streams of replies need."""

    def __init__(self, openers: Sequence[Callable[[], grpc.Channel]]) -> None:
        self._turn = _Turn(openers)

    def unary_unary(self, path: str, **how: Any) -> Callable[..., Any]:
        """The method, asked of whichever replica can be reached."""

        def ask(*request: Any, **terms: Any) -> Any:
            leg, unreachable = self._turn.take(), False
            try:
                return leg.method(path, how)(*request, **terms)
            except grpc.RpcError as failure:
                unreachable = _unreachable(failure)
                raise
            finally:
                if self._turn.give_back(leg, unreachable=unreachable):
                    leg.channel.close()

        return ask

    def stream_stream(self, path: str, **how: Any) -> Callable[..., Any]:
        """The same for a method that streams; the replica is left once the stream has ended."""

        def ask(*request: Any, **terms: Any) -> Any:
            leg = self._turn.take()
            call = leg.channel.stream_stream(path, **how)(*request, **terms)

            def ended() -> None:
                if self._turn.give_back(leg, unreachable=_unreachable(call)):
                    # Not here: this is a thread of the channel itself.
                    threading.Thread(target=leg.channel.close, daemon=True).start()

            if not call.add_callback(ended):
                ended()
            return call

        return ask

    def unary_stream(self, path: str, **how: Any) -> Callable[..., Any]:
        """The stream, from whichever replica can be reached; the connection is held until it ends.

        The next stream may come from another replica, which goes on behind the same token.
        """

        def follow(*request: Any, **terms: Any) -> Any:
            leg, unreachable = self._turn.take(), False
            try:
                yield from leg.channel.unary_stream(path, **how)(*request, **terms)
            except grpc.RpcError as failure:
                unreachable = _unreachable(failure)
                raise
            finally:
                if self._turn.give_back(leg, unreachable=unreachable):
                    leg.channel.close()

        return follow

    def close(self) -> None:
        """Ends all connections."""
        for channel in self._turn.channels():
            channel.close()


class AsyncReplicas:
    """The same for asyncio."""

    def __init__(self, openers: Sequence[Callable[[], grpc.aio.Channel]]) -> None:
        self._turn = _Turn(openers)
        self._leaving: set[asyncio.Future[None]] = set()

    def unary_unary(self, path: str, **how: Any) -> Callable[..., Any]:
        """The method, asked of whichever replica can be reached."""

        async def ask(*request: Any, **terms: Any) -> Any:
            leg, unreachable = self._turn.take(), False
            try:
                return await leg.method(path, how)(*request, **terms)
            except grpc.RpcError as failure:
                unreachable = _unreachable(failure)
                raise
            finally:
                if self._turn.give_back(leg, unreachable=unreachable):
                    await leg.channel.close()

        return ask

    def stream_stream(self, path: str, **how: Any) -> Callable[..., Any]:
        """The same for a method that streams; the replica is left once the stream has ended."""

        def ask(*request: Any, **terms: Any) -> Any:
            leg = self._turn.take()
            call = leg.channel.stream_stream(path, **how)(*request, **terms)

            def ended(_: Any) -> None:
                gone = asyncio.ensure_future(self._left(leg, call))
                self._leaving.add(gone)
                gone.add_done_callback(self._leaving.discard)

            call.add_done_callback(ended)
            return call

        return ask

    async def _left(self, leg: _Leg[grpc.aio.Channel], call: Any) -> None:
        unreachable = await call.code() is grpc.StatusCode.UNAVAILABLE
        if self._turn.give_back(leg, unreachable=unreachable):
            await leg.channel.close()

    def unary_stream(self, path: str, **how: Any) -> Callable[..., Any]:
        """As `Replicas.unary_stream`."""

        async def follow(*request: Any, **terms: Any) -> Any:
            leg, unreachable = self._turn.take(), False
            try:
                async for reply in leg.channel.unary_stream(path, **how)(*request, **terms):
                    yield reply
            except grpc.RpcError as failure:
                unreachable = _unreachable(failure)
                raise
            finally:
                if self._turn.give_back(leg, unreachable=unreachable):
                    await leg.channel.close()

        return follow

    async def close(self) -> None:
        """Ends all connections."""
        for channel in self._turn.channels():
            await channel.close()


def _unreachable(failure: Any) -> bool:
    return failure.code().name in LOST
