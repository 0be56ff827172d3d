"""Selection alone, very often: what one unit's own value, and one unit's vote, give away.

Where a value is held by one unit only, the neighbouring table cannot show it at all: then the
probability that it shows is at most e^epsilon * 0 + delta, so showing more often than delta is a
breach, whatever epsilon. Where both tables hold a value, showing it is a test of which table it
was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nodes.selection import select
from policies.contract import Noise
from policies.disclosure import ReleasePlan
from policies.noise import Draw, draw
from tests.audit import bound
from tests.audit.bound import Errors
from tests.audit.distinguisher import ALARM
from tests.selection.contracts import found, planned, whole_budget

Spoil = Callable[[ReleasePlan], ReleasePlan]
BATCH = 8_000
"""Values counted at once; noise is drawn for each of them on its own."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One question that takes the whole budget, of people with so many rows each."""

    noise: Noise
    rows: int
    epsilon: float

    def plan(self) -> ReleasePlan:
        """Its plan; delta is the largest that a contract may have."""
        terms = whole_budget(self.noise, self.epsilon, landbridgeRowsPerUnit=self.rows)
        return planned(found(**terms))[0]


SCENES = (
    Scene(Noise.GAUSSIAN, 1, 6.0),
    Scene(Noise.GAUSSIAN, 4, 4.0),
    Scene(Noise.LAPLACE, 1, 3.0),
    Scene(Noise.LAPLACE, 4, 10.0),
)
"""Where a threshold lower by one would show a single unit at least three times too often."""


def passed(plan: ReleasePlan, units: int, runs: int, noise: Draw = draw) -> list[bool]:
    """For each of so many values, held by so many units each, whether it shows."""
    shown: list[bool] = []
    while len(shown) < runs:
        rows = [(code, f"{code:06}", units) for code in range(BATCH)]
        codes = set(select(plan, rows, noise).codes)
        shown += [code in codes for code in range(BATCH)]
    return shown


def shows_alone(plan: ReleasePlan, runs: int, noise: Draw = draw) -> float:
    """A lower limit of the probability that a unit's own values show; wrong once in 10^6."""
    assert plan.selection is not None
    votes = plan.selection.votes
    shown = passed(plan, 1, runs * votes, noise)
    units = [any(shown[first : first + votes]) for first in range(0, len(shown), votes)]
    return 1 - bound.upper(len(units) - sum(units), len(units), ALARM)


def told_by_one_vote(plan: ReleasePlan, runs: int, noise: Draw = draw) -> float:
    """A lower bound on epsilon at the claimed delta: one vote where about half of all runs show."""
    assert plan.selection is not None
    least = plan.selection.threshold
    without, having = (passed(plan, units, runs, noise) for units in (least - 1, least))
    errors = Errors(sum(without), len(without), len(having) - sum(having), len(having))
    return bound.epsilon(errors, plan.delta, ALARM)
