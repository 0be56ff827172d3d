"""What is looked at after a fault convicts a ledger that lost something, and no other."""

from __future__ import annotations

from landbridge.evidence.entry import Entry
from tests.faults.holding import ledger_falls

START = Entry(kind="start", time="2026-07-01T00:00:00Z")


def answered(spent: int, charged: int = 0) -> Entry:
    """An answer after which so much was spent in all."""
    return Entry(
        kind="query", time="2026-07-01T00:00:00Z", outcome="answered", charged_micro_rho=charged,
        budget={"overall_spent": spent},
    )  # fmt: skip


def test_answers_that_end_at_once_stand_in_any_order() -> None:
    """Each looked at the ledger before it wrote; neither is a fall."""
    log = [START, answered(20, 10), answered(10, 10), START, answered(30, 10), answered(20)]
    assert list(ledger_falls(log)) == []


def test_a_start_with_an_older_ledger_is_a_fall() -> None:
    """What was charged before it stands."""
    log = [START, answered(10, 10), answered(20, 10), START, answered(19)]
    assert list(ledger_falls(log)) == ["says 19 after a start, and said 20 before it"]


def test_a_charge_that_is_lost_within_a_life_is_a_fall() -> None:
    """Whoever looked last saw every charge."""
    log = [START, answered(10, 10), START, answered(20, 10), answered(20, 10)]
    assert list(ledger_falls(log)) == ["says 20 when 30 were charged"]


def test_a_charge_that_a_later_life_takes_up_is_charged_once() -> None:
    """Whoever answered before the end saw it; who answers for it now says that it was charged."""
    log = [START, answered(20, 10), START, answered(20, 10), answered(20)]
    assert list(ledger_falls(log)) == []


def test_a_charge_that_went_back_in_time_is_none() -> None:
    """Time was up before data were read; somebody had seen the charge."""
    late = Entry(kind="query", time="2026-07-01T00:00:00Z", outcome="refused", reason="DEADLINE")
    log = [START, answered(10, 10), answered(20), late, START, answered(10)]
    assert list(ledger_falls(log)) == []
