"""The tables of docs/scale.md, made from the costs and from simulated hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.scale.costs import Costs
from bench.scale.nation import DAY, Nation, Place, gateways_needed, places
from bench.scale.simulation import answered_whole, fresh, simulate

TIMES: Final = (1.0, 3.0, 10.0)
"""Multiples of the day's load that are looked at."""
SEED: Final = 20_261_127


def growth(nation: Nation, costs: Costs) -> list[tuple[float, list[Place]]]:
    """How full everything is with one gateway, at each multiple."""
    return [
        (times, places(replace(nation, questions_a_day=nation.questions_a_day * times), costs))
        for times in TIMES
    ]


def tables(nation: Nation, costs: Costs, seconds: float) -> dict[str, str]:
    """Each table by its name in the page; simulated for so many seconds."""
    return {
        "costs": _costs(nation, costs),
        "full": _full(nation, costs),
        "gateways": _gateways(nation, costs, seconds),
        "fresh": _fresh(nation, costs, int(1_000 * seconds)),
        "wide": _wide(nation, int(100 * seconds)),
        "kept": _kept(nation, costs),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _costs(nation: Nation, costs: Costs) -> str:
    whole = costs.gateway + costs.node + costs.worker
    day = nation.questions_a_day
    return _table(
        ["question", "core-seconds each", "a day", "cores, over the day"],
        [
            [
                "handler's call",
                f"{whole * 1e3:.1f} ms (gateway {costs.gateway * 1e3:.1f}, node "
                f"{costs.node * 1e3:.1f}, worker {costs.worker * 1e3:.1f})",
                f"{day * nation.calls:.3g}",
                f"{day * nation.calls * whole / DAY:.2f}",
            ],
            [
                "remembered table",
                f"{costs.remembered * 1e3:.1f} ms",
                f"{day * nation.remembered:.3g}",
                f"{day * nation.remembered * costs.remembered / DAY:.2f}",
            ],
            [
                f"fresh table over {nation.rows:.0e} rows",
                f"{costs.scan.at(nation.rows):.1f} s ({costs.scan.slope * 1e9:.1f} ns a row and "
                f"{costs.scan.base * 1e3:.1f} ms)",
                f"{day * nation.fresh:.3g}",
                f"{day * nation.fresh * costs.scan.at(nation.rows) / DAY:.2f}",
            ],
            [
                f"total over {nation.departments:,} departments",
                f"{nation.departments * costs.part:.1f} s and {nation.departments:,} tables' rows",
                f"{nation.wide_a_day:.3g}",
                f"{nation.wide_a_day * nation.departments * costs.part / DAY:.2f}",
            ],
        ],
    )


def _full(nation: Nation, costs: Costs) -> str:
    grown = growth(nation, costs)
    return _table(
        ["place", *(f"at {times:g}x" for times, _ in grown), "what to add when it is full"],
        [
            [
                place.name,
                *(_share(_named(found, place.name).used) for _, found in grown),
                place.what,
            ]
            for place in grown[0][1]
        ],
    )


def _gateways(nation: Nation, costs: Costs, seconds: float) -> str:
    needed = gateways_needed(nation, costs)
    rows = []
    for number in sorted({1, max(1, needed - 1), needed, needed + 2}):
        model = _named(places(nation, costs, number), "gateway, interpreter's lock").used
        seen = simulate(nation, costs, gateways=number, seconds=seconds, seed=SEED)
        full = seen.gateway >= 1
        rows.append(
            [
                f"{number}",
                _share(model),
                _share(seen.gateway),
                "the queue grows" if full else f"{seen.median * 1e3:.0f} ms",
                "the queue grows" if full else f"{seen.slowest * 1e3:.0f} ms",
                _share(seen.node),
            ]
        )
    head = ["gateways", "in use, model", "by questions, simulated", "median", "99 of 100 within"]
    return _table([*head, "busiest node, simulated"], rows)


def _fresh(nation: Nation, costs: Costs, count: int) -> str:
    rows = []
    for cores in (2, 8, 32):
        rate = nation.busiest * nation.fresh * nation.share(1)
        model = rate * costs.scan.at(nation.rows) / cores
        seen = fresh(nation, costs, cores=cores, count=count, seed=SEED)
        full = model >= 1
        rows.append(
            [
                f"{cores}",
                _share(model),
                "the queue grows" if full else f"{seen.median:.1f} s",
                "the queue grows" if full else f"{seen.slowest:.1f} s",
            ]
        )
    return _table(
        ["cores at the busiest department", "in use, model", "median", "99 of 100 within"], rows
    )


def _wide(nation: Nation, tries: int) -> str:
    rows = [
        [
            f"{up * 100:g} %",
            f"{up**nation.departments:.1%}",
            f"{answered_whole(nation, up, tries, SEED):.1%}",
        ]
        for up in (0.999, 0.9999, 0.99999)
    ]
    return _table(["each department is up", "all are up, model", "simulated"], rows)


def _kept(nation: Nation, costs: Costs) -> str:
    day = nation.questions_a_day
    top = day * nation.share(1)
    return _table(
        ["what grows", "a day", "a year", "so that"],
        [
            [
                "gateways' logs together",
                f"{day * costs.entry / 1e9:.0f} GB",
                f"{day * costs.entry * 365 / 1e12:.1f} TB",
                f"a start verifies what is published: {day * costs.verify / 60:.0f} minutes of one "
                "core for each day in one log; archive by the week, and share it among replicas",
            ],
            [
                "busiest department's log",
                f"{top * costs.entry / 1e9:.1f} GB",
                f"{top * costs.entry * 365 / 1e9:.0f} GB",
                f"{top * costs.verify / 60:.1f} minutes for each day",
            ],
            [
                "busiest department's distinct subjects of a yearly quota",
                f"up to {top * nation.calls:.2g}",
                f"up to {min(nation.citizens, top * nation.calls * 365):.0e} a handler and office",
                "counts of periods that are over are never pruned today",
            ],
        ],
    )


def _named(found: Sequence[Place], name: str) -> Place:
    return next(place for place in found if place.name == name)


def _share(used: float) -> str:
    return f"{used:.0%}" if used < 10 else f"{used:.0f} times"
