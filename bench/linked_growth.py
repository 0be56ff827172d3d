"""`linked_growth`: what three times the rows take a linked question, beside thrice the time."""

from __future__ import annotations

from typing import Final

from bench.linked import linked_seconds
from bench.row import Aim, Row, Say

ROWS: Final = 1_000_000
TIMES: Final = 3


def measure(say: Say) -> Row:
    """Seconds for three million rows a side; the ratio is 1 where work grows as rows do."""
    few = linked_seconds(ROWS, 2, say)
    many = linked_seconds(TIMES * ROWS, 2, say)
    return Row.of(
        "linked_growth",
        many,
        [TIMES * each for each in few],
        better="lower",
        aim=Aim("ratio", 1.3),
        note=f"seconds; the question of linked_1e6 over {TIMES * ROWS:,} rows a side; floor: "
        f"{TIMES} times the seconds for {ROWS:,}",
    )
