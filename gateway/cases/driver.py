"""Carries open cases on: asks steps, hears of silence, and records what came of it.

Nothing here is remembered that the store has not: after a crash every asked step is asked again,
and its department replies what it replied before. Tokens are an exception, and are kept in memory
only: a step that no department has admitted by the time a gateway dies waits for its applicant.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Final, Literal

from gateway.cases.case import Case, Change, Sealed
from gateway.cases.procedures import Procedures
from gateway.cases.recording import Recording
from gateway.cases.store import Overtaken, Store
from gateway.cases.taking import Taken, Taking
from gateway.cases.unfolding import unfolded
from landbridge.edge.turns import Turns
from landbridge.errors import LandbridgeError, error
from policies.procedure import Procedure, Step
from policies.progress import CaseState, StepState, silent

THREADS: Final = 8
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds until a silent department is asked again: doubled from the one to the other."""
EXHAUSTED_SECONDS: Final = 60.0
OVERTAKEN_SECONDS: Final = 5.0
"""How long a change is decided again and again where another gateway has begun one."""

OPENED: Final = "opened"
"""The first change of every case."""

Kind = Literal["ask", "admit", "deadline", "finish"]


@dataclass(order=True, slots=True)
class _Job:
    at: float
    number: int
    kind: Kind = field(compare=False)
    case: str = field(compare=False)
    step: str = field(compare=False)
    pause: float = field(compare=False, default=0.0)
    """For how long it was put off when it last failed."""


@dataclass(slots=True)
class _Gate:
    """A department that did not answer: not asked before `until`."""

    until: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class _Decided:
    """What is recorded of a case, with all that follows from it; of what is late nothing does."""

    first: list[Change]
    envelopes: tuple[tuple[str, str, Sealed], ...] = ()
    late: bool = False


class Driver:
    """The threads that carry cases on. `clock` is the wall's, `monotonic` only runs forward.

    `adopt` makes a case this gateway's where several share the store. `log` is the gateway's own,
    published.
    """

    def __init__(
        self,
        store: Store,
        recording: Recording,
        procedures: Procedures,
        taking: Taking,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        report: Callable[[BaseException], None],
        adopt: Callable[[str], bool] = lambda _: False,
        log: Path = Path(),
    ) -> None:
        self._store = store
        self._recording = recording
        self._procedures = procedures
        self._taking = taking
        self._clock = clock
        self._monotonic = monotonic
        self._report = report
        self._adopt = adopt
        self._log = log
        recording.left_behind = lambda case: self._put("finish", case, "", SHORTEST)
        self._turns = Turns()
        self._latest = 0.0
        self._seen = monotonic()
        self._numbers = count()
        self._arrived = threading.Condition()
        # All below is guarded by _arrived.
        self._jobs: list[_Job] = []
        self._queued: set[tuple[Kind, str, str]] = set()
        self._gates: dict[str, _Gate] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._admitted: set[tuple[str, str]] = set()
        self._under_way: set[tuple[str, str]] = set()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> int:
        """Takes up every open case; gives the number of steps that wait for a department."""
        steps = self.take_up()
        for number in range(THREADS):
            thread = threading.Thread(target=self._work, name=f"case-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return steps

    def take_up(self, cases: Sequence[str] | None = None) -> int:
        """Carries these open cases on, or all of this gateway's; gives the number of steps."""
        latest = self._store.latest()
        with self._arrived:
            if latest > self._latest:
                self._latest, self._seen = latest, self._monotonic()
        steps = 0
        for case, _, row in self._store.under_way(cases):
            self._put("ask", case, row.step, 0.0)
            if row.due_at is not None and not row.escalated_to:
                self._put("deadline", case, row.step, row.due_at - self.now())
            steps += 1
        return steps

    def stop(self) -> None:
        """Lets what is under way finish and starts nothing more."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
        for thread in self._threads:
            thread.join()

    def now(self) -> float:
        """Seconds since 1970, never less than before: deadlines do not move with the clock.

        While the wall's clock is behind what was shown already, time goes on by the other one.
        """
        with self._arrived:
            ran, self._seen = self._monotonic() - self._seen, self._monotonic()
            self._latest = max(self._latest + max(0.0, ran), self._clock())
            return self._latest

    def offer_token(self, case: Case, token: str, expires: float) -> None:
        """The applicant's token, with which departments admit steps that they have not yet."""
        if case.state is not CaseState.OPEN:
            return
        id_ = case.opened.id
        waiting = [row for row in case.steps if row.state in (StepState.WAITING, StepState.ASKED)]
        with self._arrived:
            lacking = [row for row in waiting if (id_, row.step) not in self._admitted]
            if lacking:
                self._tokens[id_] = (token, expires)
            # Who is being asked now is asked again only if it does not take what it was shown.
            lacking = [row for row in lacking if (id_, row.step) not in self._under_way]
        if lacking and case.owner != self._store.owner and self._adopt(id_):
            self.take_up([id_])  # whoever has its applicant's token can carry it on
        for row in lacking:
            kind: Kind = "ask" if row.state is StepState.ASKED else "admit"
            self._put(kind, id_, row.step, 0.0)

    def keep_token(self, case_id: str, token: str, expires: float) -> None:
        """The token of a case that is about to be opened, so that its first steps have it."""
        with self._arrived:
            self._tokens[case_id] = (token, expires)

    def change(self, case_id: str, decide: Callable[[Case, float], list[Change]]) -> Case:
        """Records what `decide` makes of the case, with all that follows; gives the case after.

        One change of a case at a time. `decide` may raise, and may give nothing.
        """
        return self._settle(case_id, lambda case, now: _Decided(decide(case, now)))

    def _settle(self, case_id: str, decide: Callable[[Case, float], _Decided]) -> Case:
        """Decides again where another gateway was quicker; raises CASES_UNAVAILABLE at last.

        What another one has begun and not shown yet is waited for: it is shown in a moment, or
        taken over with its gateway's cases.
        """
        with self._turns.turn(case_id.encode()):
            self._recording.finish(case_id, self._log)
            end = self._monotonic() + OVERTAKEN_SECONDS
            while True:
                case = self._store.find(case_id)
                assert case is not None  # a case is never removed
                now = self.now()
                decided = decide(case, now)
                if not decided.first:
                    return case
                procedure = self._procedures.of(case.opened.digest)
                changes = (
                    [replace(decided.first[0], sequence=case.sequence + 1)]
                    if decided.late
                    else unfolded(procedure, case, decided.first, now)
                )
                try:
                    moved = self._recording.record(case.opened, changes, decided.envelopes)
                except Overtaken:
                    if self._monotonic() >= end:
                        raise error("CASES_UNAVAILABLE") from None
                    time.sleep(0.05)
                    continue
                if moved:
                    self.take_up([case_id])
                return self._after(case_id, changes)

    def opened(self, case_id: str, changes: list[Change]) -> Case:
        """As `change`, for a case whose first changes are in the store and logged already."""
        return self._after(case_id, changes)

    def _after(self, case_id: str, changes: list[Change]) -> Case:
        for each in changes:
            if each.step and each.state == StepState.ASKED.value:
                self._put("ask", case_id, each.step, 0.0)
                if each.due_at is not None:
                    self._put("deadline", case_id, each.step, each.due_at - each.time)
            if not each.step and each.state not in (OPENED, CaseState.OPEN.value):
                with self._arrived:
                    self._tokens.pop(case_id, None)
                    self._admitted = {key for key in self._admitted if key[0] != case_id}
        case = self._store.find(case_id)
        assert case is not None
        return case

    # The threads.

    def _put(self, kind: Kind, case: str, step: str, delay: float, pause: float = 0.0) -> None:
        with self._arrived:
            if (kind, case, step) in self._queued:
                return
            self._queued.add((kind, case, step))
            at = self._monotonic() + max(0.0, delay)
            job = _Job(at, next(self._numbers), kind, case, step, pause)
            heapq.heappush(self._jobs, job)
            self._arrived.notify()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._do(job)
            except LandbridgeError as failed:
                # The store or the log; nothing was shown, and it is tried again, soon at first:
                # most are back in a moment.
                if failed.status != "UNAVAILABLE":
                    self._report(failed)
                pause = min(LONGEST, max(SHORTEST, 2 * job.pause))
                self._put(job.kind, job.case, job.step, pause, pause)
            except Exception as defect:  # noqa: BLE001 - the other cases must go on
                self._report(defect)
                self._put(job.kind, job.case, job.step, LONGEST)

    def _next(self) -> _Job | None:
        with self._arrived:
            while not self._stopping:
                now = self._monotonic()
                if self._jobs and self._jobs[0].at <= now:
                    job = heapq.heappop(self._jobs)
                    self._queued.discard((job.kind, job.case, job.step))
                    return job
                self._arrived.wait(self._jobs[0].at - now if self._jobs else None)
            return None

    def _do(self, job: _Job) -> None:
        if job.kind == "finish":
            self._finish(job.case)
            return
        case = self._store.find(job.case)
        if case is None or case.state is not CaseState.OPEN:
            return
        if case.owner != self._store.owner and job.kind != "admit":
            return  # another gateway carries it on, and has jobs of its own
        procedure = self._procedures.of(case.opened.digest)
        step = procedure.step(job.step)
        state = case.states()[job.step]
        match job.kind:
            case "deadline" if state is StepState.ASKED:
                self._overdue(job, procedure)
            case "ask" if state is StepState.ASKED and self._passes(step, job):
                self._ask(job, case, procedure, step)
            case "admit" if state in (StepState.WAITING, StepState.ASKED):
                if self._passes(step, job):
                    self._admit(job, case, procedure, step)
            case _:
                return

    def _finish(self, case_id: str) -> None:
        """What the log or the store failed at half-way, and what follows from it."""
        with self._turns.turn(case_id.encode()):
            self._recording.finish(case_id, self._log)
        self.take_up([case_id])

    def _overdue(self, job: _Job, procedure: Procedure) -> None:
        def decide(case: Case, now: float) -> list[Change]:
            row = next(each for each in case.steps if each.step == job.step)
            if case.state is not CaseState.OPEN or row.state is not StepState.ASKED:
                return []
            if row.due_at is not None and row.due_at > now + 0.001:
                self._put("deadline", job.case, job.step, row.due_at - now)
                return []
            deemed = silent(procedure, job.step)
            if deemed is not None:
                return [Change(0, now, job.step, deemed.value)]
            if row.escalated_to:
                return []
            return [Change(0, now, job.step, "escalated", role=procedure.step(job.step).role)]

        self.change(job.case, decide)

    def _ask(self, job: _Job, case: Case, procedure: Procedure, step: Step) -> None:
        place = (job.case, job.step)
        with self._arrived:
            if place in self._under_way:
                return  # whoever is at it asks again if nothing comes of it
            self._under_way.add(place)
        token = self._token(job.case)
        try:
            taken = self._taking.take(procedure, case, step, token)
        except LandbridgeError as said:
            with self._arrived:
                self._under_way.discard(place)
            self._not_taken(job, step, said, token)
            return
        finally:
            with self._arrived:
                self._under_way.discard(place)
        self._open_gate(step.department)
        with self._arrived:
            self._admitted.add((job.case, job.step))
        self._record(job, taken)

    def _record(self, job: _Job, taken: Taken) -> None:
        def decide(case: Case, now: float) -> _Decided:
            state = case.states()[job.step]
            if state in (StepState.PASSED, StepState.FAILED):
                return _Decided([])  # asked twice at once, and replied the same
            if state is not StepState.ASKED or case.state is not CaseState.OPEN:
                if self._noted_late(job):
                    return _Decided([])  # another gateway heard the same, or this one twice
                late = Change(0, now, job.step, "late", parts=taken.parts)
                return _Decided([late], late=True)
            said = "passed" if taken.passed else "failed"
            replied = Change(0, now, job.step, said, taken.code, taken.reasons, parts=taken.parts)
            return _Decided([replied], taken.envelopes)

        self._settle(job.case, decide)

    def _noted_late(self, job: _Job) -> bool:
        changes = self._store.changes(job.case)
        return any(each.step == job.step and each.state == "late" for each in changes)

    def _admit(self, job: _Job, case: Case, procedure: Procedure, step: Step) -> None:
        token = self._token(job.case)
        if not token:
            return
        try:
            self._taking.admit(procedure, case, step, token)
        except LandbridgeError as said:
            self._not_taken(job, step, said, token)
            return
        self._open_gate(step.department)
        with self._arrived:
            self._admitted.add((job.case, job.step))

    def _not_taken(self, job: _Job, step: Step, said: LandbridgeError, token: str) -> None:
        if said.status == "UNAUTHENTICATED" or said.reason == "STEP_NOT_ADMITTED":
            with self._arrived:
                kept, _ = self._tokens.get(job.case, ("", 0.0))
                if kept == token:  # it waits for its applicant, or for the deadline
                    self._tokens.pop(job.case, None)
                self._admitted.discard((job.case, job.step))
            if kept not in ("", token):
                self._put(job.kind, job.case, job.step, 0.0)  # another one came meanwhile
        elif said.status in ("RESOURCE_EXHAUSTED",):
            self._put(job.kind, job.case, job.step, EXHAUSTED_SECONDS)
        elif said.status in ("PERMISSION_DENIED", "INVALID_ARGUMENT"):
            self._denied(job, said)
        else:
            self._put(job.kind, job.case, job.step, self._shut_gate(step.department))

    def _denied(self, job: _Job, said: LandbridgeError) -> None:
        def decide(case: Case, now: float) -> list[Change]:
            if case.state is not CaseState.OPEN or case.states()[job.step] not in (
                StepState.ASKED, StepState.WAITING,
            ):  # fmt: skip
                return []
            return [Change(0, now, job.step, StepState.DENIED.value, said.reason)]

        self.change(job.case, decide)

    def _token(self, case: str) -> str:
        with self._arrived:
            token, expires = self._tokens.get(case, ("", 0.0))
            if token and expires <= self._clock():
                del self._tokens[case]
                return ""
            return token

    def _passes(self, step: Step, job: _Job) -> bool:
        """Whether the department may be asked now; otherwise the job comes again when it may."""
        with self._arrived:
            gate = self._gates.get(step.department)
            left = gate.until - self._monotonic() if gate else 0.0
        if left <= 0:
            return True
        self._put(job.kind, job.case, job.step, left)
        return False

    def _shut_gate(self, department: str) -> float:
        with self._arrived:
            gate = self._gates.setdefault(department, _Gate())
            gate.pause = min(LONGEST, max(SHORTEST, 2 * gate.pause))
            gate.until = self._monotonic() + gate.pause
            return gate.pause

    def _open_gate(self, department: str) -> None:
        with self._arrived:
            self._gates.pop(department, None)
