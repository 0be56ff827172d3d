"""A JWKS that an issuer serves: fetched on a thread of its own, never on a request's path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from landbridge.identity.fetch import Fetch
from landbridge.identity.followed import SourceError

SHORTEST: Final = 60.0
"""Seconds between two fetches, whatever anybody asks for or answers."""
LONGEST: Final = 3600.0
"""Seconds after which a document is fetched again, whatever the server says of it."""
UNSAID: Final = 300.0
"""The same where the server says nothing."""
LAST_GOOD: Final = 7200.0
"""The grace of such keys: an hour as fresh ones at most, and an hour to mend what is broken."""


class KeyAddress:
    """A source (`followed.Source`) whose document comes from `fetch`, at most once a minute.

    A good document is fresh for as long as its server says, between a minute and an hour; while it
    is, `read` gives it. A failed fetch makes `read` fail at once, and so does a fetch that hangs
    for longer than a minute; whoever follows counts the `age` from the last good fetch. `hurry`
    brings the next fetch forward to a minute after the last one. The first fetch is made here and
    must be good; raises SourceError. `clock` gives seconds and never goes back.
    """

    interval = 1.0

    def __init__(
        self, name: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._fetch = fetch
        self._clock = clock
        self._changed = threading.Condition()
        self._document = b""
        self._tag = ""
        self._trouble = ""
        self._hurried = False
        self._stopped = False
        self._attempted = self._next = self._good = clock()
        self._thread: threading.Thread | None = None
        self.fetch_if_due()
        if self._trouble:
            raise SourceError(self._trouble)

    @property
    def age(self) -> float:
        """Seconds since the document was fetched, or was said to be unchanged."""
        with self._changed:
            return self._clock() - self._good

    def read(self) -> bytes:
        """The document as last fetched; SourceError when the last fetch failed or is overdue."""
        with self._changed:
            if self._trouble:
                raise SourceError(self._trouble)
            if self._clock() > self._next + SHORTEST:
                raise SourceError(f"{self.name} is being waited for.")
            return self._document

    def hurry(self) -> None:
        """A key is missing: fetch as soon as a minute has passed since the last time."""
        with self._changed:
            if not self._hurried:
                self._hurried = True
                self._changed.notify()

    def fetch_if_due(self) -> bool:
        """Fetches if it is time; says whether it did. One thread at a time."""
        with self._changed:
            now = self._clock()
            if now < self._due():
                return False
            self._attempted = now
            # Whoever misses a key from now on may have come after the answer was made.
            self._hurried = False
            tag = self._tag
        try:
            found, trouble = self._fetch(tag), ""
        except SourceError as problem:
            found, trouble = None, str(problem)
        with self._changed:
            self._trouble = trouble
            if found is None:
                self._next = self._attempted + SHORTEST
                return True
            self._good = self._attempted
            said = UNSAID if found.fresh is None else float(found.fresh)
            self._next = self._attempted + min(max(said, SHORTEST), LONGEST)
            if found.document is not None:
                self._document, self._tag = found.document, found.tag
            return True

    def start(self, fetched: Callable[[], object]) -> None:
        """Fetches from now on, on a thread; calls `fetched` there after each time."""
        self._thread = threading.Thread(target=self._run, args=(fetched,), name="keys", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No fetch begins from now on; one that hangs is not waited for."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _due(self) -> float:
        return self._attempted + SHORTEST if self._hurried else self._next

    def _run(self, fetched: Callable[[], object]) -> None:
        while True:
            with self._changed:
                while not self._stopped and (left := self._due() - self._clock()) > 0:
                    self._changed.wait(left)
                if self._stopped:
                    return
            if self.fetch_if_due():
                # The keys are read here, and the age of the last good ones counts from here.
                fetched()
