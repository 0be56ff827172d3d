"""A watch in the caller's hand: a snapshot, and what it tells from now on."""

from __future__ import annotations

from collections.abc import Callable

from landbridge import watch
from landbridge.errors import LandbridgeError
from landbridge.exchange import Exchange, Hear, Listen, Pause, Replies, Steps
from landbridge.once import Asks, Awaited, Blocking, Driver, Give, Stream, each, once
from landbridge.watch import MENDING, REST, STREAM, WatchEvent, WatchView


class _Streams:
    """Stream after stream, without a socket: where to go on, and when to end."""

    def __init__(self, token: str, timeout: float | None, clock: Callable[[], float]) -> None:
        self.token = token
        self._clock = clock
        self._end = None if timeout is None else clock() + timeout
        self._began = 0.0
        self.silent = True
        self.ended = False
        self._expired = False

    def begin(self) -> float:
        """Seconds that the next stream may last; 0: the time is up."""
        self._began, self.silent = self._clock(), True
        return STREAM if self._end is None else max(0.0, min(STREAM, self._end - self._began))

    def hear(self, event: WatchEvent) -> None:
        """An event came, and whoever follows has dealt with it."""
        self.token, self.silent, self._expired = event.token, False, False
        self.ended = event.kind == "ended"

    def over(self, view: WatchView) -> bool:
        """Whether nothing more can come: it ended, and its last event was heard."""
        return not view.standing and view.token == (self.token or f"{view.id}:0")

    def mend(self, failure: LandbridgeError) -> None:
        """Raises what no later stream can mend: with the token's end comes the next one, once."""
        again = failure.reason == "TOKEN_EXPIRED" and not self._expired
        self._expired = failure.reason == "TOKEN_EXPIRED"
        if failure.reason not in MENDING and not again:
            raise failure

    def pause(self) -> Pause:
        """Before the next stream: some seconds where this one ended at once with nothing."""
        soon = self.silent and self._clock() - self._began < REST
        left = REST if self._end is None else max(0.0, self._end - self._clock())
        return Pause(min(REST, left) if soon else 0.0)


class _Held(Asks):
    """The watch as it was last seen, and what can be done with it."""

    def __init__(self, driver: Driver, view: WatchView) -> None:
        self._driver = driver
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

    @once
    def refresh(self) -> Steps[WatchView]:
        """How it stands now: evaluations, alerts, what it has spent."""
        self.view = yield from self._ask(watch.show(self.id))
        return self.view

    @once
    def stop(self) -> Steps[WatchView]:
        """Ends it; what it did not spend goes back to the budget."""
        self.view = yield from self._ask(watch.stop(self.id))
        return self.view

    @each
    def follow(self, timeout: float | None = None, *, after: str = "") -> Stream[WatchEvent]:
        """What it tells, as it tells it, from behind the event with the token `after`.

        Every event comes at least once, and in order: keep the `token` of the last one that you
        have dealt with, and give it as `after` when you start again. Ends when the watch has, or
        after `timeout` seconds. A connection that is lost is made again.
        """
        streams = _Streams(after, timeout, self._driver.clock)
        while not streams.ended and (seconds := streams.begin()):
            try:
                yield from _heard(streams, watch.follow(self.id, streams.token), seconds)
                if streams.silent:
                    self.view = yield from self._ask(watch.show(self.id))
                    if streams.over(self.view):
                        return
            except LandbridgeError as failure:
                streams.mend(failure)
            yield streams.pause()


def _heard(streams: _Streams, asked: Exchange[WatchEvent], seconds: float) -> Stream[WatchEvent]:
    """The events of one stream; raises what ended it."""
    replies = yield Listen(asked.method, asked.request, seconds, asked.service)
    while isinstance(replies, Replies):
        reply = yield Hear(replies)
        if reply is None:
            return
        if isinstance(reply, LandbridgeError):
            raise reply
        event = asked.read(reply)
        yield Give(event)
        streams.hear(event)
    if isinstance(replies, LandbridgeError):
        raise replies


class Watch(_Held, Blocking):
    """A watch; made by `Client.watch` and `Client.watching`."""


class AsyncWatch(_Held, Awaited):
    """`Watch` for asyncio: the same methods, awaited."""
