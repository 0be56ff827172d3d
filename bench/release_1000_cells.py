"""`release_1000_cells`: the release step alone, from exact cells to what may leave."""

from __future__ import annotations

from typing import Final

from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from landbridge.levels import Level
from nodes.release import release
from policies.contract import Allowance, Column, Contract, Disclosure, Method, Type
from policies.disclosure import plan_release
from policies.noise import draw
from policies.question import Count, Question, Whole

CELLS: Final = 1_000
ROUNDS: Final = 25


def measure(say: Say) -> Row:
    """Milliseconds for one count in each of 1,000 cells."""
    say(f"releasing {CELLS:,} cells {ROUNDS} times")
    contract = _contract()
    plan = plan_release(Question("visits", (Count(),), (Whole("ward"),)), contract, 0, 1)
    rows = [(place, 100 + place) for place in range(CELLS)]
    exact = [count for _, count in rows]
    ours, floor = in_turn(
        lambda: 1e3 * seconds(lambda: release(plan, rows, draw)),
        lambda: 1e3 * seconds(lambda: draw(exact, plan.mechanisms[0])),
        rounds=ROUNDS,
        warm_up=3,
    )
    return Row.of(
        "release_1000_cells",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 20),
        note="milliseconds; one count(*) per cell, Gaussian noise, no engine, no wire; floor: "
        "OpenDP's draw over the same vector alone",
    )


def _contract() -> Contract:
    wards = tuple(f"ward {number:04}" for number in range(CELLS))
    return Contract(
        id="visits",
        version="1",
        title="Visits",
        description="",
        columns=(
            Column("person", Type.TEXT, Level.SEALED),
            Column("ward", Type.TEXT, Level.OPEN, domain=wards),
        ),
        unit="person",
        purposes=frozenset({"dpv:ResearchAndDevelopment"}),
        disclosure=Disclosure(
            Method.DP,
            rows_per_unit=4,
            recipient=Allowance(10.0, 1e-6),
            overall=Allowance(20.0, 1e-6),
        ),
        digest="0" * 64,
    )
