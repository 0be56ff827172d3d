"""`fanout_50`: one question to fifty departments, beside the slowest of them alone."""

from __future__ import annotations

from itertools import count
from typing import Final

from bench.many import DEPARTMENTS, PLAIN, many
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds

ROUNDS: Final = 7
DELAY: Final = 2.0
"""Seconds that every department takes, as if it computed on a machine of its own."""


def measure(say: Say) -> Row:
    """Seconds from the caller's text to the answer."""
    say(f"loading {DEPARTMENTS} departments")
    with many(delay=DELAY) as federation:
        fresh = count()
        say(f"asking {DEPARTMENTS} departments, and one alone, {ROUNDS} times")

        def sample(table: str) -> float:
            sql = f"SELECT count(*) AS n FROM {table} WHERE income < {1_000 + next(fresh)}"
            return seconds(lambda: federation.query(sql, seconds=120))

        all_of_them, one = in_turn(
            lambda: sample(PLAIN), lambda: sample(f"d7.{PLAIN}"), rounds=ROUNDS
        )
    return Row.of(
        "fanout_50",
        all_of_them,
        one,
        better="lower",
        aim=Aim("ratio", 1.3),
        note=f"seconds; a count from {DEPARTMENTS} departments in this process over gRPC without "
        f"TLS, each of which waits {DELAY:g} seconds as if it computed elsewhere, and then plans, "
        "charges, draws and logs here, all on this machine's cores; floor: one of them alone",
    )
