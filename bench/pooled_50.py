"""`pooled_50`: one question to fifty departments, pooled, beside the plain fan-out."""

from __future__ import annotations

from itertools import count
from statistics import median
from typing import Final

from bench.many import DEPARTMENTS, PLAIN, Many, many
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds

ROUNDS: Final = 9
FEW: Final = "district, sex"
WIDE: Final = "date_trunc('day', moved), sex"
"""866 cells."""


def measure(say: Say) -> Row:
    """Milliseconds from the caller's text to the answer."""
    say(f"loading {DEPARTMENTS} departments")
    with many() as federation:
        fresh = count()
        say(f"asking {DEPARTMENTS} departments {ROUNDS} times each way")

        def sample(table: str, keys: str) -> float:
            return 1e3 * seconds(lambda: _ask(federation, table, keys, next(fresh)))

        pooled, plain, wide, wide_plain = in_turn(
            lambda: sample("people", FEW),
            lambda: sample(PLAIN, FEW),
            lambda: sample("people", WIDE),
            lambda: sample(PLAIN, WIDE),
            rounds=ROUNDS,
        )
    return Row.of(
        "pooled_50",
        pooled,
        plain,
        better="lower",
        aim=Aim("ratio", 2),
        note=f"milliseconds; a count and a sum in 8 cells from {DEPARTMENTS} departments in this "
        "process over gRPC without TLS, each with its own ledger and log on disk, every question "
        f"asked for the first time; with 866 cells {median(wide):.0f} beside "
        f"{median(wide_plain):.0f}; floor: the same question to the same departments as a plain "
        "fan-out",
    )


def _ask(federation: Many, table: str, keys: str, number: int) -> None:
    federation.query(
        f"SELECT count(*) AS n, sum(income) AS s FROM {table} WHERE income < {1_000 + number} "
        f"GROUP BY {keys}",
        seconds=120,
    )
