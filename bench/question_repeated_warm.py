"""`question_repeated_warm`: ten rows a person, of which five count by the rank that is stored."""

from __future__ import annotations

from typing import Final

from bench.crowd import ENOUGH, KEPT, THREADS, crowd, engine, milliseconds, raw_milliseconds
from bench.row import Aim, Row, Say
from bench.samples import in_turn

ROUNDS: Final = 15


def measure(say: Say) -> Row:
    """Milliseconds for counts and average incomes by district, once the data is loaded."""
    with crowd(10, say) as people:
        contract = people.contract()
        table = people.loaded(contract, "people")
        with people.raw() as raw, engine(table) as running:
            say(f"asking {ROUNDS} times")
            ours, floor = in_turn(
                lambda: milliseconds(running, contract),
                lambda: raw_milliseconds(raw),
                rounds=ROUNDS,
                warm_up=3,
            )
    return Row.of(
        "question_repeated_warm",
        ours,
        floor,
        better="lower",
        aim=Aim("ratio", 1.2) if people.rows >= ENOUGH else None,
        note=f"milliseconds; count(*) and avg(income) by 20 districts, {people.rows:,} rows, 10 a "
        f"person, at most {KEPT} counted, {THREADS} threads, with compiling, worker, noise and "
        "release; floor: the same GROUP BY over all rows in DuckDB alone, which bounds nobody",
    )
