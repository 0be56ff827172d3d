"""A sync that failed may not fail twice: ledger and history stop, and go on from their files.

The descriptor of SQLite's journal is swapped for one of /dev/null, which takes every write and
refuses every sync, and back: the disk has "healed", and what it lost is lost.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError, Unavailable
from nodes.history import History
from nodes.ledger import Ledger, Remembered, Reservation
from policies import odcs
from policies.differencing import Asked, Condition
from tests.disclosure.terms import exact
from tests.people import contract
from tests.simulator import NOON

CONTRACT = contract()


def opened(place: Path) -> Ledger:
    """A department's ledger."""
    return Ledger(place / "ledger.sqlite", lambda: NOON)


def ident(number: int) -> str:
    """A question id."""
    return f"{number:032x}"


def reserve(ledger: Ledger, number: int) -> Reservation:
    """One charge."""
    made = ledger.reserve(ident(number), ident(number).encode(), CONTRACT, "office", 1_000)
    assert isinstance(made, Reservation)
    return made


@contextmanager
def failing_sync(file: Path) -> Iterator[None]:
    """While it lasts, writes to that open file vanish and every sync of it fails."""
    held = [
        int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if os.path.realpath(link) == str(file.resolve())
    ]
    kept = [(fd, os.dup(fd)) for fd in held]
    assert kept, "the file is not open"
    null = os.open("/dev/null", os.O_RDWR)
    with pytest.raises(OSError, match="Invalid argument"):
        os.fsync(null)
    try:
        for fd, _ in kept:
            os.dup2(null, fd)
        yield
    finally:
        for fd, copy in kept:
            os.dup2(copy, fd)
            os.close(copy)
        os.close(null)


def spent(ledger: Ledger) -> int:
    """What the office has spent."""
    return ledger.accounts(CONTRACT, "office")[0].spent


def test_after_a_failed_sync_nothing_is_charged_until_a_restart(tmp_path: Path) -> None:
    """F7: the disk is well again, and still nobody can say what it holds."""
    ledger = opened(tmp_path)
    reserve(ledger, 1)
    with failing_sync(tmp_path / "ledger.sqlite-wal"), pytest.raises(Unavailable) as refused:
        reserve(ledger, 2)
    assert refused.value.reason == "LEDGER_UNAVAILABLE"
    for _ in range(3):
        with pytest.raises(Unavailable, match="LEDGER_UNAVAILABLE"):
            reserve(ledger, 3)
    ledger.close()
    again = opened(tmp_path)
    assert spent(again) >= 1_000
    reserve(again, 4)
    assert spent(again) >= 2_000
    again.close()


def test_an_answer_whose_memory_was_not_synced_is_not_given(tmp_path: Path) -> None:
    """Its charge stands: spent is never less than released."""
    ledger = opened(tmp_path)
    made = reserve(ledger, 1)
    with failing_sync(tmp_path / "ledger.sqlite-wal"), pytest.raises(Unavailable):
        ledger.finish(made, b"released")
    with pytest.raises(Unavailable):
        ledger.give_back(made)
    ledger.close()
    again = opened(tmp_path)
    assert spent(again) == 1_000
    with pytest.raises(LandbridgeError, match="QUESTION_ID_REUSED"):
        reserve(again, 1)
    again.close()


def test_a_write_that_fails_stops_the_ledger_too(tmp_path: Path) -> None:
    """F9: the file may not grow; room comes back, and with it no trust."""
    ledger = opened(tmp_path)
    reserve(ledger, 1)
    size = (tmp_path / "ledger.sqlite-wal").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(Unavailable, match="LEDGER_UNAVAILABLE"):
            reserve(ledger, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(Unavailable, match="LEDGER_UNAVAILABLE"):
        reserve(ledger, 3)
    ledger.close()
    again = opened(tmp_path)
    assert spent(again) == 1_000
    again.close()


def test_a_refusal_stops_nothing(tmp_path: Path) -> None:
    """Only what the disk did counts, not what a rule said."""
    ledger = opened(tmp_path)
    with pytest.raises(LandbridgeError, match="BUDGET_EXHAUSTED"):
        ledger.reserve(ident(1), b"key", CONTRACT, "office", 10**12)
    made = reserve(ledger, 2)
    ledger.finish(made, b"released")
    found = ledger.reserve(ident(3), ident(2).encode(), CONTRACT, "office", 1_000)
    assert found == Remembered(b"released")
    ledger.close()


def test_the_history_of_questions_stops_in_the_same_way(tmp_path: Path) -> None:
    """A filter that was forgotten could be asked for its difference."""
    history = History(tmp_path / "history.sqlite")
    terms = odcs.read(exact(), "exact")
    asked = Asked((Condition("age > 30", ("age",)),), ())
    with failing_sync(tmp_path / "history.sqlite-wal"), pytest.raises(Unavailable):
        history.admit(terms, asked)
    with pytest.raises(Unavailable, match="LEDGER_UNAVAILABLE"):
        history.admit(terms, asked)
    history.close()
    again = History(tmp_path / "history.sqlite")
    again.admit(terms, asked)
    again.close()
