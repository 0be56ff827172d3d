"""`watch_evaluations`: evaluations of standing questions a second, gateway and node together.

Two hundred watches that want to be evaluated every second: the figure cannot be more than that.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from bench.floor import two_hops
from bench.row import Row, Say
from landbridge.client import Client
from landbridge.testing import federation

FOLDER: Final = Path(__file__).parents[1] / "examples" / "flood_season"
PURPOSE: Final = "dpv:PublicSafety"
SQL: Final = "SELECT gauge, count(*) AS n FROM water.levels WHERE level_cm >= 900 GROUP BY gauge"
WATCHES: Final = 200
SECONDS: Final = 4.0
ROUNDS: Final = 3


def measure(say: Say) -> Row:
    """Evaluations a second of the wall."""
    with federation(FOLDER, progress=say) as running, two_hops() as ask:
        with running.client("operations") as client:
            say(f"{WATCHES} watches, {ROUNDS} times {SECONDS:.0f} s")
            for _ in range(WATCHES):
                client.watch(SQL, when="n >= 1", every=1, purpose=PURPOSE)
            ours = [_rate(client) for _ in range(ROUNDS)]
        floor = [_echoes(lambda: ask(500, 500)) for _ in range(ROUNDS)]
    return Row.of(
        "watch_evaluations",
        ours,
        floor,
        better="higher",
        note=f"evaluations a second; {WATCHES} silent watches every second, policy decided at both "
        "ends, one durable write each; floor: two plain gRPC hops a second, one caller",
    )


def _done(client: Client) -> int:
    return sum(view.evaluations for view in client.watches())


def _rate(client: Client) -> float:
    before, began = _done(client), time.monotonic()
    time.sleep(SECONDS)
    return (_done(client) - before) / (time.monotonic() - began)


def _echoes(ask: object) -> float:
    assert callable(ask)
    end, count = time.monotonic() + SECONDS / 2, 0
    while time.monotonic() < end:
        ask()
        count += 1
    return count / (SECONDS / 2)
