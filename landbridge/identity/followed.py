"""A document that is followed while we run: the last good one for a grace, and then none.

Keys and revocations are both such documents. The rule is one: a slip of an operator must not stop
the service at once, and nobody may be served for long by a document that can no longer be read.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

LARGEST: Final = 256 * 1024
"""Bytes of a document; more is refused without being read."""

Value = TypeVar("Value")


class SourceError(ValueError):
    """A document that cannot be used; the text is one sentence with its source and the entry."""


class Source(Protocol):
    """Where a document comes from.

    `read` answers at once: a source that has to wait for somebody does so on its own time and
    gives what it has last fetched.
    """

    @property
    def name(self) -> str:
        """What an operator calls it; opens every sentence about it."""

    @property
    def interval(self) -> float:
        """Seconds for which one reading is fresh."""

    @property
    def age(self) -> float:
        """Seconds since what `read` gives was known to be the document; 0 for one that is here."""

    def read(self) -> bytes:
        """The document; OSError or SourceError where there is none just now."""

    def hurry(self) -> None:
        """Somebody misses something in the document; never waits, and promises nothing."""


@dataclass(frozen=True, slots=True)
class File:
    """A file. Replace it by renaming a complete new file over it."""

    path: Path
    interval: float = 1.0

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def age(self) -> float:
        """It is read where it lies."""
        return 0.0

    def read(self) -> bytes:
        """Its bytes, at most 256 KiB.

        A pipe, a device or an endless file at that path must not stall the server.
        """
        # The files are small: reading the bytes finds also the change that size and time hide.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(f"{self.name} is not a regular file; point to a file.")
            document = stream.read(LARGEST + 1)
        if len(document) > LARGEST:
            raise SourceError(f"{self.name} is larger than 256 KiB, which it never needs to be.")
        return document

    def hurry(self) -> None:
        """A file is looked at every second anyway."""


@dataclass(frozen=True, slots=True)
class State(Generic[Value]):
    """One state of a followed document, and the number of that state; `closed` without one."""

    generation: int
    value: Value
    closed: bool = False


class Followed(Generic[Value]):
    """What a document says now, followed as its source changes. Safe to share between threads.

    `read` makes a value of the bytes or raises SourceError; `closed` is the value that lets nobody
    pass. A source that cannot be read, or whose document is broken, leaves the last good value in
    force until `grace` seconds after it was last seen good; then `closed` is in force until the
    source is good again. The first document must be good. `clock` gives seconds and need not agree
    with the calendar; `log` takes the sentences for the operator.
    """

    def __init__(
        self,
        source: Source,
        read: Callable[[bytes, str], Value],
        closed: Value,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace: float = 3600.0,
        log: logging.Logger,
    ) -> None:
        self._source = source
        self._value_of = read
        self._closed = closed
        self._clock = clock
        self._grace = grace
        self._log = log
        self._lock = Lock()
        self._trouble = ""
        self._asked = self._good = clock()
        self._document: bytes | None = self._read()
        self._state = State(1, read(self._document, source.name))

    @property
    def trouble(self) -> str:
        """Why the source could not be used when it was last looked at; empty if it could."""
        return self._trouble

    def hurry(self) -> None:
        """Tells the source that something is missing from its document."""
        self._source.hurry()

    def current(self) -> State[Value]:
        """What is in force at this moment."""
        with self._lock:
            now = self._clock()
            # A clock that was set back must not keep us from looking.
            if not 0 <= now - self._asked < self._source.interval:
                self._asked = now
                self._look(now)
            return self._state

    def renew(self) -> None:
        """Looks now, however fresh the last reading is: the source has something new."""
        with self._lock:
            self._asked = self._clock()
            self._look(self._asked)

    def _look(self, now: float) -> None:
        try:
            document = self._read()
            if document != self._document:
                value = self._value_of(document, self._source.name)
                self._document = document
                self._state = State(self._state.generation + 1, value)
        except SourceError as problem:
            self._keep_or_close(str(problem), now)
        else:
            self._good = now - self._source.age
            self._trouble = ""

    def _keep_or_close(self, trouble: str, now: float) -> None:
        if trouble != self._trouble:
            self._log.warning("%s", trouble)
            self._trouble = trouble
        # Counted from when the document was last seen good, not from when the trouble was noticed:
        # an idle server must not lengthen the life of a withdrawn key.
        if not 0 <= now - self._good < self._grace and self._document is not None:
            self._log.error(
                "%s: what was last good is too old; no token passes.", self._source.name
            )
            # Forgetting the document makes the same good file count as new when it comes back.
            self._document = None
            self._state = State(self._state.generation + 1, self._closed, closed=True)

    def _read(self) -> bytes:
        try:
            return self._source.read()
        except OSError as reason:
            why = reason.strerror or type(reason).__name__
            raise SourceError(f"{self._source.name} cannot be read: {why}.") from None
