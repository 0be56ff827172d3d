"""A watch in the caller's hand: a snapshot, and what it tells from now on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

from landbridge import watch
from landbridge.errors import LandbridgeError
from landbridge.watch import MENDING, PAUSE, STREAM, WatchEvent, WatchView

if TYPE_CHECKING:
    from landbridge.client import AsyncClient, Client

Clock = Callable[[], float]


class _Held:
    """What both kinds show: the watch as it was last seen."""

    def __init__(self, view: WatchView) -> None:
        self.view = view

    @property
    def id(self) -> str:
        """By which it is found again."""
        return self.view.id

    @property
    def state(self) -> str:
        """As in `WatchView`, when it was last seen."""
        return self.view.state

    def __repr__(self) -> str:
        return f"<landbridge watch {self.view.id}: {self.view.state}>"


class _Streams:
    """Stream after stream, without a socket: where to go on, and when to end."""

    def __init__(self, token: str, timeout: float | None, clock: Clock) -> None:
        self.token = token
        self._clock = clock
        self._end = None if timeout is None else clock() + timeout
        self._began = 0.0
        self._heard = False
        self.ended = False

    def begin(self) -> float:
        """Seconds that the next stream may last; 0: the time is up."""
        self._began, self._heard = self._clock(), False
        return STREAM if self._end is None else max(0.0, min(STREAM, self._end - self._began))

    def hear(self, event: WatchEvent) -> None:
        """An event came, and whoever follows has it."""
        self.token, self._heard = event.token, True
        self.ended = event.kind == "ended"

    def over(self, view: WatchView) -> bool:
        """Whether nothing more can come: it ended, and its last event was heard."""
        return not view.standing and view.token == (self.token or f"{view.id}:0")

    @property
    def silent(self) -> bool:
        """Whether the last stream ended with nothing new."""
        return not self._heard

    def mend(self, failure: LandbridgeError) -> None:
        """Raises what no later stream can mend."""
        if failure.reason not in MENDING:
            raise failure

    def pause(self) -> float:
        """Seconds before the next stream: some where this one ended at once with nothing."""
        soon = not self._heard and self._clock() - self._began < PAUSE
        left = PAUSE if self._end is None else max(0.0, self._end - self._clock())
        return min(PAUSE, left) if soon else 0.0


class Watch(_Held):
    """Made by `Client.watch` and `Client.watching`."""

    def __init__(self, client: Client, view: WatchView) -> None:
        super().__init__(view)
        self._client = client

    def refresh(self) -> WatchView:
        """How it stands now: evaluations, alerts, what it has spent."""
        self.view = self._client.run(watch.show(self.id))
        return self.view

    def stop(self) -> WatchView:
        """Ends it; what it did not spend goes back to the budget."""
        self.view = self._client.run(watch.stop(self.id))
        return self.view

    def follow(
        self, timeout: float | None = None, *, after: str = "", clock: Clock = time.monotonic
    ) -> Iterator[WatchEvent]:
        """What it tells, as it tells it, from behind the event with the token `after`.

        Every event comes at least once, and in order: keep the `token` of the last one that you
        have dealt with, and give it as `after` when you start again. Ends when the watch has, or
        after `timeout` seconds. A connection that is lost is made again.
        """
        streams = _Streams(after, timeout, clock)
        while not streams.ended and (seconds := streams.begin()):
            try:
                for event in self._client.stream(watch.follow(self.id, streams.token), seconds):
                    yield event
                    streams.hear(event)
                if streams.silent and streams.over(self.refresh()):
                    return
            except LandbridgeError as failure:
                streams.mend(failure)
            time.sleep(streams.pause())


class AsyncWatch(_Held):
    """`Watch` for asyncio: the same methods, awaited."""

    def __init__(self, client: AsyncClient, view: WatchView) -> None:
        super().__init__(view)
        self._client = client

    async def refresh(self) -> WatchView:
        """As `Watch.refresh`."""
        self.view = await self._client.run(watch.show(self.id))
        return self.view

    async def stop(self) -> WatchView:
        """As `Watch.stop`."""
        self.view = await self._client.run(watch.stop(self.id))
        return self.view

    async def follow(
        self, timeout: float | None = None, *, after: str = "", clock: Clock = time.monotonic
    ) -> AsyncIterator[WatchEvent]:
        """As `Watch.follow`."""
        streams = _Streams(after, timeout, clock)
        while not streams.ended and (seconds := streams.begin()):
            try:
                asked = watch.follow(self.id, streams.token)
                async for event in self._client.stream(asked, seconds):
                    yield event
                    streams.hear(event)
                if streams.silent and streams.over(await self.refresh()):
                    return
            except LandbridgeError as failure:
                streams.mend(failure)
            await asyncio.sleep(streams.pause())
