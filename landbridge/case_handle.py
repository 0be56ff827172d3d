"""A case in the caller's hand: a snapshot, and what happens to it from now on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from landbridge import case as cases
from landbridge.case import CaseChange, CaseStep, CaseView
from landbridge.errors import error
from landbridge.exchange import Exchange

Result = TypeVar("Result")
Run = Callable[[Exchange[Any], float | None], Any]
AsyncRun = Callable[[Exchange[Any], float | None], Coroutine[Any, Any, Any]]


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
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = cases.WAIT if end is None else end - time.monotonic()
            if left <= 0:
                raise error("DEADLINE", "The case was not closed in time.")
            asked = time.monotonic()
            found = self._run(cases.follow(self.id, after, left), None)
            for change in found.changes:
                after = change.sequence
                yield change
            if found.state != "open":
                return
            if not found.changes and time.monotonic() - asked < 1.0:
                time.sleep(0.25)  # the gateway had no room for one more who waits

    def wait(self, timeout: float | None = None) -> Case:
        """Returns this case when it is closed; raises DEADLINE."""
        for _ in self.changes(after=self.view.sequence, timeout=timeout):
            pass
        return self.refresh()

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
        import asyncio

        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = cases.WAIT if end is None else end - time.monotonic()
            if left <= 0:
                raise error("DEADLINE", "The case was not closed in time.")
            asked = time.monotonic()
            found = await self._run(cases.follow(self.id, after, left), None)
            for change in found.changes:
                after = change.sequence
                yield change
            if found.state != "open":
                return
            if not found.changes and time.monotonic() - asked < 1.0:
                await asyncio.sleep(0.25)

    async def wait(self, timeout: float | None = None) -> AsyncCase:
        """As `Case.wait`."""
        async for _ in self.changes(after=self.view.sequence, timeout=timeout):
            pass
        return await self.refresh()

    async def cancel(self) -> AsyncCase:
        """As `Case.cancel`."""
        self.view = await self._run(cases.cancel(self.id), None)
        return self
