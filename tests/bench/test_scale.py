"""The nation on paper: queues that agree with formulas, costs that fit, a page that is fresh."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import lru_cache
from math import factorial
from pathlib import Path

import pytest

from bench.scale import __main__ as made_by
from bench.scale.__main__ import DOCS, main
from bench.scale.costs import MEASURED, Costs, fitted
from bench.scale.drawing import picture, x_of
from bench.scale.nation import Nation, gateways_needed, places
from bench.scale.page import TIMES, growth, tables
from bench.scale.simulation import answered_whole, fresh, simulate
from bench.scale.stations import Commits, Station

COSTS = Costs.of(
    {
        "call_ms": {"gateway": 2.0, "node": 2.0, "worker": 1.0},
        "remembered_ms": 4.0,
        "scan_ms": [[1_000_000, 10.0], [2_000_000, 16.0]],
        "part_ms": 10.0,
        "mask_us": 20.0,
        "upkeep_ms": 1.0,
        "locked_share": 0.5,
        "entry_bytes": 1_000,
        "sync_ms": 1.0,
        "verify_us": 10.0,
    }
)
SMALL = Nation(departments=20, rows=1e6, questions_a_day=4e6)


def erlang_c(offered: float, servers: int) -> float:
    """The share that waits at M/M/c (Erlang 1917)."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize(("offered", "servers"), [(0.7, 1), (1.4, 2), (6.0, 8)])
def test_a_station_waits_as_erlang_says(offered: float, servers: int) -> None:
    """The mean wait is C / (c - a); 200,000 arrivals lie within 12 % of it (seeded, seen once)."""
    chance = random.Random(1)
    now, arrivals = 0.0, []
    for _ in range(200_000):
        now += chance.expovariate(offered)
        arrivals.append(now)
    station, waited = Station(servers), 0.0
    for arrives in arrivals:
        service = chance.expovariate(1.0)
        waited += (station.done(arrives, service) - arrives - service) / len(arrivals)
    expected = erlang_c(offered, servers) / (servers - offered)
    assert waited == pytest.approx(expected, rel=0.12)


def test_one_server_of_constant_service_waits_as_pollaczek_and_khinchine_say() -> None:
    """A wait of rho / (2 (1 - rho)) of a service time, half of what uneven service costs."""
    chance = random.Random(2)
    now, station, waited = 0.0, Station(), 0.0
    for _ in range(200_000):
        now += chance.expovariate(0.8)
        waited += (station.done(now, 1.0) - now - 1.0) / 200_000
    assert waited == pytest.approx(0.8 / (2 * 0.2), rel=0.12)


def test_who_came_first_is_served_first_and_a_commit_takes_all_who_wait() -> None:
    """By hand: two servers and three who come; a log whose second commit has three entries."""
    station = Station(2)
    assert [station.done(*each) for each in ((0, 5), (1, 3), (2, 1))] == [5, 4, 5]
    assert station.busy == 9
    log = Commits(1.0)
    assert [log.done(each) for each in (0.1, 0.5, 0.9, 1.1, 5.0)] == [1.1, 2.1, 2.1, 2.1, 6.0]
    with pytest.raises(ValueError, match="at least one"):
        Station(0)


def test_a_line_goes_through_what_was_measured() -> None:
    """And one that would begin below nothing begins at nothing: no question is cheaper."""
    line = fitted([(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)])
    assert line.base == pytest.approx(3.0)
    assert line.slope == pytest.approx(2.0)
    assert fitted([(1.0, 1.0), (10.0, 20.0)]).base == 0.0
    assert fitted([(1.0, 3.0), (2.0, 2.0)]).slope == 0.0
    assert COSTS.scan.at(1e9) == pytest.approx(6.004, rel=1e-3)


def test_simulated_shares_are_those_of_the_model_and_a_full_gateway_queues() -> None:
    """Below one they agree; beyond one the wait grows with the hour, and more gateways end it."""
    one = simulate(SMALL, COSTS, gateways=1, seconds=60, seed=3)
    model = {place.name: place.used for place in places(SMALL, COSTS, 1)}
    assert one.gateway == pytest.approx(model["gateway, interpreter's lock"], rel=0.1)
    assert one.node == pytest.approx(model["busiest node, interpreter's lock"], rel=0.1)
    assert one.slowest < 0.1
    crowded = replace(SMALL, questions_a_day=SMALL.questions_a_day * 10)
    full = simulate(crowded, COSTS, gateways=1, seconds=20, seed=3)
    assert full.gateway > 1
    assert full.slowest > 1.0
    needed = gateways_needed(crowded, COSTS)
    assert needed > 1
    assert simulate(crowded, COSTS, gateways=needed, seconds=20, seed=3).slowest < full.slowest / 10


def test_new_tables_wait_for_the_cores_of_the_department() -> None:
    """The share in use is rate times work over cores; four times the cores, a quarter of it."""
    nation = replace(SMALL, rows=1e8, questions_a_day=1e7)
    few, many = (fresh(nation, COSTS, cores=n, count=20_000, seed=4) for n in (2, 8))
    rate = nation.busiest * nation.fresh * nation.share(1)
    assert few.used == pytest.approx(rate * COSTS.scan.at(1e8) / 2, rel=0.05)
    assert many.used == pytest.approx(few.used / 4, rel=0.05)
    assert many.slowest < few.slowest / 4


def test_everybody_is_up_as_seldom_as_their_product() -> None:
    """Four standard deviations of 2,000 draws: one run in 16,000 would fail (the seed is fixed)."""
    share = answered_whole(Nation(departments=1_000), 0.999, 2_000, 5)
    assert abs(share - 0.999**1_000) < 4 * (0.37 * 0.63 / 2_000) ** 0.5


def test_the_mix_is_whole_and_popularity_adds_up() -> None:
    """What is assumed leaves no question out."""
    nation = Nation()
    assert nation.calls + nation.remembered + nation.fresh == pytest.approx(1.0)
    assert sum(nation.share(rank) for rank in range(1, 1_001)) == pytest.approx(1.0)
    assert nation.mean == pytest.approx(231.5, rel=0.01)


def test_the_picture_marks_what_is_full() -> None:
    """As many marks as places and loads; brown from one on."""
    grown = growth(Nation(), Costs.read())
    drawn = picture(grown)
    assert drawn.count("<circle") == len(TIMES) * len(grown[0][1])
    full = sum(place.used >= 1 for _, found in grown for place in found)
    assert drawn.count('fill="#b7791f"') == full > 0
    assert x_of(0.0001) == x_of(0.01) < x_of(1.0) < x_of(1e6)


def test_the_page_is_what_the_measurements_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and picture are made anew and compared; a page that says otherwise is stale."""
    # Made once here: it takes seconds, and is the same each time.
    monkeypatch.setattr(made_by, "tables", lru_cache(tables))
    assert main(["--check"]) == 0
    for name in ("scale.md", "scale.svg"):
        (tmp_path / name).write_text((DOCS / name).read_text("utf-8"), "utf-8")
    text = (tmp_path / "scale.md").read_text("utf-8")
    (tmp_path / "scale.md").write_text(text.replace("| handler's call |", "| a call |"), "utf-8")
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert (tmp_path / "scale.md").read_text("utf-8") == text
    assert {"when", "load", "cores"} <= json.loads(MEASURED.read_text("utf-8")).keys()
