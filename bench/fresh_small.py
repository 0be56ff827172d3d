"""`fresh_small`: a question that nobody asked before, over one department's million rows."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Final

from bench.crowd import DISTRICTS, RAW, THREADS, crowd
from bench.floor import two_hops
from bench.laid import CALLER, PURPOSE, Table, lay
from bench.row import Aim, Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge.client import Client
from landbridge.testing import federation

QUESTION: Final = (
    "SELECT district, count(*) AS n, avg(income) AS a FROM office.people GROUP BY district"
)
ROWS: Final = 1_000_000
ROUNDS: Final = 60
REQUEST_BYTES: Final = 800
"""The request of this question, and the token beside it."""
REPLY_BYTES: Final = 2_300
"""The reply: twenty rows and a receipt."""


def measure(say: Say) -> Row:
    """Milliseconds for one fresh question, one caller."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place,
        crowd(1, say, ROWS) as people,
        people.raw() as raw,
        federation(lay(Path(place) / "home", [_table(people.source)]), progress=say) as running,
        two_hops() as ask,
        running.client(CALLER) as client,
    ):

        def bare() -> None:
            raw.execute(RAW).fetchall()
            ask(REQUEST_BYTES, REPLY_BYTES)

        # Each a millionth more than the one before: another accuracy is another draw.
        micro_epsilon = count(50_000)
        say(f"asking {ROUNDS} fresh questions")
        ours, floor = in_turn(
            lambda: 1e3 * seconds(lambda: _fresh(client, next(micro_epsilon) / 1e6)),
            lambda: 1e3 * seconds(bare),
            rounds=ROUNDS,
            warm_up=5,
        )
    return Row.of(
        "fresh_small",
        ours,
        floor,
        better="lower",
        aim=Aim("ratio", 1.5),
        note=f"milliseconds; count(*) and avg(income) by 20 districts, {ROWS:,} people with one "
        "row each, one caller, through gateway and node as processes of their own, charged, drawn "
        "and logged anew each time; floor: the same GROUP BY in DuckDB alone, "
        f"{THREADS} threads, the file as it came, plus two plain gRPC hops in the clear",
    )


def _table(source: Path) -> Table:
    open_column = {"required": True, "classification": "open"}
    numbers = {"logicalType": "integer", **open_column}
    return Table("office", "people", source, {"name": "person", "logicalType": "integer"}, [
        {"name": "district", "logicalType": "string", **open_column,
         "enum": [{"value": district} for district in DISTRICTS]},
        {"name": "age", "logicalTypeOptions": {"minimum": 0, "maximum": 120}, **numbers},
        {"name": "income", "logicalTypeOptions": {"minimum": 0, "maximum": 200_000}, **numbers},
    ])  # fmt: skip


def _fresh(client: Client, epsilon: float) -> None:
    answer = client.query(QUESTION, purpose=PURPOSE, epsilon=epsilon)
    if answer.cost.epsilon <= 0:
        raise RowFailed("An answer was remembered where a fresh one was to be measured.")
    if len(answer.cells) != len(DISTRICTS):
        raise RowFailed("A district is missing from the answer.")
