"""A case in the caller's hand: a snapshot, and what happens to it from now on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from landbridge import case as cases
from landbridge.case import CaseChange, CaseStep, CaseView, Followed
from landbridge.errors import error
from landbridge.exchange import Exchange, Pause, Steps
from landbridge.once import Asks, Awaited, Blocking, Driver, Give, Stream, each, once

Own = TypeVar("Own")


class _Looks:
    """Look after look for changes, each waiting at the gateway, without a socket."""

    def __init__(
        self,
        case_id: str,
        after: int,
        timeout: float | None,
        clock: Callable[[], float],
        *,
        until_closed: bool,
    ) -> None:
        self._id = case_id
        self._after = after
        self._clock = clock
        self._end = None if timeout is None else clock() + timeout
        self._until_closed = until_closed
        self._closed = False
        self._asked = 0.0

    def next(self) -> Exchange[Followed] | None:
        """The next look, None once the case is closed; raises DEADLINE."""
        if self._closed:
            return None
        self._asked = self._clock()
        left = cases.WAIT if self._end is None else self._end - self._asked
        if left <= 0:
            raise error("DEADLINE", "The case was not closed in time.")
        return cases.follow(self._id, self._after, left, until_closed=self._until_closed)

    def pause(self, found: Followed) -> Pause:
        """Until the next look: none, but where the gateway had no room to let us wait."""
        self._closed = not found.view.open
        self._after = max([self._after, *(change.sequence for change in found.changes)])
        soon = not found.changes and self._clock() - self._asked < 1.0
        return Pause(0.25 if soon and not self._closed else 0.0)


class _Held(Asks, Generic[Own]):
    """What both kinds of handles are: the case as it was last seen, and what can be done to it.

    `Own` is the kind of handle that it is, which a type checker does not see through `once`.
    """

    def __init__(self, driver: Driver, view: CaseView) -> None:
        self._driver = driver
        self.view = view

    @property
    def id(self) -> str:
        """The case's id, by which it is found again."""
        return self.view.id

    @property
    def state(self) -> str:
        """open, approved, refused or cancelled, when it was last seen."""
        return self.view.state

    @property
    def steps(self) -> tuple[CaseStep, ...]:
        """Its steps, when it was last seen."""
        return self.view.steps

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason that any step gave."""
        return self.view.reasons

    def __repr__(self) -> str:
        steps = ", ".join(f"{step.name} {step.state}" for step in self.steps)
        return f"<{self.view.procedure} case {self.id}: {self.state} ({steps})>"

    @once
    def refresh(self) -> Steps[Own]:
        """Looks again; this case."""
        self.view = yield from self._ask(cases.show(self.id))
        return cast(Own, self)

    @once
    def history(self) -> Steps[tuple[CaseChange, ...]]:
        """Everything that happened so far."""
        return self._ask(cases.history(self.id))

    @each
    def changes(self, *, after: int = 0, timeout: float | None = None) -> Stream[CaseChange]:
        """Every change after that one, as it happens, until the case is closed.

        Raises DEADLINE after `timeout` seconds, if one is given. Each change comes once; whoever
        lost the connection goes on with the `sequence` of the last one.
        """
        looks = _Looks(self.id, after, timeout, self._driver.clock, until_closed=False)
        while (asked := looks.next()) is not None:
            found = yield from self._ask(asked)
            self.view = found.view
            for change in found.changes:
                yield Give(change)
            yield looks.pause(found)

    @once
    def wait(self, timeout: float | None = None) -> Steps[Own]:
        """Returns this case when it is closed; raises DEADLINE."""
        after = self.view.sequence
        looks = _Looks(self.id, after, timeout, self._driver.clock, until_closed=True)
        while self.view.open and (asked := looks.next()) is not None:
            found = yield from self._ask(asked)
            self.view = found.view
            yield looks.pause(found)
        return cast(Own, self)

    @once
    def cancel(self) -> Steps[Own]:
        """Ends it without a decision."""
        self.view = yield from self._ask(cases.cancel(self.id))
        return cast(Own, self)


class Case(_Held["Case"], Blocking):
    """Made by `Client.open_case` and `Client.case`."""


class AsyncCase(_Held["AsyncCase"], Awaited):
    """As `Case`, awaited."""
