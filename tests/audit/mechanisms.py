"""The release step alone, many times: every kind of measure, alone and together, in two worlds.

A scenario's exact cells come from its rows through the loader, the reader and the compiler; then
`nodes.release.release` runs as often as asked, under the node's own plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gateway.sql import read
from landbridge.levels import Level
from nodes.compile import compile_histograms, compile_question
from nodes.load import load
from nodes.release import release
from nodes.store import Store
from policies.accounting import question_rho
from policies.contract import Contract, Noise
from policies.disclosure import ReleasePlan, plan_release
from policies.noise import Draw, draw
from tests.audit.distinguisher import Claim, Finding, Knowledge, Numbers, audit
from tests.audit.worlds import DELTA, OTHERS, World, absent, planted, target, terms
from tests.people import Row, contract, write
from tests.simulator import DirectEngine, exact


@dataclass(frozen=True, slots=True)
class Scenario:
    """A question in two worlds.

    `changed` is in how many units the worlds differ by removing and adding: 1 where a person is
    absent in one, 2 where a person has another value. `departments` all hold the same rows. `share`
    is that of the runs which others get: a tree of thousands of numbers takes a tenth of a second,
    and a small tree is made by the same code.
    """

    name: str
    sql: str
    worlds: tuple[World, World] = (absent, planted(target()))
    changes: Mapping[str, Any] = field(default_factory=dict)
    changed: int = 1
    departments: int = 1
    epsilon: float = 12.0
    share: float = 1.0

    def under(self, noise: Noise) -> Scenario:
        """The same with that noise; the epsilon suits what it can be told apart by."""
        changes = {**self.changes, "landbridgeNoise": noise.value}
        epsilon = 1.0 if noise is Noise.LAPLACE else self.epsilon
        return replace(self, changes=changes, epsilon=epsilon)

    def contract(self) -> Contract:
        """Its terms."""
        return contract(**terms(self.epsilon, **self.changes))

    def runs(self, others: int, least: int = 12) -> int:
        """In each world, where others get so many."""
        return max(min(least, others), round(others * self.share))


MANY = planted(*[target()] * 5)
SPREAD = planted(*(target(district=district) for district in ("D1", "D2", "D3", "D7")))

SCENARIOS = (
    Scenario("count", "SELECT count(*) FROM people"),
    Scenario(
        "count, more rows than are counted",
        "SELECT count(*) FROM people",
        worlds=(absent, MANY),
        changes={"landbridgeRowsPerUnit": 3},
    ),
    Scenario("count of values", "SELECT count(diagnosis) FROM people"),
    Scenario("distinct units", "SELECT count(DISTINCT person_id) FROM people"),
    Scenario(
        "distinct units in several cells",
        "SELECT district, count(DISTINCT person_id) FROM people GROUP BY district",
        worlds=(absent, SPREAD),
        changes={"landbridgeRowsPerUnit": 4},
    ),
    Scenario("sum, clamped", "SELECT sum(income) FROM people"),
    Scenario("sum on a grid", "SELECT sum(height * 3 - age) FROM people"),
    Scenario(
        "average: two measures and a centre",
        "SELECT avg(income) FROM people",
        worlds=(absent, MANY),
        changes={"landbridgeRowsPerUnit": 3},
    ),
    Scenario(
        "several measures at once",
        "SELECT count(*), sum(age), avg(income), count(DISTINCT person_id), sum(height) "
        "FROM people",
    ),
    Scenario(
        "grouped cells",
        "SELECT district, sex, diagnosis, count(*) FROM people GROUP BY district, sex, diagnosis",
    ),
    Scenario(
        "grouped averages",
        "SELECT district, avg(age), count(*) FROM people GROUP BY district",
        worlds=(absent, MANY),
        changes={"landbridgeRowsPerUnit": 3},
    ),
    Scenario(
        "moments of one column",
        "SELECT stddev(income), variance(income) FROM people",
    ),
    Scenario(
        "moments of two columns",
        "SELECT corr(age, height), regr_slope(age, height) FROM people",
    ),
    Scenario(
        "CASE behind arithmetic between aggregates",
        "SELECT sum(CASE WHEN diagnosis='X1' THEN income END) * 100 / count(*) AS x FROM people",
    ),
    Scenario(
        "width buckets",
        "SELECT width_bucket(age, 0, 120, 12) AS b, sum(income) FROM people GROUP BY b",
    ),
    Scenario(
        "quantiles: a small tree of counts",
        "SELECT median(age), quantile_cont(age, 0.9) FROM people",
        worlds=(absent, MANY),
        changes={"landbridgeRowsPerUnit": 3},
        share=0.25,
    ),
    Scenario(
        "quantiles: a tree of 4,665 counts",
        "SELECT median(income), quantile_cont(income, 0.9) FROM people",
        worlds=(absent, MANY),
        changes={"landbridgeRowsPerUnit": 3},
        share=0.02,
    ),
    Scenario(
        "quantiles by group, beside a count",
        "SELECT sex, median(age), median(height), count(*) FROM people GROUP BY sex",
        share=0.1,
    ),
    Scenario(
        "another value",
        "SELECT diagnosis, count(*) FROM people GROUP BY diagnosis",
        worlds=(planted(target(diagnosis="flu")), planted(target())),
        changed=2,
    ),
    Scenario(
        "another value behind a filter",
        "SELECT count(*) FROM people WHERE district='D7' AND age=93 AND diagnosis='X1'",
        worlds=(planted(target(diagnosis="flu")), planted(target())),
        changed=2,
    ),
    Scenario(
        "two departments, one person in both",
        "SELECT count(*), sum(income) FROM people",
        changes={"landbridgeUnitsSpan": 2},
        departments=2,
    ),
    Scenario(
        "two of three departments",
        "SELECT sum(age), count(age) FROM people",
        changes={"landbridgeUnitsSpan": 3},
        departments=2,
    ),
)


Rows = Sequence[tuple[Any, ...]]
Cells = tuple[Rows, Sequence[Rows]]
"""What the engine gives: the cells of plain measures, and those of each histogram."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Plan, exact cells per world, what the attacker knows, and what is claimed."""

    scenario: Scenario
    plan: ReleasePlan
    cells: tuple[Cells, Cells]
    known: Knowledge
    claim: Claim

    def sample(self, world: int, runs: int, noise: Draw = draw, *, at_once: int = 1) -> Numbers:
        """Released numbers of all departments, runs x numbers.

        With `at_once` above 1 a release asks for the noise of so many runs in one call: the numbers
        are drawn one by one all the same, and most of what a small call costs is the call.
        """
        found = np.empty((runs, len(self.known.scales)))
        cells, bins = self.cells[world]
        for first in range(0, runs, at_once):
            many = min(at_once, runs - first)
            found[first : first + many] = np.concatenate(
                [
                    np.reshape(measure.units, (many, -1))
                    for _ in range(self.scenario.departments)
                    for measure in release(self.plan, cells, _times(noise, many), bins).measures
                ],
                axis=1,
            )
        return found

    def audited(self, runs: int, noise: Draw = draw, *, at_once: int = 1) -> Finding:
        """So many releases in each world."""
        samples = tuple(self.sample(world, runs, noise, at_once=at_once) for world in (0, 1))
        return audit((samples[0], samples[1]), self.known, self.claim)


def _times(noise: Draw, many: int) -> Draw:
    """The noise of so many releases, one after the other, asked for at once."""
    return lambda cells, mechanism: noise(list(cells) * many, mechanism)


class Worlds:
    """Tables as the loader stores them, each loaded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engines: dict[tuple[Row, ...], DirectEngine] = {}

    def engine(self, rows: Sequence[Row]) -> DirectEngine:
        """An engine over these rows."""
        key = tuple(rows)
        if key not in self._engines:
            place = self._folder / f"world{len(self._engines)}"
            place.mkdir()
            store = Store(place / "data")
            load(contract(), write(rows, place / "people.csv"), store)
            self._engines[key] = DirectEngine(store.tables())
        return self._engines[key]

    def close(self) -> None:
        """Lets go of everything."""
        for engine in self._engines.values():
            engine.close()


def prepare(
    scenario: Scenario, worlds: Worlds, *, plan_by: Contract | None = None,
    compile_by: Contract | None = None,
) -> Prepared:  # fmt: skip
    """A scenario with its exact cells.

    `plan_by` and `compile_by` stand for a node that has forgotten something: it plans, or compiles,
    by these terms instead of the contract's.
    """
    owners = scenario.contract()
    question = read(scenario.sql, lambda *_: owners, Level.RESTRICTED).question
    plan = plan_release(question, plan_by or owners, 0, 1)
    plain = [compile_question(plan, compile_by or owners)] if plan.plain else []
    statements = (*plain, *compile_histograms(plan, compile_by or owners))
    cells = []
    for world in scenario.worlds:
        engine = worlds.engine(world(OTHERS))
        found = [
            engine.run(s.sql, s.parameters, timeout=9, maximum_rows=s.rows) for s in statements
        ]
        cells.append((found[0], found[1:]) if plain else ([], found))
    before = [
        np.array(
            [u for m in release(plan, rows, exact, bins).measures for u in m.units], dtype=float
        )
        for rows, bins in cells
    ]
    scales = np.concatenate([np.repeat(m.scale, plan.cells * m.numbers) for m in plan.mechanisms])
    all_of = scenario.departments
    known = Knowledge(
        (np.tile(before[0], all_of), np.tile(before[1], all_of)),
        np.tile(scales, all_of),
        owners.disclosure.noise,
    )
    return Prepared(scenario, plan, (cells[0], cells[1]), known, claimed(owners, scenario.changed))


def claimed(owners: Contract, changed: int = 1) -> Claim:
    """What one question under these terms may cost the units in which the worlds differ.

    Group privacy multiplies epsilon and mu by the number of units; the delta grows to
    (1 + e^epsilon) delta for two (Dwork, Roth 2014, theorem 2.2 and lemma 2.3 of Vadhan 2017).
    """
    terms = owners.disclosure
    epsilon = terms.default_epsilon
    rho = question_rho(epsilon, DELTA, terms.noise)
    loss = epsilon if terms.noise is Noise.LAPLACE else math.sqrt(2 * rho)
    delta = DELTA if changed == 1 else DELTA * (1 + math.exp(epsilon))
    return Claim(terms.noise, changed * loss, changed * epsilon, delta)
