"""A case in the caller's hand: a snapshot, and what happens to it from now on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from landbridge import case as cases
from landbridge.case import CaseChange, CaseStep, CaseView, Followed
from landbridge.errors import error
from landbridge.exchange import Exchange

Run = Callable[[Exchange[Any], float | None], Any]
AsyncRun = Callable[[Exchange[Any], float | None], Coroutine[Any, Any, Any]]


class _Looks:
    """Look after look for changes, each waiting at the gateway, without a socket."""

    def __init__(
        self, case_id: str, after: int, timeout: float | None, *, until_closed: bool
    ) -> None:
        self._id = case_id
        self._after = after
        self._end = None if timeout is None else time.monotonic() + timeout
        self._until_closed = until_closed
        self._closed = False
        self._asked = 0.0

    def next(self) -> Exchange[Followed] | None:
        """The next look, None once the case is closed; raises DEADLINE."""
        if self._closed:
            return None
        self._asked = time.monotonic()
        left = cases.WAIT if self._end is None else self._end - self._asked
        if left <= 0:
            raise error("DEADLINE", "The case was not closed in time.")
        return cases.follow(self._id, self._after, left, until_closed=self._until_closed)

    def pause(self, found: Followed) -> float:
        """Seconds until the next look: none, but where the gateway had no room to let us wait."""
        self._closed = not found.view.open
        self._after = max([self._after, *(change.sequence for change in found.changes)])
        soon = not found.changes and time.monotonic() - self._asked < 1.0
        return 0.25 if soon and not self._closed else 0.0


class _Seen:
    """What both kinds of handles show: the case as it was last seen."""

    def __init__(self, view: CaseView) -> None:
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


class Case(_Seen):
    """Made by `Client.open_case` and `Client.case`."""

    def __init__(self, view: CaseView, run: Run) -> None:
        super().__init__(view)
        self._run = run

    def refresh(self) -> Case:
        """Looks again; this case."""
        self.view = self._run(cases.show(self.id), None)
        return self

    def history(self) -> tuple[CaseChange, ...]:
        """Everything that happened so far."""
        changes: tuple[CaseChange, ...] = self._run(cases.history(self.id), None)
        return changes

    def changes(self, *, after: int = 0, timeout: float | None = None) -> Iterator[CaseChange]:
        """Every change after that one, as it happens, until the case is closed.

        Raises DEADLINE after `timeout` seconds, if one is given. Each change comes once; whoever
        lost the connection goes on with the `sequence` of the last one.
        """
        looks = _Looks(self.id, after, timeout, until_closed=False)
        while (asked := looks.next()) is not None:
            found = self._run(asked, None)
            self.view = found.view
            yield from found.changes
            time.sleep(looks.pause(found))

    def wait(self, timeout: float | None = None) -> Case:
        """Returns this case when it is closed; raises DEADLINE."""
        looks = _Looks(self.id, self.view.sequence, timeout, until_closed=True)
        while self.view.open and (asked := looks.next()) is not None:
            found = self._run(asked, None)
            self.view = found.view
            time.sleep(looks.pause(found))
        return self

    def cancel(self) -> Case:
        """Ends it without a decision."""
        self.view = self._run(cases.cancel(self.id), None)
        return self


class AsyncCase(_Seen):
    """As `Case`, awaited."""

    def __init__(self, view: CaseView, run: AsyncRun) -> None:
        super().__init__(view)
        self._run = run

    async def refresh(self) -> AsyncCase:
        """As `Case.refresh`."""
        self.view = await self._run(cases.show(self.id), None)
        return self

    async def history(self) -> tuple[CaseChange, ...]:
        """As `Case.history`."""
        changes: tuple[CaseChange, ...] = await self._run(cases.history(self.id), None)
        return changes

    async def changes(
        self, *, after: int = 0, timeout: float | None = None
    ) -> AsyncIterator[CaseChange]:
        """As `Case.changes`."""
        looks = _Looks(self.id, after, timeout, until_closed=False)
        while (asked := looks.next()) is not None:
            found = await self._run(asked, None)
            self.view = found.view
            for change in found.changes:
                yield change
            await asyncio.sleep(looks.pause(found))

    async def wait(self, timeout: float | None = None) -> AsyncCase:
        """As `Case.wait`."""
        looks = _Looks(self.id, self.view.sequence, timeout, until_closed=True)
        while self.view.open and (asked := looks.next()) is not None:
            found = await self._run(asked, None)
            self.view = found.view
            await asyncio.sleep(looks.pause(found))
        return self

    async def cancel(self) -> AsyncCase:
        """As `Case.cancel`."""
        self.view = await self._run(cases.cancel(self.id), None)
        return self
