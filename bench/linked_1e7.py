"""`linked_1e7`: two tables of ten million rows, linked."""

from __future__ import annotations

from bench.linked import measured
from bench.row import Row, Say


def measure(say: Say) -> Row:
    """Seconds for one question."""
    return measured("linked_1e7", 10_000_000, 1, say, None)
