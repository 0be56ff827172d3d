"""`question_unique`: a question over ten million people with one row each, beside DuckDB alone."""

from __future__ import annotations

from statistics import median
from typing import Final

from bench.crowd import ENOUGH, THREADS, crowd, engine, milliseconds, raw_milliseconds
from bench.row import Aim, Row, Say
from bench.samples import in_turn
from policies.contract import Bounds

ROUNDS: Final = 15
NARROW: Final = Bounds(0, 150_000)
"""A clip interval that a quarter of the incomes lie outside of."""


def measure(say: Say) -> Row:
    """Milliseconds for counts and average incomes by district."""
    with crowd(1, say) as people:
        plain, narrow = people.contract(), people.contract(NARROW)
        say("loading them twice: with and without a clip interval of its own")
        wide_table, narrow_table = people.loaded(plain, "wide"), people.loaded(narrow, "narrow")
        with people.raw() as raw, engine(wide_table) as wide, engine(narrow_table) as clipping:
            say(f"asking {ROUNDS} times")
            ours, clipped, floor = in_turn(
                lambda: milliseconds(wide, plain),
                lambda: milliseconds(clipping, narrow),
                lambda: raw_milliseconds(raw),
                rounds=ROUNDS,
                warm_up=3,
            )
    return Row.of(
        "question_unique",
        ours,
        floor,
        better="lower",
        aim=Aim("ratio", 1.5) if people.rows >= ENOUGH else None,
        note=f"milliseconds; count(*) and avg(income) by 20 districts, {people.rows:,} people with "
        f"one row each, {THREADS} threads, with compiling, worker, noise and release; with a clip "
        f"interval inside the bounds {median(clipped) / median(floor):.2f} times the floor; floor: "
        "the same GROUP BY of the text column in DuckDB alone, the file as it came",
    )
