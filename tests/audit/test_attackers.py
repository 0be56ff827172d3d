"""Attackers against real noise lose; the same attackers without noise win.

An attacker wins by luck alone with a probability of at most 10^-6 (`attackers.ALARM`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from policies.noise import Draw
from tests.audit import attackers
from tests.audit.attackers import (
    averaging,
    bisection,
    bits,
    differencing,
    games,
    memory,
    ordering,
    race,
    reconstruction,
    singling_out,
)
from tests.audit.outcome import Outcome
from tests.audit.series import series
from tests.simulator import exact

Attack = Callable[..., Outcome]


def by_differencing(folder: Path, effort: int, *noise: Draw) -> Outcome:
    """Attacks 3 and 4."""
    return games("differencing", folder, effort, differencing, *noise)


def by_singling_out(folder: Path, effort: int, *noise: Draw) -> Outcome:
    """Attacks 2 and 50."""
    return games("singling out", folder, effort, singling_out, *noise)


@pytest.mark.parametrize(
    ("attack", "effort"),
    [
        (averaging, 60),
        (by_differencing, 12),
        (by_singling_out, 12),
        (bisection, 4),
        (reconstruction, 60),
        (race, 1),
        (memory, 20),
        (bits, 40),
        (ordering, 3),
        (series, 6),
    ],
)
def test_an_attacker_stays_under_the_bound(attack: Attack, effort: int, tmp_path: Path) -> None:
    """The advantage over guessing is what the budget allows at most."""
    outcome = attack(tmp_path / "attack", effort)
    assert not outcome.through, outcome.line()
    assert json.loads(json.dumps(asdict(outcome)))["through"] is False  # a worker can tell it


@pytest.mark.parametrize(
    ("attack", "effort"),
    [(by_differencing, 40), (by_singling_out, 40), (bisection, 8), (reconstruction, 60)],
)
def test_the_same_attacker_wins_where_there_is_no_noise(
    attack: Attack, effort: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: an attacker who never wins would prove nothing."""
    monkeypatch.setattr(attackers, "MU", 0.5)  # fewer games then suffice for a verdict
    assert attack(tmp_path / "attack", effort, exact).through
