"""The whole path in two neighbouring worlds: numbers, and all that is not a number.

False alarms as in `test_mechanisms`: at most 10^-6 for each audit. So few runs see a gross fault
only; `make torture` makes thousands. What is exact here: everything that is visible beside the
numbers is the same in both worlds, and no noise is drawn that no ledger was charged for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from nodes.ledger import GrantUse, Ledger, Remembered, Reservation
from policies.contract import Contract
from tests.audit.crossing import PROGRAMMES, Programme, audited, refused
from tests.audit.spoilt import by_text

RUNS = 15


@pytest.mark.parametrize("programme", PROGRAMMES, ids=lambda programme: programme.name)
def test_a_programme_gives_away_no_more_than_it_may(programme: Programme, tmp_path: Path) -> None:
    """Notes, refusals, costs, charges and shapes in one; the numbers by their lower bound."""
    found = audited(programme, RUNS, tmp_path)
    assert not found.finding.broken, str(found.finding)
    assert len(found.seen) == 1
    assert found.unpaid <= 1e-9


def test_a_budget_ends_alike_in_both_worlds(tmp_path: Path) -> None:
    """Not vacuous: two of five questions were answered, three refused."""
    (programme,) = (each for each in PROGRAMMES if each.name == "until the budget ends")
    found = audited(programme, 2, tmp_path)
    (seen,) = found.seen
    assert refused(seen) == 3


def test_noise_that_the_text_decides_is_caught_through_the_whole_path(tmp_path: Path) -> None:
    """Positive control."""
    assert audited(PROGRAMMES[0], 180, tmp_path, by_text).finding.broken


def test_a_charge_that_is_forgotten_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: a ledger that takes less than the noise costs."""
    honest = Ledger.reserve

    def cheap(
        ledger: Ledger, question_id: str, key: bytes, contract: Contract, who: str, cost: int,
        grant: GrantUse | None = None, *, again: bool = False,
    ) -> Reservation | Remembered:  # fmt: skip
        return honest(ledger, question_id, key, contract, who, cost // 2, grant, again=again)

    monkeypatch.setattr(Ledger, "reserve", cheap)
    assert audited(PROGRAMMES[0], 2, tmp_path).unpaid > 0.1
