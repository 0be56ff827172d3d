"""`peer_pydp`: the same numbers from OpenMined's python-dp, Google's algorithms in C++."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import csv
from pydp.algorithms.laplacian import BoundedSum, Count

GROUPS = {district: [] for district in DISTRICTS}
with open(SOURCE, newline="") as file:
    for row in csv.DictReader(file):
        GROUPS[row["district"]].append(int(row["income"]))


def answer():
    found = {}
    for district, incomes in GROUPS.items():
        count = Count(epsilon=0.5, dtype="int64").quick_result(incomes)
        # With its default, 32 bits, the sum overflows.
        total = BoundedSum(epsilon=0.5, lower_bound=0, upper_bound=200_000, dtype="int64")
        found[district] = count, total.quick_result(incomes) / count
    return found
"""

PEER: Final = Peer(
    "peer_pydp",
    ("python-dp==1.1.5",),
    _PROGRAM,
    "a noisy count and bounded sum for each known district, from lists that are grouped already",
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)
