"""A change of a case: stored, then logged, then shown, in this order and once.

Whoever dies in between finds the change again at the next start, and its entry if it was written.
An entry says that something was replied or decided and never what: the replies' own entries are
the departments', which it names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.cases.store import Change, Opened, Sealed, Store, Unlogged
from landbridge.edge.record import Recorder
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.protocols.step_info import step_question

_ANSWERS = frozenset({"passed", "failed"})
_DECISIONS = frozenset({"approved", "refused"})


class Recording:
    """Records changes, and lets others wait for them."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder
        self._changed = threading.Condition()

    def record(
        self,
        opened: Opened,
        changes: Sequence[Change],
        envelopes: Sequence[tuple[str, str, Sealed]] = (),
    ) -> None:
        """The changes are the case's state when this returns; raises and then they are not yet.

        They are tried again at the next start where the store or the log failed half-way.
        """
        self._recorder.require()  # what is begun can then be logged, unless the disk fails
        self._store.begin(opened.id, changes, self._recorder.size, envelopes)
        self.log_and_show(opened, changes)

    def log_and_show(self, opened: Opened, changes: Sequence[Change]) -> None:
        """The second half, for changes that are stored already."""
        self._recorder.append_each(
            "step", [_entry(opened, each) for each in changes], outcome="answered"
        )
        self.shown(opened.id, changes)

    def shown(self, case: str, changes: Sequence[Change]) -> None:
        """The changes are logged."""
        self._store.show(case, changes)
        with self._changed:
            self._changed.notify_all()

    def recover(self, log: Path) -> int:
        """Finishes what a crash left between store and log; gives the number of changes."""
        left = self._store.unlogged()
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

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready`, which is asked after every change of any case, or in time."""
        with self._changed:
            self._changed.wait_for(ready, timeout=max(0.0, seconds))


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
