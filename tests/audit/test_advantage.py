"""An attacker's advantage per disclosure method: the programme runs, and sees what is weakened.

So few games see a gross fault only; `make torture` plays 116 for each trick and method. False
alarms: a trick that gains nothing wins 13 of 13 controls once in 8,000 times.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit import other_doors
from tests.audit.advantage import METHODS, Method, advantage, matrix, weakened
from tests.audit.tricks import TRICKS
from tests.simulator import exact

PROTECTED = METHODS[:-1]


def named(method: Method) -> str:
    """For the report of tests."""
    return method.name


def test_no_trick_gains_more_than_the_method_promises(tmp_path: Path) -> None:
    """Two tricks at every method, all at one, for one victim each; the page shows them together."""
    found = [
        outcome
        for method in METHODS
        for outcome in advantage(
            "", 1, 5, tmp_path / method.name.replace(" ", ""), method=method,
            tricks=tuple(TRICKS) if method is METHODS[0] else ("averaging", "order and keys"),
        )
    ]  # fmt: skip
    assert not [each.line() for each in found if each.through]
    assert all(each.counts["questions"] > each.counts["refused"] for each in found[: len(TRICKS)])
    assert matrix(found).count("\n") == 1 + len(METHODS)


@pytest.mark.parametrize("method", PROTECTED, ids=named)
def test_a_weakened_build_is_convicted(method: Method, tmp_path: Path) -> None:
    """Positive control: without noise, minimum and history the same attacker names everybody."""
    outcome = weakened(16, 3, tmp_path / "weak", method=method)
    assert outcome.through, outcome.line()


def test_at_other_doors_nobody_learns_more_than_the_owner_says(tmp_path: Path) -> None:
    """Handlers between their thresholds, a randomised report, all exact tables at once, trends over
    several windows, and a total of two shares.
    """
    for door, effort in (
        (other_doors.bands, 10), (other_doors.reports, 300), (other_doors.exact_tables, 5),
        (other_doors.trends, 16), (other_doors.two_shares, 300),
    ):  # fmt: skip
        outcome = door(tmp_path / door.__name__, effort)
        assert not outcome.through, outcome.line()


def test_an_owner_who_says_more_is_convicted(tmp_path: Path) -> None:
    """Positive control: a threshold between two incomes, an epsilon of 5 judged by 1, no noise."""
    between = "40000, 70000, 100000"
    assert other_doors.bands(tmp_path / "bands", 24, threshold=between).through
    assert other_doors.reports(tmp_path / "reports", 300, epsilon=5.0).through
    assert other_doors.trends(tmp_path / "trends", 36, noise=exact).through
    assert other_doors.two_shares(tmp_path / "shares", 60, noise=exact).through
