"""The console's rows measure pages that show something; an empty page would be quick."""

from __future__ import annotations

from pathlib import Path

from bench.console_site import DEPARTMENTS, show, site


def test_both_first_pages_show_what_the_log_holds(tmp_path: Path) -> None:
    """Charts with counts in the last two weeks, budgets of every department's tables, entries."""
    # Enough for the entries to reach the fortnight that the overview counts.
    with site(tmp_path, 2_000, print) as few:
        overview = show(few, "/").decode()
        log = show(few, "/log").decode()
    for name in DEPARTMENTS:
        assert name in overview
    assert log.count('<a href="/log/') >= 50
    assert "table-" in log
