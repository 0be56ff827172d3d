"""`peer_diffprivlib`: the same numbers from IBM's diffprivlib, which bounds rows and no persons."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import csv
import numpy
from diffprivlib import tools

with open(SOURCE, newline="") as file:
    rows = [(DISTRICTS.index(row["district"]), int(row["income"])) for row in csv.DictReader(file)]
district = numpy.array([row[0] for row in rows], numpy.uint8)
income = numpy.array([row[1] for row in rows])


def answer():
    found = {}
    for each, name in enumerate(DISTRICTS):
        inside = district == each
        count = tools.count_nonzero(inside, epsilon=0.5)
        found[name] = count, tools.sum(income[inside], epsilon=0.5, bounds=(0, 200_000)) / count
    return found
"""

PEER: Final = Peer(
    "peer_diffprivlib",
    ("diffprivlib==0.6.6", "scikit-learn<1.7"),
    _PROGRAM,
    "a noisy count and bounded sum for each known district, from NumPy arrays",
    rounds=9,
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)
