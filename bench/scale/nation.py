"""The federation that is looked at: a thousand departments, a hundred million people, a day's load.

What is assumed stands here, each number with its reason; what it costs stands in `costs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.scale.costs import Costs

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Nation:
    """Who asks whom, how much. The mix is of all questions and adds up to one."""

    departments: int = 1_000
    rows: float = 1e9
    citizens: float = 1e8
    questions_a_day: float = 2e7
    peak: float = 3.0
    """The busiest hour over the day's mean: a working day of eight hours."""
    calls: float = 0.95
    """About one person: what national exchanges carry nearly alone."""
    remembered: float = 0.049
    """A table that somebody asked for before, over the same data."""
    fresh: float = 0.001
    """A table that nobody asked for: budgets allow no more of them."""
    wide_a_day: float = 100.0
    """Totals over all departments at once."""

    @property
    def mean(self) -> float:
        """Questions a second, over the day."""
        return self.questions_a_day / DAY

    @property
    def busiest(self) -> float:
        """Questions a second in the busiest hour."""
        return self.mean * self.peak

    def share(self, rank: int) -> float:
        """Of all questions, those to the department of that rank, the most asked being 1 (Zipf)."""
        return 1 / rank / sum(1 / each for each in range(1, self.departments + 1))


@dataclass(frozen=True, slots=True)
class Place:
    """Something that can be full: `load` in its own units a second, `room` how much it has."""

    name: str
    load: float
    room: float
    what: str

    @property
    def used(self) -> float:
        """Its share in use; from 1 on it is full."""
        return self.load / self.room


def places(nation: Nation, costs: Costs, gateways: int = 1) -> list[Place]:
    """Every place in the busiest hour with that many gateways, the fullest first.

    A node has two cores for questions, as `threads = 2` of its settings, and two workers for calls.
    A log is no such place: a commit takes everybody who waits, so it is fuller and not later.
    """
    busiest = nation.busiest
    wide = nation.wide_a_day / DAY * nation.peak
    at_gateway = (
        busiest * (nation.calls * costs.gateway + nation.remembered * costs.remembered / 2)
        + busiest * nation.fresh * costs.gateway
        + wide * nation.departments * costs.part / 2
        + nation.departments * costs.upkeep / 2 / 5.0 * gateways
    )
    top = nation.share(1)
    asked = busiest * top
    at_node = (
        asked * (nation.calls * costs.node + nation.remembered * costs.remembered / 2)
        + asked * nation.fresh * costs.node
        + wide * (costs.part / 2 + nation.departments * costs.mask)
    )
    scanning = (asked * nation.fresh + wide) * costs.scan.at(nation.rows)
    return sorted(
        [
            Place(
                "gateway, interpreter's lock",
                at_gateway * costs.locked,
                float(gateways),
                "a gateway process more ([operating](operating.md)): any answers any caller",
            ),
            Place(
                "busiest node, interpreter's lock",
                at_node * costs.locked,
                1.0,
                "replicas of the node over one engine: not there yet",
            ),
            Place(
                "busiest node, workers of handlers",
                asked * nation.calls * costs.worker,
                2.0,
                "`limits.workers`, cores",
            ),
            Place(
                "busiest node, rows",
                scanning,
                2.0,
                "`limits.threads`, cores; then PostgreSQL or Spark under the node",
            ),
        ],
        key=lambda place: -place.used,
    )


def gateways_needed(nation: Nation, costs: Costs, most: float = 0.7) -> int:
    """The fewest gateway processes of which none is in use for more than that share."""
    number = 1
    while number < 1_000:
        found = {place.name: place for place in places(nation, costs, number)}
        if found["gateway, interpreter's lock"].used <= most:
            return number
        number += 1
    return number
