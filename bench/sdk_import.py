"""`sdk_import`: what a program pays for `import landbridge` before its first question."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from bench.row import Aim, Row, RowFailed, Say
from bench.samples import in_turn
from landbridge.federation.process import ROOT

ROUNDS: Final = 15

_TIMED: Final = """
import time
started = time.perf_counter()
{work}
print(time.perf_counter() - started)
"""


def measure(say: Say) -> Row:
    """Seconds for `import landbridge; landbridge.connect`, each in a fresh interpreter."""
    say(f"importing the SDK in {ROUNDS} fresh interpreters")
    ours, floor = in_turn(
        lambda: _fresh("import landbridge; landbridge.connect"),
        lambda: _fresh("import grpc"),
        rounds=ROUNDS,
    )
    return Row.of(
        "sdk_import",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 0.3),
        note="seconds; `import landbridge; landbridge.connect` in a fresh interpreter with warm "
        "files; floor: `import grpc` alone",
    )


def _fresh(work: str) -> float:
    """Seconds that the statement took in an interpreter of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", _TIMED.format(work=work)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if finished.returncode != 0:
        raise RowFailed(f"`{work}` fails in a fresh interpreter; run it by hand to see why.")
    return float(finished.stdout)
