"""An event of a watch: stored, then logged, then told, in this order and once.

Whoever dies in between finds the event again at the next start, and its entry if it was written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from gateway.watches.store import Event, Watch, WatchStore
from landbridge.edge.record import Recorder
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.lookup import Lookup
from landbridge.protocols.watch_ids import alert_question
from landbridge.v1 import watch_pb2


class Telling:
    """Records events, and lets others wait for them."""

    def __init__(self, store: WatchStore, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder
        self._told = threading.Condition()
        # What is stored and not shown, by watch, with its entry and proof where it has them.
        self._halfway: dict[str, tuple[Watch, Event, tuple[bytes, str] | None]] = {}

    def tell(
        self,
        watch: Watch,
        event: watch_pb2.WatchEvent,
        parts: tuple[dict[str, Any], ...] = (),
        *,
        alert: int = 0,
    ) -> bool:
        """Whoever follows is told when this returns; False for what was told before.

        Raises, and then it is not told yet; `finish` takes it up again, or the next start.
        """
        self._recorder.require()  # what is begun can then be logged, unless the disk fails
        kept = Event(
            watch.id,
            event.number,
            event.SerializeToString(deterministic=True),
            self._recorder.salts.next(),
            parts,
        )
        if not self._store.begin(kept, self._recorder.size, alert=alert, ended=event.reason):
            return False
        self._log_and_show(watch, kept)
        return True

    def finish(self, watch: str) -> None:
        """Tells what failed half-way here, once log and store are well; raises while they are not.

        One thread at a time for a watch.
        """
        left = self._halfway.get(watch)
        if left is None:
            return
        of, event, logged = left
        if logged is None:
            self._recorder.require()
            self._log_and_show(of, event)
        else:
            self._show(event, *logged)
        self._halfway.pop(watch, None)

    def recover(self, log: Path, only: Container[str] | None = None) -> int:
        """Finishes what a crash left between store and log; gives the number of events.

        `only` are the watches that it is of, where others are being told of meanwhile.
        """
        left = [
            (event, size)
            for event, size in self._store.unlogged()
            if only is None or event.watch in only
        ]
        if not left:
            return 0
        written = _written(log, min(size for _, size in left))
        for event, _ in left:
            receipt = written.get((event.watch, event.number))
            watch = self._store.find(event.watch)
            if receipt is not None:
                self._show(event, *receipt)
            elif watch is not None:
                self._log_and_show(watch, event)
        return len(left)

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready`, which is asked after every event of any watch, or in time."""
        with self._told:
            self._told.wait_for(ready, timeout=max(0.0, seconds))

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        with self._told:
            self._told.notify_all()

    def _log_and_show(self, watch: Watch, event: Event) -> None:
        content = watch_pb2.WatchEvent.FromString(event.content)
        asked = watch_pb2.CreateWatchRequest.FromString(watch.asked)
        alert = content.kind == "alert"
        self._halfway[watch.id] = (watch, event, None)
        with self._recorder.request("alert" if alert else "watch", watch=watch.id) as draft:
            draft.caller(watch.caller)
            draft.note(
                purpose=asked.purpose,
                members=[watch.department],
                question_id=alert_question(watch.id, content.alert) if alert else watch.id,
                note=f"event {event.number}: {content.kind} {content.reason}".strip(),
            )
            if event.parts:
                draft.note(parts=list(event.parts))
            logged = draft.answered(event.content, event.salt)
        proved = logged.receipt.entry, logged.receipt.proof
        self._halfway[watch.id] = (watch, event, proved)
        self._show(event, *proved)
        del self._halfway[watch.id]

    def _show(self, event: Event, entry: bytes, proof: str) -> None:
        self._store.show(event, entry, proof)
        self.wake()


def _written(log: Path, start: int) -> dict[tuple[str, int], tuple[bytes, str]]:
    """Entry and proof of every event that the log holds, by watch and number."""
    found: dict[tuple[str, int], tuple[bytes, str]] = {}
    try:
        lookup = Lookup.of(log)
        entries = list(lookup.entries(start))
    except EvidenceError:
        return {}
    for index, content in entries:
        try:
            entry = Entry.from_bytes(content)
        except EvidenceError:
            continue  # of a later version; none of ours
        number = entry.note.removeprefix("event ").partition(":")[0]
        if entry.watch and entry.answer_digest and number.isdigit():
            receipt = lookup.receipt(index, content)
            found[entry.watch, int(number)] = (receipt.entry, receipt.proof)
    return found
