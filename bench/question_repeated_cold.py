"""`question_repeated_cold`: what bounding costs whoever asks new data once and never again.

Ranks are stored when data is loaded, so no caller ever waits for them. This row puts their whole
price on one question: loading with numbered units and ranks, less loading the same file as if it
described nobody, plus the first question to a worker that has just started.
"""

from __future__ import annotations

import os
from itertools import count
from statistics import median
from typing import Final

from bench.crowd import (
    ENOUGH,
    KEPT,
    THREADS,
    Crowd,
    crowd,
    engine,
    milliseconds,
    raw_milliseconds,
)
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from policies.contract import Contract

ROUNDS: Final = 3


def measure(say: Say) -> Row:
    """Milliseconds for ranking at load and the first question, together."""
    with crowd(10, say) as people, people.raw() as raw:
        say(f"loading with ranks and without, {ROUNDS} rounds")
        store = count()
        work: dict[str, list[float]] = {"with": [], "without": []}

        def loading(kind: str, contract: Contract) -> float:
            before = _processor_seconds()
            took = seconds(lambda: people.loaded(contract, f"store{next(store)}"))
            work[kind].append(_processor_seconds() - before)
            return 1e3 * took

        ranked, plain, first, floor = in_turn(
            lambda: loading("with", people.contract()),
            lambda: loading("without", people.unprotected()),
            lambda: _first(people),
            lambda: raw_milliseconds(raw),
            rounds=ROUNDS,
        )
    ours = [
        with_ranks - without + asking
        for with_ranks, without, asking in zip(ranked, plain, first, strict=True)
    ]
    return Row.of(
        "question_repeated_cold",
        ours,
        floor,
        better="lower",
        aim=Aim("ratio", 4) if people.rows >= ENOUGH else None,
        note=f"milliseconds; {people.rows:,} rows, 10 a person, at most {KEPT} counted: what "
        "numbering, ranking and ordering add to a load (on all cores), plus the first question "
        f"to a worker that has just started ({THREADS} threads), which alone takes "
        f"{median(first) / median(floor):.1f} times the floor; the load takes "
        f"{median(work['with']):.1f} seconds of processor time with ranks and "
        f"{median(work['without']):.1f} without; floor: the same GROUP BY over all "
        "rows in DuckDB alone, warm, which bounds nobody",
    )


def _processor_seconds() -> float:
    """What this process has used, over all threads; a busy machine changes it less than a clock."""
    times = os.times()
    return times.user + times.system


def _first(people: Crowd) -> float:
    """How long a started worker takes for its first question; the table is loaded only once."""
    contract = people.contract()
    with engine(people.loaded(contract, "first")) as running:
        return milliseconds(running, contract)
