"""`linked_1e6`: two tables of a million rows, linked."""

from __future__ import annotations

from bench.linked import measured
from bench.row import Aim, Row, Say


def measure(say: Say) -> Row:
    """Seconds for one question."""
    return measured("linked_1e6", 1_000_000, 3, say, Aim("ratio", 2.5))
