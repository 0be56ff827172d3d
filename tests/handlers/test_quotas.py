"""How many calls, and about how many subjects: counted durably, and once for a charge's id."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import Refused, Unavailable
from nodes.ledger import LedgerUnusable
from nodes.quotas import Charge, Quotas
from nodes.sqlite_file import SqliteFile
from policies.quota import Quota
from tests.nodes.test_lost_writes import failing_sync

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3_600.0, 86_400.0


class Clock:
    """A clock that is set."""

    now = NOON

    def __call__(self) -> float:
        return self.now


def charge(
    *subjects: str, caller: str = "ann", organisation: str = "office", ident: str = ""
) -> Charge:
    """A call about these subjects."""
    return Charge("tax.band", organisation, caller, subjects, ident)


def reason(quotas: Quotas, asked: Charge, quota: Quota) -> str:
    """What it is refused for; empty when it is not."""
    try:
        quotas.charge(asked, quota)
    except Refused as refused:
        return refused.reason
    return ""


def test_distinct_subjects_are_counted_durably_for_an_organisation(tmp_path: Path) -> None:
    """Scraping ends at the quota, whoever of the organisation calls, and after a restart too."""
    quota, clock = Quota((("day", 2),)), Clock()
    quotas = Quotas(tmp_path / "quotas.sqlite", clock)
    for subject in ("a", "b", "a", "b"):
        assert reason(quotas, charge(subject), quota) == ""
    assert reason(quotas, charge("c", caller="bob"), quota) == "SUBJECTS_EXHAUSTED"
    quotas.close()
    again = Quotas(tmp_path / "quotas.sqlite", clock)
    assert reason(again, charge("c"), quota) == "SUBJECTS_EXHAUSTED"
    assert reason(again, charge("a"), quota) == ""
    assert reason(again, charge("c", organisation="elsewhere"), quota) == ""
    again.close()


def test_every_period_counts_for_itself_and_none_opens_again(tmp_path: Path) -> None:
    """A new day does not renew the month's subjects; a clock set back renews nothing."""
    quota, clock = Quota((("day", 1), ("month", 2))), Clock()
    quotas = Quotas(tmp_path / "quotas.sqlite", clock)
    assert reason(quotas, charge("a"), quota) == ""
    assert reason(quotas, charge("b"), quota) == "SUBJECTS_EXHAUSTED"
    clock.now += DAY  # the first of April: both are new
    assert [reason(quotas, charge(s), quota) for s in "bc"] == ["", "SUBJECTS_EXHAUSTED"]
    clock.now -= DAY
    assert reason(quotas, charge("d"), quota) == "SUBJECTS_EXHAUSTED"
    clock.now += 2 * DAY
    assert reason(quotas, charge("c"), quota) == ""
    clock.now += DAY
    assert reason(quotas, charge("d"), quota) == "SUBJECTS_EXHAUSTED"  # the month's two are gone
    quotas.close()


def test_a_batch_is_counted_whole_or_not_at_all(tmp_path: Path) -> None:
    """A refused batch must not use anything up, nor let its first subjects through."""
    quota = Quota((("day", 3),))
    quotas = Quotas(tmp_path / "quotas.sqlite", Clock())
    assert reason(quotas, charge("a", "b"), quota) == ""
    assert reason(quotas, charge("b", "c", "d"), quota) == "SUBJECTS_EXHAUSTED"
    assert reason(quotas, charge("b", "c"), quota) == ""
    quotas.close()


def test_rates_bound_a_caller_and_what_is_asked_about_one_subject(tmp_path: Path) -> None:
    """One program is slowed down, its colleagues are not; a subject is not asked about all day."""
    quota, clock = Quota((("day", 99),), 3, 4), Clock()
    quotas = Quotas(tmp_path / "quotas.sqlite", clock)
    assert [reason(quotas, charge("a"), quota) for _ in range(4)] == ["", "", "", "CALLS_EXHAUSTED"]
    assert reason(quotas, charge("a", caller="bob"), quota) == ""
    assert reason(quotas, charge("a", caller="eve"), quota) == "CALLS_EXHAUSTED"  # the fifth on a
    assert reason(quotas, charge("b", caller="eve"), quota) == ""
    clock.now += HOUR
    assert reason(quotas, charge("b"), quota) == ""
    assert reason(quotas, charge("a"), quota) == "CALLS_EXHAUSTED"
    clock.now += DAY
    assert reason(quotas, charge("a"), quota) == ""
    quotas.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), max_size=12))
def test_a_charge_with_an_id_is_made_once(asked: list[tuple[str, str]]) -> None:
    """A case's step that is asked again, after a crash or a lost reply, costs nothing more."""
    quota = Quota((("day", 2),), 3)
    with tempfile.TemporaryDirectory() as folder:
        quotas = Quotas(Path(folder) / "quotas.sqlite", Clock())
        made: dict[str, str] = {}
        for ident, subject in asked:
            counted = {*made.values(), subject} if ident not in made else set(made.values())
            fits = ident in made or (len(counted) <= 2 and len(made) < 3)
            said = reason(quotas, charge(subject, ident=ident), quota)
            assert (said == "") == fits
            if fits:
                made.setdefault(ident, subject)
        quotas.close()


def test_a_second_process_finds_the_file_locked(tmp_path: Path) -> None:
    """Two nodes on one file would each count half."""
    path = tmp_path / "quotas.sqlite"
    with contextlib.closing(Quotas(path, Clock())), pytest.raises(LedgerUnusable):
        Quotas(path, Clock())


def test_after_a_failed_sync_nothing_is_counted_until_a_restart(tmp_path: Path) -> None:
    """F7: what cannot be counted for sure is not replied to."""
    quota, path = Quota((("day", 9),)), tmp_path / "quotas.sqlite"
    quotas = Quotas(path, Clock())
    quotas.charge(charge("a"), quota)
    with failing_sync(tmp_path / "quotas.sqlite-wal"), pytest.raises(Unavailable):
        quotas.charge(charge("b"), quota)
    with pytest.raises(Unavailable):
        quotas.charge(charge("a"), quota)
    quotas.close()
    with contextlib.closing(Quotas(path, Clock())) as again:
        again.charge(charge("a"), quota)


def test_calls_that_come_at_once_share_a_sync_and_each_is_judged_alone(tmp_path: Path) -> None:
    """Of nine who wait for the file one is over its limit: eight are counted, in one commit."""
    quotas = Quotas(tmp_path / "quotas.sqlite", Clock())
    file = quotas._file
    quota = Quota((("day", 8),))
    for subject in "abcdefg":
        assert reason(quotas, charge(subject), quota) == ""
    commits: list[str] = []
    file._connection.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    outcomes = _together(quotas, file, "abcdefghi")
    assert len(commits) == 1
    assert sorted(outcomes) == [""] * 8 + ["SUBJECTS_EXHAUSTED"]
    with failing_sync(tmp_path / "quotas.sqlite-wal"):
        assert _together(quotas, file, ["a", "b"]) == ["LEDGER_UNAVAILABLE"] * 2
    quotas.close()


def _together(quotas: Quotas, file: SqliteFile, subjects: Sequence[str]) -> list[str]:
    """What becomes of these calls, which all wait for the file."""
    outcomes: list[str] = []

    def one(subject: str) -> None:
        try:
            quotas.charge(charge(subject), Quota((("day", 8),)))
            outcomes.append("")
        except (Refused, Unavailable) as failure:
            outcomes.append(failure.reason)

    with file._lock:
        threads = [threading.Thread(target=one, args=(each,)) for each in subjects]
        for thread in threads:
            thread.start()
        while len(file._works) < len(threads):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    return outcomes
