"""The log entries of a watch's evaluations: one for many, and on disk before the first of them.

So every evaluation stands in an entry that was durable before it took place, and a watch that is
evaluated every minute leaves an entry an hour. An alert has its own besides.
"""

from __future__ import annotations

from landbridge.edge.record import Draft, Recorder
from nodes.watch_memory import Standing, WatchMemory

BATCH = 60
"""Evaluations that one entry announces."""


class Announcement:
    """The draft that the next evaluation is decided on; written where a batch begins with it.

    A refusal writes nothing here: it ends the watch, which has an entry of its own.
    """

    def __init__(
        self, recorder: Recorder, memory: WatchMemory, standing: Standing, trace_id: str
    ) -> None:
        self._recorder = recorder
        self._memory = memory
        self._watch = standing.made.id
        self._first = standing.evaluations + 1
        self._due = self._first > standing.announced
        self._draft = Draft("watch", recorder, {"watch": self._watch, "trace_id": trace_id})

    def __enter__(self) -> Draft:
        """The draft; raises while the log may not be relied on."""
        self._recorder.require()
        self._draft.recorder = self._recorder.dated()
        return self._draft

    def __exit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        """Writes the entry, if it is due. Raises LOG_UNAVAILABLE."""
        if raised is not None or not self._due:
            return
        last = self._first + BATCH - 1
        self._draft.note(note=f"evaluations {self._first} to {last}")
        self._draft.admitted()
        self._memory.announced(self._watch, last)
