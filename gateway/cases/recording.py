"""A change of a case: stored, then logged, then shown, in this order and once.

Whoever dies in between finds the change again at the next start, and its entry if it was written.
An entry says that something was replied or decided and never what: the replies' own entries are
the departments', which it names.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.cases.case import Change, Opened, Sealed, Unlogged
from gateway.cases.store import Store
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.protocols.step_info import step_question

LOOK_SECONDS = 0.5
"""How often one who waits looks for changes that another gateway made."""
_ANSWERS = frozenset({"passed", "failed"})
_DECISIONS = frozenset({"approved", "refused"})


class Recording:
    """Records changes, and lets others wait for them."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self.left_behind: Callable[[str], None] = lambda _: None
        """Told of a case whose changes failed half-way, which `finish` has to be asked for."""
        self._store = store
        self._recorder = recorder
        self._changed = threading.Condition()
        self._recovering = threading.Lock()
        # By case: the changes that are logged and not shown, or none where the log may lack some.
        self._halfway: dict[str, Sequence[Change]] = {}
        # What another gateway changed tells nobody here.
        self._look = LOOK_SECONDS if store.shared else math.inf

    def record(
        self,
        opened: Opened,
        changes: Sequence[Change],
        envelopes: Sequence[tuple[str, str, Sealed]] = (),
    ) -> bool:
        """The changes are the case's state when this returns; raises and then they are not yet.

        Where the store or the log failed half-way, `finish` tries again, or the next start. True
        where another gateway carried the case on until now. Raises Overtaken as `Store.begin`.
        """
        self._recorder.require()  # what is begun can then be logged, unless the disk fails
        moved = self._store.begin(opened.id, changes, self._recorder.size, envelopes)
        self.log_and_show(opened, changes)
        return moved

    def log_and_show(self, opened: Opened, changes: Sequence[Change]) -> None:
        """The second half, for changes that are stored already."""
        logged: Sequence[Change] = ()
        try:
            self._recorder.append_each(
                "step", [_entry(opened, each) for each in changes], outcome="answered"
            )
            logged = changes
            self.shown(opened.id, changes)
        except LandbridgeError:
            self._halfway[opened.id] = logged
            self.left_behind(opened.id)
            raise

    def finish(self, case: str, log: Path) -> bool:
        """Shows what failed half-way here, once log and store are well; False where nothing did.

        Raises as before while they are not. One thread at a time for a case.
        """
        logged = self._halfway.get(case)
        if logged is None:
            return False
        # A log that was full and is not any more has published all that it took before.
        self._recorder.require()
        if logged:
            self.shown(case, logged)
        else:
            self.recover(log, [case])
        del self._halfway[case]
        return True

    def shown(self, case: str, changes: Sequence[Change]) -> None:
        """The changes are logged."""
        self._store.show(case, changes)
        with self._changed:
            self._changed.notify_all()

    def recover(self, log: Path, cases: Sequence[str] | None = None) -> int:
        """Finishes what a crash left between store and log; gives the number of changes.

        Of these cases, for who has just taken them over, or of all of ours at the start.
        """
        with self._recovering:  # what two found unlogged would be logged twice
            return self._recover(log, self._store.unlogged(cases))

    def _recover(self, log: Path, left: Sequence[Unlogged]) -> int:
        if not left:
            return 0
        written = _written(log, left)
        for case, of_one in groupby(left, key=lambda each: each.opened.id):
            changes = list(of_one)
            missing = [each for each in changes if (case, each.change.sequence) not in written]
            if missing:
                self._recorder.append_each(
                    "step",
                    [_entry(each.opened, each.change) for each in missing],
                    outcome="answered",
                )
            self.shown(case, [each.change for each in changes])
        return len(left)

    def left(self, before: float) -> list[str]:
        """Our cases of which changes were begun before that time and are still not shown."""
        return self._store.begun_before(before)

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready`, which is asked after every change of any case, or in time."""
        end = time.monotonic() + seconds
        with self._changed:
            while not ready() and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, self._look))


def _entry(opened: Opened, each: Change) -> dict[str, Any]:
    case, procedure = opened.id, opened.procedure
    fields: dict[str, Any] = {
        "procedure": procedure,
        "case": case,
        # Whose case it is, as the departments' entries of its steps say too.
        "organisation": opened.organisation,
        "client": opened.client,
        "purpose": opened.purpose,
        "note": f"change {each.sequence}: {_said(each.state)}"
        + (f" to {each.role}" if each.role else ""),
    }
    if each.step:
        fields |= {"step": each.step, "question_id": step_question(procedure, case, each.step)}
    if each.parts:
        fields["parts"] = list(each.parts)
        fields["members"] = [str(part["department"]) for part in each.parts]
    return fields


def _said(state: str) -> str:
    """The state as the log may have it: that there is an answer, not which."""
    return "replied" if state in _ANSWERS else "decided" if state in _DECISIONS else state


def _written(log: Path, left: Sequence[Unlogged]) -> set[tuple[str, int]]:
    cases = {each.opened.id for each in left}
    found = set()
    try:
        entries = list(Lookup.of(log).entries(min(each.log_size for each in left)))
    except EvidenceError:
        return set()
    for _, content in entries:
        try:
            entry = Entry.from_bytes(content)
        except EvidenceError:
            continue  # of a later version; none of ours
        number = entry.note.removeprefix("change ").partition(":")[0]
        if entry.kind == "step" and entry.case in cases and number.isdigit():
            found.add((entry.case, int(number)))
    return found
