"""A consultation in its caller's hands: followed, replied to, accepted, and in the end asked."""

from __future__ import annotations

from typing import Any, Final, cast

from landbridge import exchange
from landbridge.answers import Answer, Reply
from landbridge.consultation.view import ConsultationEvent, View
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange, Pause, Steps
from landbridge.once import Asks, Awaited, Blocking, Driver, Give, Stream, each, once

WAIT: Final = 15.0
"""Seconds that one call waits for news; the next begins where it ended."""
REST: Final = 1.0
"""Seconds between calls when the last one brought nothing, or nobody could be reached."""
MENDING: Final = frozenset(
    {"GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEPARTMENT_MISSING", "DEADLINE", "TOO_BUSY",
     "QUEUE_UNAVAILABLE"}
)  # fmt: skip
"""Reasons after which following goes on."""


class _Held(Asks):
    """The consultation as it was read last, the text that opened it, and the caller's moves."""

    def __init__(self, driver: Driver, view: View, asked: str = "") -> None:
        self._driver = driver
        self.view = view
        self._asked = asked
        self._words = view.question
        self._seen = max((event.number for event in view.events), default=0)

    @property
    def id(self) -> str:
        """Its name, "department.id", by which it is found again."""
        return self.view.id

    @property
    def state(self) -> str:
        """Where it stood when it was read last; see `View`."""
        return self.view.state

    @property
    def question(self) -> str:
        """What is asked, in words; after an acceptance, what was offered."""
        return self.view.question

    @property
    def sql(self) -> str:
        """The text that asks it: the caller's own, or, once it was narrowed, the narrower one."""
        same = self._asked and self.view.question == self._words
        return self._asked if same else self.view.sql

    @property
    def grant(self) -> bytes | None:
        """What `client.query(..., grant=...)` takes, once it is approved."""
        return self.view.grant or None

    def __repr__(self) -> str:
        return f"<landbridge.Consultation {self.view.id}: {self.view.state}>"

    def _learn(self, view: View) -> tuple[ConsultationEvent, ...]:
        """Takes the newer view; gives what is new in it."""
        self.view = view
        news = tuple(event for event in view.events if event.number > self._seen)
        self._seen = max((event.number for event in news), default=self._seen)
        return news

    def _granted(self) -> Exchange[Answer] | Exchange[Reply]:
        view = self.view
        if not view.grant:
            raise error(
                "CONSULTATION_CHANGED",
                f"It is {view.state}; it can be asked once it is approved.",
                hint="follow() returns when that is decided.",
            )
        if view.handler:
            return exchange.call(
                view.handler, purpose=view.purpose, arguments=cast(Any, dict(view.arguments)),
                grant=view.grant,
            )  # fmt: skip
        epsilon = view.micro_epsilon / 1_000_000 if view.micro_epsilon else None
        return exchange.query(
            self.sql, purpose=view.purpose, epsilon=epsilon, partial=False, grant=view.grant
        )

    @once
    def refresh(self) -> Steps[View]:
        """How it stands now."""
        self._learn((yield from self._ask(exchange.follow(self.id, after=0, wait=0))))
        return self.view

    @each
    def follow(self, timeout: float | None = None) -> Stream[ConsultationEvent]:
        """What happens, as it happens; ends when it is closed, or after `timeout` seconds.

        A connection that is lost is made again, and nothing is left out or told twice.
        """
        clock = self._driver.clock
        end = None if timeout is None else clock() + timeout
        while True:
            began = clock()
            wait = WAIT if end is None else max(0.0, min(WAIT, end - began))
            try:
                asked = exchange.follow(self.id, after=self._seen, wait=wait)
                news = self._learn((yield from self._ask(asked, WAIT + 10)))
            except LandbridgeError as failure:
                if failure.reason not in MENDING:
                    raise
                news = ()
            for event in news:
                yield Give(event)
            if not news and self.view.closed:
                return
            if end is not None and clock() >= end:
                return
            if not news and clock() - began < REST:
                yield Pause(REST if end is None else min(REST, max(0.0, end - clock())))

    @once
    def reply(self, text: str) -> Steps[View]:
        """Replies to what an officer asked back."""
        return self._move(reply=text)

    @once
    def accept(self) -> Steps[View]:
        """Takes what an officer offered in the place of what was asked."""
        return self._move(accept=True)

    @once
    def withdraw(self) -> Steps[View]:
        """Ends it: it is not wanted any more, or not what is offered."""
        return self._move(withdraw=True)

    @once
    def answer(self) -> Steps[Answer | Reply]:
        """Asks what was approved, under its grant."""
        if not self.view.grant:
            self._learn((yield from self._ask(exchange.follow(self.id, after=0, wait=0))))
        return (yield from self._ask(cast(Exchange[Answer | Reply], self._granted())))

    def _move(
        self, *, reply: str = "", accept: bool = False, withdraw: bool = False
    ) -> Steps[View]:
        asked = exchange.respond(
            self.id, turn=self.view.turn, reply=reply, accept=accept, withdraw=withdraw
        )
        self.view = yield from self._ask(asked)
        return self.view


class Consultation(_Held, Blocking):
    """A consultation; made by `Client.consult` and `Client.consultation`."""


class AsyncConsultation(_Held, Awaited):
    """`Consultation` for asyncio: the same methods, awaited."""
