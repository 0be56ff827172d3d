"""A series of linked questions whose sets differ by a few people (78).

Guo, Li, Wang et al., Birds of a Feather Flock Together (USENIX Security 2022), find members of the
other set with about 135 sizes of intersections. Here the attacker's department chooses its own set
anew for every question, by a filter on its own column, knows everybody in it, and asks as one
organisation until its budget ends.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any, Final

import numpy as np

from landbridge.errors import Refused
from policies.accounting import rho_of
from policies.noise import Draw, draw
from tests.audit import bound
from tests.audit.attackers import ALARM
from tests.audit.outcome import Outcome
from tests.linked import world

MOST: Final = 101
"""People in the attacker's set; `marks` from 0 to 100 tells them apart."""
FULL: Final = 135
BUDGET: Final = 8.0
DELTA: Final = 1e-4


def series(folder: Path, effort: int, noise: Draw = draw, *, budget: float = BUDGET) -> Outcome:
    """Whom does tax have, of those whom school has? By `effort` sizes of intersections.

    Allowed: as the best guess, five points, and what luck adds (`ALARM`).
    """
    source = random.Random(11)
    people = min(MOST, max(34, effort * 3 // 4))
    truth = np.array([source.random() < 0.5 for _ in range(people)])
    allowance = {"epsilon": budget, "delta": DELTA}
    terms: dict[str, Any] = {
        "landbridgeBudget": {"recipient": allowance, "overall": allowance, "period": "never"},
        "landbridgeEpsilon": {"default": 1.0, "maximum": budget},
    }
    federation = world.federation(
        folder, ("school", "tax"), draw=noise,
        contents={
            "pupils": [(person, 1, person) for person in range(people)],
            "earners": [(n, "low", "A", 0, 0.0) for n in range(people) if truth[n]],
        },
        terms={"pupils": terms, "earners": terms},
    )  # fmt: skip
    # Each asks for what the whole series may just cost, as a patient attacker does.
    each = _each(budget, effort)
    # Two sets that differ by one person tell whether tax has them.
    last = [source.sample(range(people), people) for _ in range(effort // people + 1)]
    equations, sizes, stopped = [], [], 0
    try:
        for place in [place for order in last for place in order][:effort]:
            sql = (
                "SELECT count(*) FROM tax.earners JOIN school.pupils USING (person) "
                f"WHERE marks <= {place}"
            )
            try:
                size = federation.query(sql, epsilon=each).rows()[0][0]
            except Refused:
                stopped += 1
                continue
            if isinstance(size, int | float):
                equations.append([person <= place for person in range(people)])
                sizes.append(size)
    finally:
        federation.close()
    guess = np.zeros(people)
    if sizes:
        asked = np.array(equations, float)
        # Ridge, towards a half: where sizes say nothing, nobody is named before another.
        gram = asked.T @ asked + 0.01 * np.eye(people)
        guess = np.linalg.solve(gram, asked.T @ (np.array(sizes) - asked.sum(1) / 2))
    named = np.zeros(people, bool)
    named[np.argsort(-guess)[: int(truth.sum())]] = True
    wrong = int((named != truth).sum())
    base = float(max(truth.mean(), 1 - truth.mean()))
    return Outcome(
        "linked: a series of sets that differ by a few", effort, stopped, "noise, budget",
        f"{people - wrong} of {people} right ({base + 0.05:.2f}; guessing {base:.2f})",
        through=1 - bound.upper(wrong, people, ALARM) > base + 0.05,
    )  # fmt: skip


def _each(budget: float, questions: int) -> float:
    """The epsilon at which so many questions just spend the budget; half of delta is kept apart."""
    rho = rho_of(budget, DELTA / 2) / questions * 0.98
    return max(0.02, rho + 2 * math.sqrt(rho * math.log(2 / DELTA)) - 1e-4)
