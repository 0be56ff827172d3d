"""`console_overview`: what an auditor waits for the console's first page, of a million entries."""

from __future__ import annotations

from bench.console_site import DEPARTMENTS, ENTRIES, FEW, OFFICES, page_of
from bench.row import Aim, Row, Say


def measure(say: Say) -> Row:
    """Milliseconds of server time for `/`, signed in, counted, rendered and logged."""
    ours, floor = page_of("/", say)
    return Row.of(
        "console_overview",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 100.0),
        note=f"milliseconds of server time for the overview, {ENTRIES} entries: policy, "
        f"{len(DEPARTMENTS)} members, two charts, the budgets of {OFFICES} offices, witnesses, the "
        f"page rendered and its own entry durable; floor: the same of a log of {FEW}",
    )
