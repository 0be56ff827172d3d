"""Attack: a thousand failed logins a second. Counted, not asserted by time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from landbridge.edge.logins import EACH, WINDOW, Cause, RefusedLogins
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.gathering import Coming
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt

FLOOD = 1_000


@dataclass
class SyncedLog:
    """A log that counts its syncs, and can be out of order."""

    entries: list[Entry] = field(default_factory=list)
    broken: bool = False
    coming: Coming = field(default_factory=Coming)

    def require(self) -> None:
        """As `Log.require`."""

    def append(self, entry: bytes) -> Receipt:
        """Each is one sync of the disk."""
        if self.broken:
            raise error("LOG_UNAVAILABLE")
        self.entries.append(Entry.from_bytes(entry))
        return Receipt(entry, len(self.entries), b"", "proof")

    def of(self, reason: str) -> list[Entry]:
        """The entries of refused logins for that reason."""
        return [found for found in self.entries if found.reason == reason]


@dataclass
class Place:
    """A recorder over such a log, at a time that the test moves."""

    log: SyncedLog
    recorder: Recorder
    now: float = 1_800_000_000.0

    def refuse(self, reason: str = "TOKEN_INVALID") -> LandbridgeError:
        """One login that is refused."""
        with pytest.raises(LandbridgeError) as caught, self.recorder.request("query"):
            raise error(reason)
        return caught.value


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """Its counts are written when a test says so, not by a timer."""
    monkeypatch.setattr("landbridge.edge.record.threading.Timer", _NoTimer)
    log = SyncedLog()
    found: list[Place] = []
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "0" * 64, lambda: found[0].now)
    found.append(Place(log, recorder))
    return found[0]


class _NoTimer:
    started = 0
    daemon = False

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        assert seconds == WINDOW
        self.act = act

    def start(self) -> None:
        type(self).started += 1

    def cancel(self) -> None:
        """It never runs."""


def test_a_flood_costs_ten_entries_and_one_that_counts_the_rest(place: Place) -> None:
    """Each refusal still says the same to its caller; only the disk has peace."""
    before = _NoTimer.started
    refusals = [place.refuse() for _ in range(FLOOD)]
    assert {refusal.reason for refusal in refusals} == {"TOKEN_INVALID"}
    assert [bool(refusal.receipt) for refusal in refusals] == [True] * EACH + [False] * (
        FLOOD - EACH
    )
    assert len(place.log.entries) == EACH
    assert _NoTimer.started - before == 1
    place.recorder.write_counts()
    assert len(place.log.entries) == EACH + 1
    last = place.log.entries[-1]
    assert (last.kind, last.reason, last.count) == ("refused_login", "TOKEN_INVALID", FLOOD - EACH)
    place.recorder.write_counts()
    assert len(place.log.entries) == EACH + 1


def test_every_refusal_is_in_the_log_however_the_flood_goes(place: Place) -> None:
    """Entries of their own and counts add up to what was refused, cause by cause, at shutdown."""
    for step in range(FLOOD):
        place.refuse(("TOKEN_INVALID", "TOKEN_EXPIRED", "PEER_UNKNOWN")[step % 3])
        place.now += 0.5
        if step % 100 == 99:
            place.recorder.write_counts()
    place.recorder.event("stop")
    for reason, wanted in (("TOKEN_INVALID", 334), ("TOKEN_EXPIRED", 333), ("PEER_UNKNOWN", 333)):
        assert sum(entry.count or 1 for entry in place.log.of(reason)) == wanted
    assert place.log.entries[-1].kind == "stop"


def test_another_cause_and_another_minute_have_entries_of_their_own(place: Place) -> None:
    """A flood of one kind must not hide the one failure of another kind, nor the next minute's."""
    for _ in range(FLOOD):
        place.refuse()
    assert place.refuse("TOKEN_EXPIRED").receipt
    place.now += WINDOW
    assert place.refuse().receipt
    place.now -= 365 * 86_400
    assert place.refuse().receipt


def test_others_are_recorded_in_full_during_a_flood(place: Place) -> None:
    """The limit is for those whom nobody knows; an identified caller's refusals are all there."""
    for _ in range(FLOOD):
        place.refuse()
        with pytest.raises(LandbridgeError) as caught, place.recorder.request("query"):
            raise error("ACCESS_DENIED")
        assert caught.value.receipt
        with place.recorder.request("query") as draft:
            draft.answered(b"answer")
    outcomes = [entry.outcome for entry in place.log.entries if entry.reason != "TOKEN_INVALID"]
    assert sorted(outcomes) == ["answered"] * FLOOD + ["refused"] * FLOOD


def test_what_the_log_could_not_take_is_counted_later(place: Place) -> None:
    """A broken disk must not make refusals vanish."""
    for _ in range(30):
        place.refuse()
    place.refuse("TOKEN_EXPIRED")
    place.log.broken = True
    with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
        place.recorder.write_counts()
    place.log.broken = False
    place.recorder.event("stop")
    assert sum(entry.count for entry in place.log.of("TOKEN_INVALID")) == 20


def test_threads_lose_no_count() -> None:
    """Admitted and counted are all there were, and no more than the limit is admitted."""
    logins = RefusedLogins(lambda: 0.0)
    admitted: list[bool] = []

    def flood() -> None:
        admitted.extend([logins.admit(Cause("TOKEN_INVALID")) for _ in range(FLOOD)])

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admitted.count(True) == EACH
    assert logins.take() == {Cause("TOKEN_INVALID"): 8 * FLOOD - EACH}
