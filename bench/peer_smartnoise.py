"""`peer_smartnoise`: the same SQL by SmartNoise SQL over pandas."""

from __future__ import annotations

from typing import Final

from bench.peer import Peer, measured
from bench.row import Row, Say

_PROGRAM: Final = """
import pandas
import snsql

ROWS = pandas.read_csv(SOURCE)
PERSON = {"type": "int", "private_id": True}
INCOME = {"type": "int", "lower": 0, "upper": 200_000}
COLUMNS = {"person": PERSON, "district": {"type": "string"}, "income": INCOME}
TERMS = {"rows": len(ROWS), "max_ids": 1, "sample_max_ids": False, "censor_dims": False}
READER = snsql.from_df(
    ROWS,
    privacy=snsql.Privacy(epsilon=0.5, delta=1e-6),
    metadata={"": {"crowd": {"people": {**TERMS, **COLUMNS}}}},
)
SQL = "SELECT district, COUNT(*), AVG(income) FROM crowd.people GROUP BY district"


def answer():
    return {district: (count, mean) for district, count, mean in READER.execute(SQL)[1:]}
"""

PEER: Final = Peer(
    "peer_smartnoise",
    ("smartnoise-sql==1.0.10",),
    _PROGRAM,
    "its SQL over a pandas frame, one row a person promised and not enforced, groups as they come",
)


def measure(say: Say) -> Row:
    """Milliseconds for the question of `bench.peer`."""
    return measured(PEER, say)
