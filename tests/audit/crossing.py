"""The whole path in memory, many times: load, read, plan, compile, release, memory, ledger, log.

A programme is what one organisation asks, in order. Every run of it is another organisation's, so
that nothing is remembered from the run before. Kept are the released numbers (which the gateway
sees too), everything else that the caller sees, and what the noise that was drawn costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from landbridge.answers import Answer
from landbridge.errors import LandbridgeError, Refused
from policies.contract import Contract, Noise
from policies.disclosure import Mechanism
from policies.noise import Draw, draw
from tests.audit.distinguisher import Claim, Finding, Knowledge, Numbers, audit
from tests.audit.mechanisms import MANY, claimed
from tests.audit.worlds import DELTA, OTHERS, World, absent, terms
from tests.people import contract, document, write
from tests.simulator import FederationSimulator, exact

EVERYBODY = '@id("audit.everybody") permit (principal, action == Action::"query", resource);'

Ask = Callable[..., None]
"""Asks one text, under `token` where it is given; a refusal is part of what is seen."""


@dataclass(frozen=True, slots=True)
class Programme:
    """What is asked, of which departments, under which terms.

    `allowance` is the epsilon that bounds the whole programme: that of one question, or a budget's.
    """

    name: str
    asks: Callable[[Ask, Callable[..., str]], None]
    changes: Mapping[str, Any] = field(default_factory=dict)
    departments: Sequence[str] = ("north",)
    worlds: tuple[World, World] = (absent, MANY)
    epsilon: float = 12.0
    allowance: float = 12.0

    def terms(self) -> dict[str, Any]:
        """Custom properties of the contract."""
        return terms(self.epsilon, **{"landbridgeRowsPerUnit": 5, **self.changes})

    def contract(self) -> Contract:
        """Its terms."""
        return contract(**self.terms())

    def claim(self) -> Claim:
        """What one unit may lose by all of it."""
        changes = self.terms() | {
            "landbridgeEpsilon": {"default": self.allowance, "maximum": self.allowance}
        }
        allowance = {"epsilon": 1e5, "delta": DELTA}
        budget = {"recipient": allowance, "overall": allowance, "period": "never"}
        return claimed(contract(**(changes | {"landbridgeBudget": budget})))


@dataclass
class Meter:
    """Draws noise and adds up what it costs, in rho; a worse mechanism can be put inside."""

    inner: Draw = draw
    rho: float = 0.0

    def __call__(self, cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        self.rho += (mechanism.sensitivity / mechanism.scale) ** 2 / 2
        return self.inner(cells, mechanism)


@dataclass(frozen=True, slots=True)
class Trace:
    """One run: released numbers in order, their scales, and all else that the caller saw."""

    numbers: tuple[int, ...]
    scales: tuple[float, ...]
    seen: tuple[str, ...]


class Crossing:
    """One programme in one world."""

    def __init__(self, programme: Programme, world: int, folder: Path, noise: Draw = draw) -> None:
        rows = programme.worlds[world](OTHERS)
        folder.mkdir(parents=True)
        files = {name: write(rows, folder / f"{name}.csv") for name in programme.departments}
        self.meter = Meter(noise)
        self._programme = programme
        self._numbers: list[int] = []
        self._scales: list[float] = []
        self._runs = 0
        self.federation = FederationSimulator(
            folder,
            files,
            document(**programme.terms()),
            draw=self.meter,
            access=EVERYBODY,
            gateway_access=EVERYBODY,
        )
        for node in self.federation.nodes.values():
            node.change = self._keep

    def run(self) -> Trace:
        """The programme once, for organisations that never asked before."""
        self._runs += 1
        self._numbers, self._scales = [], []
        seen: list[str] = []

        def token(subject: str = "alice", group: str = "a") -> str:
            return self.federation.token(subject, organisation=f"o{self._runs}{group}")

        def ask(sql: str, *, by: str | None = None, **more: Any) -> None:
            try:
                seen.append(visible(self.federation.query(sql, token=by or token(), **more)))
            except LandbridgeError as refusal:
                kind = Refused if isinstance(refusal, Refused) else type(refusal)
                seen.append(f"{kind.__name__} {refusal.reason} {refusal}")

        self._programme.asks(ask, token)
        return Trace(tuple(self._numbers), tuple(self._scales), tuple(seen))

    def spent(self) -> float:
        """What all ledgers have charged, in rho."""
        known = self._programme.contract()
        return sum(
            node.ledger.accounts(known, "")[1].spent / 1_000_000
            for node in self.federation.nodes.values()
        )

    def close(self) -> None:
        """Lets go of everything."""
        self.federation.close()

    def _keep(self, reply: Any) -> None:
        for measure in reply.release.measures:
            self._numbers += measure.units
            root = 2**0.5 if measure.noise == Noise.LAPLACE else 1.0
            self._scales += [measure.standard_deviation / measure.step / root] * len(measure.units)


def visible(answer: Answer) -> str:
    """All that a caller sees of an answer but the released numbers, and what follows from them.

    Which averages have too few rows is the noise speaking. What the other organisations of earlier
    runs have spent is left out: it grows from run to run, in every world alike.
    """
    released = [column.released for column in answer.columns]
    keys = [
        [cell.value for cell, noisy in zip(row, released, strict=True) if not noisy]
        for row in answer.cells
    ]
    notes = [note for note in answer.notes if note.kind != "untold"]
    charged = [budget.charged_micro_rho for budget in answer.cost.budgets]
    return repr((answer.columns, keys, notes, answer.cost.epsilon, charged, answer.departments,
                 answer.missing))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Audited:
    """What came of a programme in two worlds.

    `seen` holds what was visible beside the numbers, in all runs of both worlds; `unpaid` is the
    cost of the noise that was drawn and not charged, in rho.
    """

    finding: Finding
    seen: frozenset[tuple[str, ...]]
    unpaid: float


def audited(programme: Programme, runs: int, folder: Path, noise: Draw = draw) -> Audited:
    """So many runs in each world."""
    samples, seen, unpaid = [], set(), 0.0
    before: list[Numbers] = []
    scales: tuple[float, ...] = ()
    for world in (0, 1):
        told = Crossing(programme, world, folder / f"exact{world}", exact)
        trace = told.run()
        told.close()
        before.append(np.array(trace.numbers, dtype=np.float64))
        scales = trace.scales
        crossing = Crossing(programme, world, folder / f"world{world}", noise)
        traces = [crossing.run() for _ in range(runs)]
        samples.append(np.array([trace.numbers for trace in traces], dtype=np.float64))
        seen |= {trace.seen for trace in traces}
        span = programme.contract().disclosure.units_span
        unpaid = max(unpaid, crossing.meter.rho * span - crossing.spent())
        crossing.close()
    known = Knowledge(
        (before[0], before[1]), np.array(scales), programme.contract().disclosure.noise
    )
    finding = audit((samples[0], samples[1]), known, programme.claim())
    return Audited(finding, frozenset(seen), unpaid)


def _one(ask: Ask, token: Callable[..., str]) -> None:
    del token
    ask("SELECT sum(income), count(income) FROM people")


def _again(ask: Ask, token: Callable[..., str]) -> None:
    ask("SELECT sex, sum(income) AS s FROM people WHERE age >= 18 AND district='D7' GROUP BY sex")
    ask("SELECT sum(income) AS s, sex FROM people WHERE district IN ('D7') AND NOT age < 18.0 "
        "GROUP BY sex ORDER BY sex DESC")  # fmt: skip
    ask("select SEX, sum(p.income) from people p where 17 < age and (district = 'D7') group by sex",
        by=token("bob"))  # fmt: skip
    ask("SELECT sex, sum(income) FROM people WHERE district='D7' AND age>17 AND age>17 GROUP BY sex"
        " LIMIT 1")  # fmt: skip


def _departments(ask: Ask, token: Callable[..., str]) -> None:
    del token
    ask("SELECT sum(income) FROM north.people")
    ask("SELECT sum(income) FROM people")
    ask("SELECT sum(income) FROM south.people")


def _until_it_ends(ask: Ask, token: Callable[..., str]) -> None:
    for number in range(5):
        ask(f"SELECT sum(income) FROM people WHERE age <> {number}", by=token(f"clerk{number}"))


def _refusals(ask: Ask, token: Callable[..., str]) -> None:
    ask("SELECT max(income) FROM people")
    ask("SELECT sum(income) FROM people WHERE person_id = 4711")
    ask("SELECT sum(income) FROM people WHERE name = 'Zoltan Q'")
    ask("SELECT sum(income) FROM people", epsilon=13.0)
    ask("SELECT sum(income) FROM people", by=token(group="a") + "x")
    ask("SELECT sum(income) FROM people", purpose="dpv:Marketing")
    ask("SELECT avg(income) FROM people WHERE district='D7' AND age=93 AND sex='F'")


_IN_PARTS = {"landbridgeUnitsSpan": 2, "landbridgePooling": {"minimum": 3}}
_TWO_QUESTIONS = {
    # Twice the rho of epsilon 12 at delta 10^-6, and a third question does not fit.
    "recipient": {"epsilon": 18.3, "delta": DELTA},
    "overall": {"epsilon": 1e5, "delta": DELTA},
    "period": "never",
}

PROGRAMMES = (
    Programme("one question", _one),
    Programme("one question, Laplace", _one, {"landbridgeNoise": "laplace"},
              epsilon=1.0, allowance=1.0),
    Programme("asked again in other words", _again),
    # In parts: what a pooled total gives away is audited where its noise is made (tests/pooling).
    Programme("together and one by one", _departments, _IN_PARTS, ("north", "south")),
    Programme("until the budget ends", _until_it_ends, {"landbridgeBudget": _TWO_QUESTIONS},
              allowance=18.3),
    Programme("among refusals", _refusals),
)  # fmt: skip


def refused(trace: Sequence[str]) -> int:
    """How many steps of a run were refused."""
    return sum(step.startswith(Refused.__name__) for step in trace)
