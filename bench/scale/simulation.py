"""A stretch of the busiest hour, question by question: what they wait for, what is full.

A question passes its gateway (one interpreter), its department (one interpreter, then a worker or
the engine), both logs, and the gateway again. Service times are the measured means, each drawn
anew (exponential: as uneven as a queue's formulas usually take it).
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from bench.scale.costs import Costs
from bench.scale.nation import Nation
from bench.scale.stations import Commits, Station, quantile

LAST: Final = 5
"""The stages of a question: gateway, node, worker, node's log, gateway, gateway's log."""

WAY: Final = 0.001
"""Seconds from gateway to node and back, within one country's network."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it. Times in seconds; shares are of what a place has to give.

    `slowest` is the 99th percentile. Fresh questions are not among them: see `fresh`.
    """

    questions: int
    median: float
    slowest: float
    gateway: float
    node: float


def simulate(nation: Nation, costs: Costs, *, gateways: int, seconds: float, seed: int) -> Seen:
    """So many seconds at the busiest hour's rate.

    What happens is taken in the order of time, whoever it happens to: a question comes back to its
    gateway, and waits there behind those that came meanwhile.
    """
    chance = random.Random(seed)
    upkeep = nation.departments * costs.upkeep / 2 / 5.0 * costs.locked
    # What looks after the members takes its share of each gateway's interpreter.
    slower = 1 / max(0.05, 1 - upkeep)
    at_gateway = [Station() for _ in range(gateways)]
    gateway_logs = [Commits(costs.sync) for _ in range(gateways)]
    nodes = [Station() for _ in range(nation.departments)]
    workers = [Station(2) for _ in range(nation.departments)]
    node_logs = [Commits(costs.sync) for _ in range(nation.departments)]

    def takes(mean: float) -> float:
        return chance.expovariate(1 / mean) if mean > 0 else 0.0

    def step(now: float, stage: int, number: int) -> float:
        """When what a question does there is done."""
        place, node = chosen[number], asked[number]
        match stage:
            case 0 | 4:  # (5) before the department's work, (11) after it: half each
                return at_gateway[place].done(
                    now, takes(costs.gateway * costs.locked / 2) * slower
                ) + (WAY / 2 if stage == 0 else 0.0)
            case 1:
                return nodes[node].done(now, takes(costs.node * costs.locked))
            case 2:
                called = kinds[number] == "call"
                return workers[node].done(now, takes(costs.worker)) if called else now
            case 3:  # (10)
                return node_logs[node].done(now) + WAY / 2
            case _:  # (12)
                return gateway_logs[place].done(now)

    arrivals = _poisson(nation.busiest, seconds, chance)
    kinds = [_kind(nation, chance) for _ in arrivals]
    asked = _departments(nation, len(arrivals), chance)
    chosen = [chance.randrange(gateways) for _ in arrivals]
    coming = [(when, 0, number) for number, when in enumerate(arrivals)]
    heapq.heapify(coming)
    took = []
    while coming:
        now, stage, number = heapq.heappop(coming)
        done = step(now, stage, number)
        if stage < LAST:
            heapq.heappush(coming, (done, stage + 1, number))
        elif kinds[number] != "fresh":  # those wait for their rows: see `fresh`
            took.append(done - arrivals[number])
    return Seen(
        len(arrivals),
        quantile(took, 0.5),
        quantile(took, 0.99),
        sum(each.busy for each in at_gateway) / gateways / seconds,
        nodes[0].busy / seconds,
    )


@dataclass(frozen=True, slots=True)
class Fresh:
    """Fresh questions at the most asked department: seconds, and the share of its cores in use."""

    median: float
    slowest: float
    used: float


def fresh(nation: Nation, costs: Costs, *, cores: int, count: int, seed: int) -> Fresh:
    """So many of them, one after the other, each on all cores, as DuckDB takes them."""
    chance = random.Random(seed)
    rate = nation.busiest * nation.fresh * nation.share(1)
    engine, took, now = Station(), [], 0.0
    for _ in range(count):
        now += chance.expovariate(rate)
        done = engine.done(now, chance.expovariate(cores / costs.scan.at(nation.rows)))
        took.append(done - now)
    return Fresh(quantile(took, 0.5), quantile(took, 0.99), engine.busy / done)


def answered_whole(nation: Nation, up: float, tries: int, seed: int) -> float:
    """Of totals over all departments, those for which each of them was up; `up` is one's share."""
    chance = random.Random(seed)
    return (
        sum(all(chance.random() < up for _ in range(nation.departments)) for _ in range(tries))
        / tries
    )


def _poisson(rate: float, seconds: float, chance: random.Random) -> list[float]:
    found, now = [], 0.0
    while (now := now + chance.expovariate(rate)) < seconds:
        found.append(now)
    return found


def _kind(nation: Nation, chance: random.Random) -> str:
    drawn = chance.random()
    if drawn < nation.calls:
        return "call"
    return "remembered" if drawn < nation.calls + nation.remembered else "fresh"


def _departments(nation: Nation, count: int, chance: random.Random) -> list[int]:
    ends = list(accumulate(nation.share(rank) for rank in range(1, nation.departments + 1)))
    return [bisect_left(ends, chance.random() * ends[-1]) for _ in range(count)]
