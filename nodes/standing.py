"""A standing question at its owner: made once, evaluated again and again, ended.

Made: steps (6) and (7) with the caller's own token, and the budget of its whole life is reserved.
Evaluated: the token may have ended by then, so the node goes by what it remembers of it, and by
the policy, the contract and the revocations of now. Nobody else's word makes it evaluate more:
not before the interval is over, and never beyond what was reserved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256

from landbridge.edge.record import Draft, Recorder
from landbridge.edge.turns import Turns
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.protocols.watch_ids import alert_question
from landbridge.v1 import evidence_pb2, watch_pb2
from nodes.announcement import Announcement
from nodes.cells import Rows, data_version
from nodes.cells import Run as Computation
from nodes.compile import compile_question
from nodes.engines.engine import Engine
from nodes.guard import Asking, Guard, Permission, require_alone
from nodes.history import History
from nodes.ledger import Ledger, Remembered
from nodes.tables import Tables
from nodes.threshold import Run, compare
from nodes.trend import advance
from nodes.watch_memory import Evaluated, Kept, Made, Standing, WatchMemory
from policies.canonical import masking
from policies.differencing import Asked
from policies.differencing import asked as asked_of
from policies.noise import Draw
from policies.question import Question
from policies.trend import levels_told
from policies.watch import (
    LONGEST_INTERVAL,
    MOST_HOURS,
    USUAL_HOURS,
    Condition,
    WatchPlan,
    plan_watch,
)

MOST_STANDING = 200
"""Of one organisation at this department."""
SOON = 0.8
"""The share of the interval after which the next evaluation is not too early."""
_ENDING = frozenset({"PERMISSION_DENIED", "INVALID_ARGUMENT"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A standing question as the gateway passes it on; without a condition it is a trend."""

    question: Question
    condition: Condition | None
    micro_epsilon: int
    every_seconds: int
    alerts: int
    hours: int
    rest_seconds: int


class StandingQuestions:
    """The use cases of one department's watches. Everything that acts is passed in.

    `revoked` says whether a caller's token is on the list of now; `read` reads a kept request.
    """

    def __init__(
        self,
        guard: Guard,
        ledger: Ledger,
        tables: Tables[Engine],
        recorder: Recorder,
        draw: Draw,
        history: History,
        memory: WatchMemory,
        revoked: Callable[[Caller], bool],
        read: Callable[[bytes], Wanted],
    ) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._draw = draw
        self._history = history
        self._memory = memory
        self._revoked = revoked
        self._read = read
        self._turns = Turns()

    def recover(self) -> None:
        """At a start: gives back what watches that ended, or never came to stand, had not spent."""
        for standing in self._memory.unsettled():
            with self._turns.turn(standing.made.id.encode()):
                now = self._memory.find(standing.made.id)
                if now is not None and now.state == "reserving":
                    self._unmake(now)
                elif now is not None and now.state == "ended":
                    self._settle(now)

    def tidy(self) -> None:
        """Ends those whose time is up, whether anybody evaluates them any more or not.

        And gives back as at a start: what a memory that failed left half done waits for no restart.
        """
        self.recover()
        for standing in self._memory.overdue():
            with self._turns.turn(standing.made.id.encode()):
                self._end(standing, "expired", "")

    def stand(
        self, asking: Asking, wanted: Wanted, asked: bytes, trace_id: str
    ) -> watch_pb2.StandResponse:
        """Decides, reserves and remembers; in the log before it returns. The same again is free."""
        with self._turns.turn(asking.question_id.encode()):
            known = self._memory.find(asking.question_id)
            if known is not None and known.state == "reserving":
                self._unmake(known)  # whoever made it has ended, or it were not our turn
                known = None
            if known is not None:
                return self._again(asking, known, asked, trace_id)
            with self._recorder.request(
                "watch", trace_id=trace_id, watch=_identifier(asking.question_id)
            ) as draft:
                return self._stand(asking, wanted, asked, draft)

    def evaluate(
        self, identifier: str, acknowledged: int, *, time_left: Callable[[], float], trace_id: str
    ) -> watch_pb2.EvaluateResponse:
        """One evaluation, or why there is none; every alert is in the log before this returns."""
        with self._turns.turn(identifier.encode()):
            standing = self._memory.find(identifier)
            if standing is None or standing.state == "reserving":
                raise error("NOT_AVAILABLE", "There is no such watch at this department.")
            waiting = self._memory.alerts(identifier, acknowledged)
            if not waiting and standing.state == "standing":
                self._evaluate(standing, time_left, trace_id)
                waiting = self._memory.alerts(identifier, acknowledged)
            now = self._memory.find(identifier)
            assert now is not None  # a watch is never removed
            alerts = [self._logged(now, each, trace_id) for each in waiting]
            if now.state == "ended":
                self._settle(now)
            return watch_pb2.EvaluateResponse(
                evaluations=now.evaluations,
                spent_micro_rho=now.spent,
                alerts=alerts,
                ended="" if now.state == "standing" else now.reason,
            )

    def end(self, identifier: str, trace_id: str) -> int:
        """No more evaluations; gives what was spent, and the rest back. Again it does nothing."""
        with self._turns.turn(identifier.encode()):
            standing = self._memory.find(identifier)
            if standing is None or standing.state == "reserving":
                raise error("NOT_AVAILABLE", "There is no such watch at this department.")
            if standing.state == "standing":
                self._end(standing, "stopped", trace_id)
            return standing.spent

    def _unmake(self, standing: Standing) -> None:
        """One that never came to stand: it costs nothing, and its id is free again."""
        self._ledger.undo(standing.made.caller.organisation, standing.made.id)
        self._memory.forget(standing.made.id)

    # Making one.

    def _stand(
        self, asking: Asking, wanted: Wanted, asked: bytes, draft: Draft
    ) -> watch_pb2.StandResponse:
        department = self._guard.department
        permission = self._guard.question(
            asking, wanted.question, (department,), draft, action="watch"
        )  # (6)
        contract, caller = permission.contract, permission.caller
        require_alone(department, contract)
        plan = plan_watch(
            wanted.question, contract, wanted.condition, wanted.micro_epsilon, wanted.alerts
        )
        _require_paced(wanted)
        if self._memory.count(caller.organisation) >= MOST_STANDING:
            raise error(
                "WATCHES_EXHAUSTED",
                f"{MOST_STANDING} watches of your organisation stand at {department}.",
                hint="Stop one that is not needed any more.",
            )
        self._history.compare(contract, self._asked(wanted.question, permission))
        recipient, _ = self._ledger.accounts(contract, caller.organisation)
        until = _until(self._memory.now(), wanted.hours or USUAL_HOURS)
        if plan.runs and recipient.renews:
            # What is spent later would be spent of a budget that it was not charged to.
            until = min(until, f"{recipient.renews}T00:00:00.000000+00:00")
        made = Made(
            asking.question_id,
            caller,
            asking.purpose,
            asked,
            tuple(part.digest for part in contract.each),
            until,
            plan.cost_micro_rho,
            plan.runs,
        )
        self._memory.begin(made)
        try:
            if made.reserved:
                key = sha256(f"watch\0{made.id}".encode()).digest()
                reserved = self._ledger.reserve(  # (7)
                    made.id, key, contract, caller.organisation, made.reserved
                )
                assert not isinstance(reserved, Remembered)  # nothing is kept under that key
        except LandbridgeError:
            self._memory.forget(made.id)
            raise
        response = watch_pb2.StandResponse(
            until_ms=int(datetime.fromisoformat(until).timestamp() * 1000),
            method=contract.disclosure.method.value,
            reserved_micro_rho=made.reserved,
            accuracy=plan.accuracy,
            alerts_most=plan.most,
        )
        content = response.SerializeToString(deterministic=True)
        self._memory.stand(made.id, content, self._recorder.salts.next())
        _note_made(draft, made, wanted)
        return self._made_known(made.id, draft)

    def _made_known(self, identifier: str, draft: Draft) -> watch_pb2.StandResponse:
        standing = self._memory.find(identifier)
        assert standing is not None
        logged = draft.answered(standing.response, standing.salt)
        self._memory.made_known(identifier, logged.receipt)
        return _stood(standing, (logged.receipt.entry, logged.receipt.proof))

    def _again(
        self, asking: Asking, known: Standing, asked: bytes, trace_id: str
    ) -> watch_pb2.StandResponse:
        """The same request, after a lost reply; its caller shows a good token again."""
        with self._recorder.request("watch", trace_id=trace_id, watch=known.made.id) as draft:
            caller = self._guard.identify(asking, draft)
            if known.made.asked != asked or (
                known.made.caller.subject,
                known.made.caller.organisation,
                known.made.purpose,
            ) != (caller.subject, caller.organisation, asking.purpose):
                raise error("QUESTION_ID_REUSED", hint="Make another watch, under a new id.")
            if known.receipt is not None:
                draft.note(note="made before")
                draft.admitted()
                return _stood(known, known.receipt)
            # Reserved and remembered, and the log failed: this is its entry, with all it says.
            made, wanted = known.made, self._read(known.made.asked)
            draft.note(
                purpose=made.purpose,
                resource=wanted.question.contract,
                members=[self._guard.department],
            )
            _note_made(draft, made, wanted)
            return self._made_known(made.id, draft)

    # Evaluating one.

    def _evaluate(self, standing: Standing, time_left: Callable[[], float], trace_id: str) -> None:
        made = standing.made
        wanted = self._read(made.asked)
        now = self._memory.now()
        if now >= made.until:
            self._end(standing, "expired", trace_id)
            return
        if _too_early(standing, wanted, now):
            return
        if self._revoked(made.caller):
            raise error("TOKEN_REVOKED")
        try:
            with Announcement(self._recorder, self._memory, standing, trace_id) as draft:
                permission, plan = self._permitted(standing, wanted, draft)
        except LandbridgeError as refusal:
            if refusal.status not in _ENDING:
                raise
            self._end(standing, refusal.reason, trace_id)
            return
        with self._tables.open() as (engine, tables):
            contract = permission.contract
            version = data_version(self._guard.department, contract, tables)
            free = plan.condition is None and plan.tree is None
            if (free or not wanted.every_seconds) and version == standing.data_version:
                return  # nothing was loaded since; a trend without noise would be the same number
            if contract.disclosure.tabular:
                self._history.admit(contract, self._asked(wanted.question, permission))
            computation = Computation(engine, contract, plan.release, version, time_left)
            if computation.too_late:
                raise error("DEADLINE")
            cells = computation.rows(
                compile_question(plan.release, contract, (), engine.dialect)
            )  # (8)
            found = (self._trend if plan.condition is None else self._compared)(
                standing, wanted, plan, cells, now, version
            )  # (9)
        self._memory.evaluated(made.id, found, self._recorder.size)
        if found.ended:
            self._tell_end(replace(standing, run=found.run), found.ended, trace_id)

    def _compared(
        self, standing: Standing, wanted: Wanted, plan: WatchPlan, cells: Rows, now: str,
        version: str,
    ) -> Evaluated:  # fmt: skip
        """Whether the condition holds now, and in which cells."""
        resting = {place for place, until in standing.rests.items() if now < until}
        crossed, run = compare(plan, cells, standing.run, resting, self._draw)
        rests = {place: until for place, until in standing.rests.items() if place in resting}
        alert = b""
        if crossed.cells:
            end = _later(now, wanted.rest_seconds)
            rests |= dict.fromkeys((place for place, _ in crossed.cells), end)
            alert = _content(standing, now, crossed.cells)
        over = plan.sparse is not None and run.over(plan.runs)
        return Evaluated(
            now, version, run, rests, alert, self._recorder.salts.next(), "spent" if over else ""
        )

    def _trend(
        self, standing: Standing, wanted: Wanted, plan: WatchPlan, cells: Rows, now: str,
        version: str,
    ) -> Evaluated:  # fmt: skip
        """The number of now."""
        del wanted
        told, sums = advance(plan, cells, self._memory.sums(standing.made.id), self._draw)
        begun = 0 if plan.tree is None else levels_told(sums.evaluations)
        over = plan.tree is not None and sums.evaluations >= plan.tree.numbers
        return Evaluated(
            now, version, Run(begun), {}, _content(standing, now, told.cells),
            self._recorder.salts.next(), "spent" if over else "", sums,
        )  # fmt: skip

    def _permitted(
        self, standing: Standing, wanted: Wanted, draft: Draft
    ) -> tuple[Permission, WatchPlan]:
        made = standing.made
        asking = Asking("", made.purpose, made.id)
        department = self._guard.department
        permission = self._guard.question(
            asking, wanted.question, (department,), draft, action="watch", known=made.caller
        )  # (6)
        require_alone(department, permission.contract)
        if tuple(part.digest for part in permission.contract.each) != made.contracts:
            raise error(
                "INVALID_ARGUMENT",
                "The contract is another than the one that the watch was made by.",
                rule="watch.contract",
            )
        plan = plan_watch(
            wanted.question, permission.contract, wanted.condition, wanted.micro_epsilon,
            wanted.alerts,
        )  # fmt: skip
        return permission, plan

    def _logged(self, standing: Standing, kept: Kept, trace_id: str) -> watch_pb2.NodeAlert:
        """The alert with its own entry's receipt; it is written now unless it was."""
        alert = watch_pb2.NodeAlert.FromString(kept.content)
        alert.number = kept.number
        if kept.receipt is None:
            made = standing.made
            with self._recorder.request("alert", trace_id=trace_id, watch=made.id) as draft:
                draft.caller(made.caller)
                draft.note(
                    purpose=made.purpose,
                    question_id=alert_question(made.id, kept.number),
                    members=[self._guard.department],
                    note=f"alert {kept.number} of evaluation {alert.evaluation}",
                )
                logged = draft.answered(kept.content, kept.salt)
            self._memory.logged(made.id, kept.number, logged.receipt)
            entry, proof = logged.receipt.entry, logged.receipt.proof
        else:
            entry, proof = kept.receipt
        alert.receipt.CopyFrom(
            evidence_pb2.Receipt(entry=entry, proof=proof, answer_salt=kept.salt)
        )
        return alert

    # Ending one.

    def _end(self, standing: Standing, reason: str, trace_id: str) -> None:
        self._memory.end(standing.made.id, reason)
        self._settle(standing)
        self._tell_end(standing, reason, trace_id)

    def _settle(self, standing: Standing) -> None:
        made = standing.made
        if made.reserved:
            self._ledger.settle(made.caller.organisation, made.id, standing.spent)
        self._memory.settled(made.id)

    def _tell_end(self, standing: Standing, reason: str, trace_id: str) -> None:
        made = standing.made
        with self._recorder.request("watch", trace_id=trace_id, watch=made.id) as draft:
            draft.caller(made.caller)
            draft.note(
                purpose=made.purpose,
                question_id=made.id,
                note=f"ended: {reason}; spent {standing.spent} of {made.reserved} micro rho",
            )
            draft.admitted()

    def _asked(self, question: Question, permission: Permission) -> Asked:
        contract = permission.contract
        return asked_of(question, masking(contract, partial(self._recorder.digest, "literal")))


def _identifier(text: str) -> str:
    """The id, if it is one; what else a request holds has no place in the log."""
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else ""


def _stood(standing: Standing, receipt: tuple[bytes, str]) -> watch_pb2.StandResponse:
    """What the maker is told, and the proof."""
    response = watch_pb2.StandResponse.FromString(standing.response)
    entry, proof = receipt
    response.receipt.CopyFrom(
        evidence_pb2.Receipt(entry=entry, proof=proof, answer_salt=standing.salt)
    )
    return response


def _content(standing: Standing, now: str, cells: Sequence[tuple[int, float | None]]) -> bytes:
    at = int(datetime.fromisoformat(now).timestamp() * 1000)
    return watch_pb2.NodeAlert(
        evaluation=standing.evaluations + 1,
        at_ms=at,
        cells=[watch_pb2.NodeAlertCell(place=place, number=number) for place, number in cells],
    ).SerializeToString(deterministic=True)


def _require_paced(wanted: Wanted) -> None:
    if wanted.every_seconds > LONGEST_INTERVAL:
        raise error("INVALID_ARGUMENT", "A watch is evaluated at least every 31 days.")
    if wanted.hours > MOST_HOURS:
        raise error("INVALID_ARGUMENT", f"A watch lives for at most {MOST_HOURS} hours.")
    if wanted.rest_seconds > LONGEST_INTERVAL:
        raise error("INVALID_ARGUMENT", "A cell rests for at most 31 days.")


def _pace(wanted: Wanted) -> str:
    return f"every {wanted.every_seconds} s" if wanted.every_seconds else "on new data"


def _note_made(draft: Draft, made: Made, wanted: Wanted) -> None:
    draft.note(
        charged_micro_rho=made.reserved,
        note=f"made, {_pace(wanted)}, until {made.until[:16]}Z",
    )


def _too_early(standing: Standing, wanted: Wanted, now: str) -> bool:
    return bool(
        wanted.every_seconds
        and standing.evaluated_at
        and now < _later(standing.evaluated_at, wanted.every_seconds * SOON)
    )


def _later(moment: str, seconds: float) -> str:
    then = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    return then.isoformat(timespec="microseconds")


def _until(now: str, hours: int) -> str:
    return _later(now, hours * 3600.0)
