"""`cases_restart`: how long a gateway takes to serve again with 10,000 open cases."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

from bench import offices
from bench.row import Aim, Row, RowFailed, Say
from bench.samples import seconds
from landbridge.federation.running import Federation
from landbridge.testing import federation

CASES: Final = 10_000
ROUNDS: Final = 3
_COPIED: Final = {"case_": "id", "step": "case_id", "change": "case_id"}


def measure(say: Say) -> Row:
    """Seconds from the start of the process until a caller sees the cases."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        place = offices.lay(Path(folder) / "offices")
        with federation(place, progress=say) as running:
            floor = [_restart(running, 0) for _ in range(ROUNDS)]
            running.stop("north")  # so that cases stay open
            with running.client("desk") as client:
                client.open_case(offices.PROCEDURE, purpose=offices.PURPOSE, company="R-100")
            running.stop_gateway()
            say(f"copying an open case {CASES} times")
            _copy(running.state / "gateway" / "cases.sqlite")
            running.start_gateway()
            ours = [_restart(running, 100) for _ in range(ROUNDS)]
    return Row.of(
        "cases_restart",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 10.0),
        note=f"seconds; restart of a gateway with {CASES} open cases, two steps of each waiting "
        "for a department that is down, until a caller lists cases; floor: without cases",
    )


def _restart(running: Federation, expected: int) -> float:
    running.stop_gateway()

    def back() -> None:
        running.start_gateway()
        with running.client("desk") as client:
            found = len(client.cases(most=100))
        if found < expected:
            raise RowFailed(f"The gateway shows {found} cases of {expected}.")

    return seconds(back)


def _copy(path: Path) -> None:
    """The one case again and again, under other ids; opened and asked, as it is."""
    with closing(sqlite3.connect(path)) as cases, cases:
        for table, key in _COPIED.items():
            columns = [row[1] for row in cases.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(column for column in columns if column != key)
            cases.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CASES})"
                f" INSERT INTO {table} ({key}, {kept}) SELECT printf('%032x', i), {kept} "
                f"FROM n, {table}"
            )
