"""Evaluates standing watches in time: asks their departments, and tells what came of it.

Nothing here is remembered that the store has not: after a crash every watch is taken up where its
department is. The department keeps an alert until it hears that the alert is on this disk, so that
none is lost between the two, and none is stored twice.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final

from gateway.departments import Departments
from gateway.parts import part_of, rejected
from gateway.planning import Planning
from gateway.sight import Sight
from gateway.watches.planning import Planned, cell_keys, plan_standing
from gateway.watches.store import STANDING, Watch, WatchStore
from gateway.watches.telling import Telling
from gateway.watches.wire import token_of
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.membership.statement import AskingSigner
from landbridge.protocols.watch_ids import alert_question
from landbridge.v1 import node_pb2, watch_pb2

THREADS: Final = 4
SECONDS: Final = 20.0
"""How long a department may take for one evaluation."""
POLL: Final = 2.0
"""Seconds between two looks at whether a department has loaded new data."""
LONGEST_PAUSE: Final = 30.0
BATCH: Final = 60
"""Evaluations that one entry of the log announces, as at the departments."""
_ENDING: Final = frozenset({"PERMISSION_DENIED", "INVALID_ARGUMENT", "UNIMPLEMENTED"})


@dataclass(order=True, slots=True)
class _Job:
    at: float
    number: int
    watch: str = field(compare=False)


@dataclass(slots=True)
class _Progress:
    """What is known of a watch beyond the store: kept in memory, and stored once in a batch."""

    evaluations: int = 0
    spent: int = 0
    announced: int = 0
    trouble: str = ""


class Evaluator:
    """The threads. `clock` is the wall's, `monotonic` only runs forward."""

    def __init__(
        self,
        store: WatchStore,
        telling: Telling,
        planning: Planning,
        departments: Departments,
        signer: AskingSigner,
        recorder: Recorder,
        sight: Sight,
        log_name: str,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        report: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._telling = telling
        self._planning = planning
        self._departments = departments
        self._signer = signer
        self._recorder = recorder
        self._sight = sight
        self._log_name = log_name
        self._clock = clock
        self._monotonic = monotonic
        self._report = report
        self._numbers = count()
        self._arrived = threading.Condition()
        # All below is guarded by _arrived.
        self._jobs: list[_Job] = []
        self._progress: dict[str, _Progress] = {}
        self._busy: set[str] = set()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> int:
        """Takes up every standing watch; gives their number."""
        standing = self._store.standing()
        for watch in standing:
            self.take_up(watch)
        for number in range(THREADS):
            thread = threading.Thread(target=self._work, name=f"watch-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return len(standing)

    def stop(self) -> None:
        """Lets what is under way finish, stores how far it is, and starts nothing more."""
        with self._arrived:
            self._stopping = True
            self._arrived.notify_all()
        for thread in self._threads:
            thread.join()
        for identifier, progress in self._progress.items():
            try:
                self._store.progressed(identifier, progress.evaluations, progress.spent)
            except LandbridgeError:
                return  # its department knows, too

    def take_up(self, watch: Watch) -> None:
        """A watch that is to be evaluated from now on."""
        with self._arrived:
            if watch.id not in self._progress:
                self._progress[watch.id] = _Progress(watch.evaluations, watch.spent)
                self._put(watch.id, 0.0)

    def seen(self, watch: Watch) -> tuple[Watch, str]:
        """The watch with how far it is now, and why it is not evaluated just now."""
        with self._arrived:
            progress = self._progress.get(watch.id)
            if progress is None or watch.state != STANDING:
                return watch, ""
            now = replace(
                watch,
                evaluations=max(watch.evaluations, progress.evaluations),
                spent=max(watch.spent, progress.spent),
            )
            return now, progress.trouble

    def stop_watch(self, watch: Watch, reason: str = "stopped") -> None:
        """Ends it at its department, and tells; raises where the department cannot be reached."""
        request = watch_pb2.EndRequest(asking=self._asking(watch))
        reply = self._departments.ask_one(
            watch.department,
            lambda connection: connection.watching.End,
            self._signer.signing(request),
            SECONDS,
            (),
        )
        self._ended(watch.id, reason, reply.spent_micro_rho)

    # The threads.

    def _put(self, identifier: str, delay: float) -> None:
        """With _arrived held."""
        at = self._monotonic() + max(0.0, delay)
        heapq.heappush(self._jobs, _Job(at, next(self._numbers), identifier))
        self._arrived.notify()

    def _work(self) -> None:
        while (identifier := self._next()) is not None:
            delay: float | None = LONGEST_PAUSE
            try:
                delay = self._do(identifier)
            except LandbridgeError as failed:
                # Its department, the store or the log; nothing was told, and it is tried again.
                self._note(identifier, failed.reason)
            except Exception as defect:  # noqa: BLE001 - the other watches must go on
                self._report(defect)
                self._note(identifier, "FAULT")
            with self._arrived:
                if delay is None:
                    self._progress.pop(identifier, None)
                else:
                    self._put(identifier, delay)

    def _next(self) -> str | None:
        with self._arrived:
            while not self._stopping:
                now = self._monotonic()
                if self._jobs and self._jobs[0].at <= now:
                    return heapq.heappop(self._jobs).watch
                self._arrived.wait(self._jobs[0].at - now if self._jobs else None)
            return None

    def _do(self, identifier: str) -> float | None:
        """One evaluation; gives the seconds until the next, None where there is none."""
        self._telling.finish(identifier)
        watch = self._store.mine(identifier)
        if watch is None or watch.state != STANDING:
            return None  # over, or another gateway carries it on
        asked = watch_pb2.CreateWatchRequest.FromString(watch.asked)
        pause = min(LONGEST_PAUSE, float(asked.every_seconds or POLL))
        known = self._departments.catalogue()
        if watch.department not in known.offers or not self._sight.trusted(watch.department):
            self._note(identifier, "DEPARTMENT_MISSING")
            return pause
        self._recorder.require()
        draft = Draft("watch", self._recorder.dated(), {"watch": watch.id})
        try:
            planned = plan_standing(self._planning, asked, watch.caller, known, draft)  # (3)
            self._announce(watch, asked, draft)
            reply = self._evaluated(watch)  # (5)
        except LandbridgeError as said:
            if said.status in _ENDING:
                self._refused(watch, said)
                return None
            self._note(identifier, said.reason)
            return pause
        for alert in reply.alerts:
            if alert.number > watch.alerts:
                watch = self._alerted(watch, planned, alert)
        with self._arrived:
            progress = self._progress.setdefault(identifier, _Progress())
            progress.evaluations, progress.spent = reply.evaluations, reply.spent_micro_rho
            progress.trouble = ""
        if reply.ended:
            self._ended(identifier, _said(reply.ended), reply.spent_micro_rho)
            return None
        if reply.alerts:
            self._store.progressed(identifier, reply.evaluations, reply.spent_micro_rho)
        return float(asked.every_seconds or POLL)

    def _asking(self, watch: Watch) -> node_pb2.Asking:
        asked = watch_pb2.CreateWatchRequest.FromString(watch.asked)
        return node_pb2.Asking(
            purpose=asked.purpose, question_id=watch.id, gateway_log=self._log_name
        )

    def _evaluated(self, watch: Watch) -> watch_pb2.EvaluateResponse:
        request = watch_pb2.EvaluateRequest(asking=self._asking(watch), acknowledged=watch.alerts)
        return self._departments.ask_one(
            watch.department,
            lambda connection: connection.watching.Evaluate,
            self._signer.signing(request),
            SECONDS,
            (),
        )

    def _announce(self, watch: Watch, asked: watch_pb2.CreateWatchRequest, draft: Draft) -> None:
        """The entry of the evaluations to come, on disk before the first of them."""
        with self._arrived:
            progress = self._progress.setdefault(
                watch.id, _Progress(watch.evaluations, watch.spent)
            )
            first = progress.evaluations + 1
            if first <= progress.announced:
                return
        last = first + BATCH - 1
        self._store.progressed(watch.id, progress.evaluations, progress.spent)
        draft.caller(watch.caller)
        draft.note(
            purpose=asked.purpose,
            question_id=watch.id,
            members=[watch.department],
            note=f"evaluations {first} to {last}",
        )
        draft.admitted()
        with self._arrived:
            progress.announced = last

    def _alerted(self, watch: Watch, planned: Planned, alert: watch_pb2.NodeAlert) -> Watch:
        """The alert, told; its department must prove that it logged it."""
        part: dict[str, Any] = part_of(
            watch.department,
            alert.receipt,
            alert_question(watch.id, alert.number),
            self._departments.catalogue(),
            0,  # an alert that is fetched again has the entry of the first time
        )
        if alert.number != watch.alerts + 1:
            raise rejected(watch.department, "an alert without those before it")
        number = watch.sequence + 1
        try:
            cells = [
                watch_pb2.AlertCell(
                    keys=cell_keys(planned.axes, cell.place),
                    number=cell.number if cell.HasField("number") else None,
                )
                for cell in alert.cells
            ]
        except ValueError:
            raise rejected(watch.department, "an alert of a cell that there is not") from None
        event = watch_pb2.WatchEvent(
            token=token_of(watch.id, number),
            watch=watch.id,
            number=number,
            at_ms=alert.at_ms,
            kind="alert" if planned.condition is not None else "trend",
            alert=alert.number,
            evaluation=alert.evaluation,
            cells=cells,
        )
        self._telling.tell(watch, event, (part,), alert=alert.number)
        return replace(watch, alerts=alert.number, sequence=number)

    def _refused(self, watch: Watch, said: LandbridgeError) -> None:
        """The gateway's policy, or the department's, does not let it stand any more."""
        try:
            self.stop_watch(watch, said.reason)
        except LandbridgeError:
            # The department does not know it any more, or is away and ends it when its time is up.
            self._ended(watch.id, said.reason, watch.spent)

    def _ended(self, identifier: str, reason: str, spent: int) -> None:
        watch = self._store.find(identifier)
        if watch is None or watch.state != STANDING:
            return
        with self._arrived:
            progress = self._progress.get(identifier)
            evaluations = progress.evaluations if progress else watch.evaluations
        self._store.progressed(identifier, evaluations, max(spent, watch.spent))
        number = watch.sequence + 1
        event = watch_pb2.WatchEvent(
            token=token_of(watch.id, number),
            watch=watch.id,
            number=number,
            at_ms=int(self._clock() * 1000),
            kind="ended",
            reason=reason,
        )
        self._telling.tell(watch, event)

    def _note(self, identifier: str, trouble: str) -> None:
        with self._arrived:
            if identifier in self._progress:
                self._progress[identifier].trouble = trouble


def _said(reason: str) -> str:
    """What a department says of an end, short and printable."""
    if len(reason) > 60 or not reason.isascii() or not reason.isprintable():
        raise error("ANSWER_REJECTED", "A department ended a watch for no reason that is one.")
    return reason
