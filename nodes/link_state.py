"""The linked questions that are under way here: in memory, for a while, each round once.

A restart forgets them all, and the charges stay: whatever is asked of a forgotten one is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from landbridge.errors import LandbridgeError, error
from landbridge.protocols.dealing import Dealer, Owner
from landbridge.protocols.streams import Words
from nodes.link_rows import RowWriter, SortedRows
from policies.link_plan import LinkPlan, SidePlan

MOST = 64
"""Questions at a time."""
MOST_OF_ONE = 16
"""Of them, of one recipient: nobody's unfinished questions keep others out."""


@dataclass(slots=True)
class Dealing:
    """What this department deals for another one's values; `done` rows were dealt."""

    dealer: Dealer
    rows: int
    columns: int
    vectors: int
    summed: bool
    done: int = 0


@dataclass(slots=True)
class Underway:
    """One question at this department. `codes` turns an own cell into its code.

    After `until` it is given up: whoever asked has stopped waiting by then.

    `shown` (to each department), `fetched` and `multiplied` count rows; every batch is given once
    and in order. Of a department that hides its keys, `matching` are the rows for the keys shown so
    far, `own` is how many of its own rows lie before them, and `matched` says that all keys were
    shown.
    """

    question_hash: bytes
    plan: LinkPlan
    side: SidePlan
    secret: bytes
    until: float
    codes: np.ndarray
    recipient: str
    rows: SortedRows | None = None
    matching: RowWriter | None = None
    shown: dict[str, int] = field(default_factory=dict)
    own: int = 0
    matched: bool = False
    fetched: int = 0
    dealings: dict[str, Dealing] = field(default_factory=dict)
    owner: Owner | None = None
    multiplied: int = 0
    shares: Words | None = None
    totalled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def require_matched(self) -> None:
        """Who must hide its keys gives nothing out before its rows are those of the keys shown."""
        if self.side.department in self.plan.hiders and not self.matched:
            raise lost()

    def close(self) -> None:
        """Its rows are gone."""
        if self.rows is not None:
            self.rows.close()
        if self.matching is not None:
            self.matching.close()


class Underways:
    """All of them, by question id. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Underway] = {}

    def until(self, seconds: float) -> float:
        """When a question is given up whose caller waits for so many seconds from now on."""
        return self._clock() + seconds

    def require_room(self, recipient: str) -> None:
        """Raises TOO_BUSY where there are many, or many of the recipient's."""
        self.purge()
        with self._lock:
            self._require_room(recipient)

    def put(self, question_id: str, underway: Underway) -> None:
        """Keeps it; raises LINK_LOST for an id that is under way, and TOO_BUSY."""
        self.purge()
        with self._lock:
            if question_id in self._known:
                raise lost()
            self._require_room(underway.recipient)
            self._known[question_id] = underway

    def _require_room(self, recipient: str) -> None:
        if len(self._known) >= MOST:
            raise error("TOO_BUSY", hint="Other linked questions are under way; ask later.")
        own = sum(each.recipient == recipient for each in self._known.values())
        if own >= MOST_OF_ONE:
            raise error(
                "TOO_BUSY",
                f"{MOST_OF_ONE} linked questions of your organisation are under way.",
                hint="Ask again when they have ended.",
            )

    @contextmanager
    def at(self, question_id: str, question_hash: bytes) -> Iterator[Underway]:
        """The question, for one round at a time. Raises LINK_LOST.

        A round that fails ends the question: what was half given is never given again. One that
        comes while another is played is refused, and leaves that one alone.
        """
        self.purge()
        with self._lock:
            found = self._known.get(question_id)
        if found is None or found.question_hash != question_hash:
            raise lost()
        if not found.lock.acquire(blocking=False):
            raise lost()
        try:
            self._require_held(question_id, found)
            yield found
        except BaseException:
            self.drop(question_id)
            raise
        finally:
            found.lock.release()

    def _require_held(self, question_id: str, found: Underway) -> None:
        """It is gone where the round before this one failed."""
        if self._known.get(question_id) is not found:
            raise lost()

    def drop(self, question_id: str) -> None:
        """Forgets it."""
        with self._lock:
            found = self._known.pop(question_id, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        """Forgets all of them."""
        for question_id in list(self._known):
            self.drop(question_id)

    def purge(self) -> None:
        """Gives up what is past its time."""
        now = self._clock()
        with self._lock:
            # One in the middle of a round is left to it; the next look finds it.
            late = [k for k, u in self._known.items() if u.until < now and not u.lock.locked()]
        for question_id in late:
            self.drop(question_id)


def lost() -> LandbridgeError:
    """The one refusal of a round that does not follow."""
    return error("LINK_LOST", hint="Ask again under a new question id.")
