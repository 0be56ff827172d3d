"""Handler watches: the department's own look at its own subjects, and who is told what it finds.

What is found names people. It goes to officers to whom the owner's policy gives the one role that
the handler names (action `attend`), over the socket of the node's own machine, and to nobody else:
nothing here is reachable from a port, nothing is described to the gateway, and the log holds keyed
digests as of every subject.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Condition, Event, Thread
from typing import Final

from landbridge.edge.interceptor import Report
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from nodes.announcement import BATCH
from nodes.computing import Computing
from nodes.concerns import Concern, Concerns, Said, Subject
from nodes.engines.engine import Engine
from nodes.guard import Guard
from nodes.tables import Tables
from policies.handler import Handler
from policies.handler_watch import HandlerWatch

MOST_SUBJECTS: Final = 10_000
SECONDS: Final = 10.0
"""For one subject; and between two looks at which handlers are due."""
LOOK: Final = 1.0
PASSING: Final = frozenset({"DEPARTMENT_MISSING", "LOG_UNAVAILABLE", "LOG_UNWITNESSED"})
"""No data yet, or the log is shut, which is said elsewhere; the next turn tries."""


class Attending:
    """The use cases, and the thread that evaluates."""

    def __init__(
        self,
        guard: Guard,
        tables: Tables[Engine],
        computing: Computing,
        concerns: Concerns,
        recorder: Recorder,
        report: Report,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._tables = tables
        self._computing = computing
        self._concerns = concerns
        self._recorder = recorder
        self._report = report
        self._monotonic = monotonic
        self._due: dict[str, float] = {}
        self._news = Condition()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="handler-watches", daemon=True)

    def start(self) -> None:
        """Evaluates from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when it evaluates no more."""
        self._stopping.set()
        with self._news:
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    # For officers.

    def list(self, token: str) -> tuple[Concern, ...]:
        """The open cases of this officer's roles; that they were shown is in the log before."""
        with self._recorder.request("watch") as draft:
            officer = self._guard.officer(token, draft)
            found = self._theirs(officer, self._concerns.open())
            draft.note(note=f"showed {len(found)} cases")
            draft.admitted()
            return found

    def follow(
        self, token: str, after: int, left: Callable[[], float]
    ) -> tuple[tuple[Concern, ...], int]:
        """Those after that number, and where to go on; waits while there are none.

        The token is looked at again every second: who waits is told nothing once it has ended.
        """
        while True:
            with self._recorder.check("watch"):
                officer = self._guard.officer(token, Draft("watch", self._recorder))
            every = self._concerns.open(after)
            found = self._theirs(officer, every)
            latest = every[-1].number if every else after
            if found or left() <= 0 or self._stopping.is_set():
                break
            with self._news:
                self._news.wait(min(LOOK, max(0.0, left())))
        if found:
            with self._recorder.request("watch") as draft:
                draft.caller(officer)
                draft.note(note=f"told of {len(found)} cases")
                draft.admitted()
        return found, latest

    def attend(self, token: str, number: int) -> None:
        """This officer has looked after it; a case of another role is none."""
        with self._recorder.request("watch") as draft:
            officer = self._guard.officer(token, draft)
            mine = [
                each
                for each in self._theirs(officer, self._concerns.open())
                if each.number == number
            ]
            if not mine:
                raise error("NOT_AVAILABLE", "There is no such case for you.")
            draft.note(watch=mine[0].handler, note=f"case {number} attended to")
            self._concerns.attend(number)
            draft.admitted()

    def _theirs(self, officer: Caller, concerns: tuple[Concern, ...]) -> tuple[Concern, ...]:
        """What policy lets this officer see now, by the role that the handler names now."""
        watches = self._watches()
        may: dict[str, bool] = {}
        for name, (handler, watch) in watches.items():
            may[name] = (
                watch.purpose in officer.purposes
                and handler.level <= officer.clearance
                and self._guard.attends(officer, name, watch.purpose, handler.level, watch.role)
            )
        return tuple(
            each
            for each in concerns
            if may.get(each.handler) and watches[each.handler][1].role == each.role
        )

    # The thread.

    def _watches(self) -> Mapping[str, tuple[Handler, HandlerWatch]]:
        return {
            f"{self._guard.department}.{handler.name}": (handler, handler.watch)
            for handler in self._guard.rules.handlers.values()
            if handler.watch is not None
        }

    def _run(self) -> None:
        while not self._stopping.wait(LOOK):
            for name, (handler, watch) in self._watches().items():
                if self._stopping.is_set():
                    return
                if self._monotonic() < self._due.get(name, 0.0):
                    continue
                self._due[name] = self._monotonic() + watch.every_seconds
                try:
                    self.evaluate(name, handler, watch)
                except LandbridgeError as failed:
                    if failed.reason not in PASSING:
                        self._report(failed)
                except Exception as defect:  # noqa: BLE001 - the other watches must go on
                    self._report(defect)

    def evaluate(self, name: str, handler: Handler, watch: HandlerWatch) -> None:
        """One look at every subject; each new case is in the log before anybody is told."""
        self._recorder.require()
        number, due = self._concerns.next(name, BATCH)
        if due:
            with self._recorder.request("watch", watch=name) as draft:
                draft.note(
                    purpose=watch.purpose,
                    resource=name,
                    note=f"evaluations {number} to {number + BATCH - 1}",
                )
                draft.admitted()
        said: dict[Subject, Said] = {}
        failed: dict[Subject, LandbridgeError] = {}
        subjects = self._subjects(handler)
        for subject in subjects:
            if self._stopping.is_set():
                return
            values: dict[str, int | str] = {handler.subject: subject}
            try:
                computed = self._computing.compute(handler, values, lambda: SECONDS)
            except LandbridgeError as failure:
                failed[subject] = failure  # one bad row hides nobody else's trouble
                continue
            if computed.reply.code in watch.tells:
                said[subject] = Said(computed.reply.code, computed.reply.reasons)
        self._concerns.found(name, watch.role, said, subjects, self._recorder.size, failed)
        for concern in self._concerns.unlogged():
            self._log(concern)
        with self._news:
            self._news.notify_all()
        if failed:  # the operator is told once, not for each subject
            raise next(iter(failed.values()))

    def _log(self, concern: Concern) -> None:
        with self._recorder.request("alert", watch=concern.handler) as draft:
            draft.note(
                resource=concern.handler,
                subject=draft.recorder.subject(str(concern.subject)),
                note=f"case {concern.number} for {concern.role}",
            )
            draft.admitted()
        self._concerns.logged(concern.number)

    def _subjects(self, handler: Handler) -> tuple[Subject, ...]:
        """Every unit of the handler's table; raises TOO_MANY_CELLS for more than it looks at."""
        contract = self._guard.rules.contracts[handler.contract]
        assert contract.unit is not None  # a handler is about somebody
        with self._tables.open() as (engine, loaded):
            if handler.contract not in loaded:
                raise error("DEPARTMENT_MISSING", missing=(self._guard.department,))
            rows = engine.run(
                f'SELECT DISTINCT "{contract.unit}" FROM "{contract.id}" ORDER BY 1 '  # noqa: S608
                f"LIMIT {MOST_SUBJECTS + 1}",
                (),
                timeout=SECONDS,
                maximum_rows=MOST_SUBJECTS + 1,
            )
        if len(rows) > MOST_SUBJECTS:
            raise error("TOO_MANY_CELLS", f"A handler watch looks at {MOST_SUBJECTS} subjects.")
        return tuple(
            value
            for (value,) in rows
            if isinstance(value, (int, str)) and not isinstance(value, bool)
        )
