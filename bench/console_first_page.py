"""`console_first_page`: what an auditor waits for the log's first page, of a million entries."""

from __future__ import annotations

from bench.console_site import ENTRIES, FEW, page_of
from bench.row import Aim, Row, Say


def measure(say: Say) -> Row:
    """Milliseconds of server time for `/log`, signed in, searched, rendered and logged."""
    ours, floor = page_of("/log", say)
    return Row.of(
        "console_first_page",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 100.0),
        note=f"milliseconds of server time for the log's first page, {ENTRIES} entries: policy, "
        "search, facets, fifty entries read and hashed, the page rendered and its own entry "
        f"durable; floor: the same of a log of {FEW}",
    )
