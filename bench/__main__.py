"""`python -m bench [--only row,row]`: one JSON object per row on standard output.

The same rows go to bench/results/latest.json as one list, and to latest.html beside it as a page
with a picture; progress goes to standard error. Exit status 1 when a row could not be measured, 2
for a row that does not exist.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import grpc

from bench.picture import page
from bench.row import Row, RowFailed, Say
from landbridge.errors import LandbridgeError
from landbridge.federation.folder import FederationInvalid
from landbridge.federation.process import ProcessFailed

ROWS: Final = (
    "question_unique",
    "question_repeated_warm",
    "question_repeated_cold",
    "peer_diffprivlib",
    "peer_pydp",
    "peer_qrlew",
    "peer_smartnoise",
    "peer_opendp_polars",
    "peer_tumult",
    "peer_pipelinedp",
    "release_1000_cells",
    "release_exact_1000",
    "pooled_50",
    "fanout_50",
    "fanout_growth",
    "read_sql",
    "decision",
    "linked_1e6",
    "linked_growth",
    "linked_1e7",
    "peer_psi",
    "peer_openfhe",
    "prio3_reports",
    "sdk_import",
    "remembered_answer",
    "honest_under_floods",
    "overload_5x",
    "two_workers",
    "log_on",
    "log_append",
    "startup",
    "idle_memory",
    "handler_path",
    "handler_rate",
    "watch_evaluations",
    "submit_rate",
    "case_four_steps",
    "cases_restart",
    "console_first_page",
    "console_overview",
    "fresh_small",
    "fresh_clone",
)
"""Each is a module of this package with a `measure(say) -> Row`."""

RESULTS: Final = Path(__file__).parent / "results" / "latest.json"

NOT_MEASURED: Final = (
    RowFailed,
    FederationInvalid,
    LandbridgeError,
    OSError,
    ProcessFailed,
    grpc.RpcError,
    subprocess.SubprocessError,
)


def main(arguments: Sequence[str], results: Path = RESULTS) -> int:
    """Measures the chosen rows; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", metavar="ROW,ROW", help="these rows alone")
    only = parser.parse_args(arguments).only
    names = ROWS if only is None else tuple(name.strip() for name in only.split(","))
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        _tell(f"There is no row {unknown[0]!r}; there are {', '.join(ROWS)}.")
        return 2
    load, cores = os.getloadavg()[0], os.cpu_count()
    _tell(f"{cores} cores, load {load:.1f} before the first row")
    measured = []
    for name in names:
        try:
            row = measurement(name)(_progress(name))
        except NOT_MEASURED as failure:
            _tell(f"{name} was not measured: {failure}")
            continue
        print(row.to_json(), flush=True)
        measured.append(row)
    results.parent.mkdir(exist_ok=True)
    rows = [asdict(row) for row in measured]
    results.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    drawn = page(measured, f"{cores} cores, load {load:.1f} before the first row")
    results.with_suffix(".html").write_text(drawn, encoding="utf-8")
    return 0 if len(measured) == len(names) else 1


def measurement(name: str) -> Callable[[Say], Row]:
    """What measures that row; its module is loaded now, and with it what it needs."""
    return cast("Callable[[Say], Row]", import_module(f"bench.{name}").measure)


def _progress(name: str) -> Say:
    return lambda sentence: _tell(f"{name}: {sentence}")


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
