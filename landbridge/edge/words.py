"""What a server tells its operator, on standard error: sentences, or one JSON object a line.

A line holds names of steps, reasons and counts. No data value, token or literal of a question is in
it: sentences are written by us, an exception is told by its type and place, and of another
library's message only who wrote it and where, since it could quote what it was given.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from landbridge.edge.operating import JSON, TEXT


class Words:
    """One process's words. Lines of several threads do not mix."""

    def __init__(
        self,
        form: str = TEXT,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._json = form == JSON
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def tell(self, sentence: str) -> None:
        """A sentence for the operator."""
        self._say("told", "info", sentence, sentence=sentence)

    def report(self, defect: BaseException) -> None:
        """Where a defect happened: types and places only, since a message could quote the data."""
        where = place(defect)
        kind = type(defect).__name__
        self._say("defect", "error", f"defect: {kind} at {where}", type=kind, place=where)

    def call(self, method: str, status: str, reason: str, seconds: float, trace: str) -> None:
        """A call that ended; told as JSON only, since people read the rest."""
        if self._json:
            self._say(
                "call", "info", "",
                method=method, status=status, reason=reason, seconds=round(seconds, 6), trace=trace,
            )  # fmt: skip

    def listen(self) -> None:
        """From now on libraries' log records of rank WARNING and above are told here as well."""
        root = logging.getLogger()
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        root.addHandler(_Libraries(self))

    def library(self, record: logging.LogRecord) -> None:
        """That a library logged something, and where; what, only of our own."""
        if record.name.startswith("landbridge"):
            self._say(
                "told", record.levelname.lower(), record.getMessage(), sentence=record.getMessage()
            )
            return
        where = f"{Path(record.pathname).name}:{record.lineno}"
        self._say(
            "library",
            record.levelname.lower(),
            f"{record.levelname.lower()} of {record.name} at {where}",
            logger=record.name,
            place=where,
        )

    def _say(self, event: str, level: str, text: str, **fields: object) -> None:
        if self._json:
            moment = datetime.fromtimestamp(self._clock(), UTC)
            time_ = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            text = json.dumps({"time": time_, "level": level, "event": event, **fields})
        stream = self._stream or sys.stderr
        with self._lock:
            stream.write(f"{text}\n")
            stream.flush()


def place(defect: BaseException) -> str:
    """File and line at which it was raised."""
    last = traceback.extract_tb(defect.__traceback__)[-1:]
    return f"{Path(last[0].filename).name}:{last[0].lineno}" if last else "an unknown place"


class _Libraries(logging.Handler):
    def __init__(self, words: Words) -> None:
        super().__init__(logging.WARNING)
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        self._words.library(record)
