"""`fresh_small`: a question that nobody asked before, over one department's 120,000 rows."""

from __future__ import annotations

from itertools import count
from typing import Final

from bench.demo import FOLDER, RESEARCH
from bench.floor import two_hops
from bench.row import Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge.client import Client
from landbridge.testing import federation
from nodes.engines.database import open_sealed
from nodes.store import Store

SELECT: Final = "SELECT carrier, count(*) AS n, avg(dep_delay) AS d FROM {table} GROUP BY carrier"
ROUNDS: Final = 60
REQUEST_BYTES: Final = 800
"""The request of this question, and the token beside it."""
REPLY_BYTES: Final = 2_100
"""The reply: sixteen rows and a receipt."""


def measure(say: Say) -> Row:
    """Milliseconds for one fresh question, one caller."""
    with federation(FOLDER, progress=say) as running, two_hops() as ask:
        loaded = Store(running.state / "ewr" / "data").current("flights")
        if loaded is None:
            raise RowFailed("The demo's ewr node has no flights loaded.")
        raw = open_sealed({"flights": str(loaded.path)}, memory_bytes=1 << 30, threads=2)
        plain = SELECT.format(table="flights")

        def bare() -> None:
            raw.execute(plain).fetchall()
            ask(REQUEST_BYTES, REPLY_BYTES)

        # Each a millionth more than the one before: another accuracy is another draw.
        micro_epsilon = count(50_000)
        say(f"asking {ROUNDS} fresh questions")
        with running.client("alice") as client:
            ours, floor = in_turn(
                lambda: 1e3 * seconds(lambda: _fresh(client, next(micro_epsilon) / 1e6)),
                lambda: 1e3 * seconds(bare),
                rounds=ROUNDS,
                warm_up=5,
            )
        raw.close()
    return Row.of(
        "fresh_small",
        ours,
        floor,
        better="lower",
        note=f"milliseconds; count and average of {loaded.rows:,} flights by carrier, one caller, "
        "charged and drawn anew each time; floor: the same SELECT in DuckDB alone plus two plain "
        "gRPC hops in the clear",
    )


def _fresh(client: Client, epsilon: float) -> None:
    answer = client.query(SELECT.format(table="ewr.flights"), purpose=RESEARCH, epsilon=epsilon)
    if answer.cost.epsilon <= 0:
        raise RowFailed("An answer was remembered where a fresh one was to be measured.")
