"""`linked_1e7`: two tables of ten million rows, linked."""

from __future__ import annotations

from bench.linked import LONGEST, measured
from bench.row import Row, Say
from landbridge.errors import DeadlineExceeded


def measure(say: Say) -> Row:
    """Seconds for one question, and the memory that all servers took for it."""
    try:
        return measured("linked_1e7", 10_000_000, 1, say, None)
    except DeadlineExceeded:
        note = f"seconds; it took longer than {LONGEST} of them"
        return Row.absent("linked_1e7", better="lower", note=note)
