"""Two departments with as many rows each, half of them the same ids, linked by real processes.

Beside it stands what the same would cost if nothing were hidden from anybody but by a keyed hash:
HMAC-SHA-256 pseudonyms of both sides in DuckDB, the join in the clear, and the same bytes over a
bare gRPC connection.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import duckdb

from bench.floor import Ask, two_hops
from bench.laid import PURPOSE, Table, lay
from bench.most_held import most_held
from bench.row import Aim, Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge.client import Client
from landbridge.testing import federation

CELLS: Final = 20
QUESTION: Final = (
    "SELECT grp, count(*) AS n, sum(amount) AS total FROM left_office.lefts "
    "JOIN right_office.rights USING (id) GROUP BY grp"
)
OFFICES: Final = ("left_office", "right_office")
MESSAGE: Final = 2 << 20
LONGEST: Final = 900
"""Seconds for one question, on a busy machine too; servers are set to it."""


@contextmanager
def _patient() -> Iterator[None]:
    """Servers that start in the block give a call so long."""
    names = [f"LANDBRIDGE_{server}__LIMITS__CALL_SECONDS" for server in ("NODE", "GATEWAY")]
    os.environ.update(dict.fromkeys(names, str(LONGEST)))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def measured(name: str, rows: int, rounds: int, say: Say, aim: Aim | None) -> Row:
    """Seconds for count and sum in 20 cells over tables of so many rows, and what memory it took.

    Memory is the most that gateway and nodes, workers included, held at one moment.
    """
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        folder = Path(place)
        say(f"writing two tables of {rows:,} rows")
        _write(folder, rows)
        with (
            _patient(),
            federation(folder / "federation", progress=say) as running,
            two_hops() as ask,
            running.client("bench") as client,
            most_held(
                {
                    "gateway": running.process_id(),
                    **{each: running.process_id(each) for each in OFFICES},
                }
            ) as most,
        ):
            plan = client.explain(QUESTION, purpose=PURPOSE, epsilon=4)
            if plan.mode != "linked":
                raise RowFailed("The question is not linked.")
            say(f"asking {rounds} times")
            prices = _prices()
            ours, floor = in_turn(
                lambda: seconds(lambda: _asked(client, rows, next(prices))),
                lambda: seconds(lambda: _floor(folder, rows, ask)),
                rounds=rounds,
            )
    return Row.of(
        name,
        ours,
        floor,
        better="lower",
        aim=aim,
        note=f"seconds; {rows:,} rows a side, half of the ids on both, count and one sum in "
        f"{CELLS} cells, gateway and two nodes as processes of their own, real gRPC with mutual "
        "TLS; floor: HMAC-SHA-256 of both sides in DuckDB, the join in the clear, "
        f"{_bytes(rows) >> 20} MiB over plain gRPC in the clear; "
        f"at most {most.total / 1e3:.2f} GB held at one moment by all ({most.each()})",
    )


def linked_seconds(rows: int, rounds: int, say: Say) -> list[float]:
    """The linked question alone, so many times after one that does not count."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        _write(Path(place), rows)
        with (
            _patient(),
            federation(Path(place) / "federation", progress=say) as running,
            running.client("bench") as client,
        ):
            prices = _prices()
            ask = in_turn(
                lambda: seconds(lambda: _asked(client, rows, next(prices))), rounds=rounds
            )
            (found,) = ask
            return found


def _prices() -> Iterator[float]:
    """A price for each asking: the same question at the same price is answered from memory."""
    return (4 - number * 1e-6 for number in count())


def _asked(client: Client, rows: int, epsilon: float) -> None:
    answer = client.query(QUESTION, purpose=PURPOSE, epsilon=epsilon, timeout=LONGEST)
    found = sum(cell[1].value or 0 for cell in answer.cells)  # type: ignore[misc]
    if not abs(found - rows / 2) < 0.05 * rows:
        raise RowFailed("The linked answer is not near the truth.")


def _bytes(rows: int) -> int:
    """Rows of both sides, bits, values and what is dealt; 8 bytes a number."""
    return rows * (16 + 4 + 16 + 8 + 8 + 8)


def _floor(folder: Path, rows: int, ask: Ask) -> None:
    with duckdb.connect(config={"threads": 2}) as connection:
        for side in ("lefts", "rights"):
            spelt = "CAST(id AS VARCHAR)"
            hashed = f"sha256('{'k' * 64}' || sha256('{'q' * 64}' || {spelt}))"
            connection.execute(
                f"CREATE TABLE {side} AS SELECT *, {hashed} AS p FROM "
                f"read_parquet('{folder / f'{side}.parquet'}')"
            )
        connection.execute(
            "SELECT l.grp, count(*), sum(l.amount) FROM lefts l JOIN rights r USING (p) GROUP BY 1"
        ).fetchall()
    for _ in range(_bytes(rows) // MESSAGE):
        ask(MESSAGE, 16)


def _write(folder: Path, rows: int) -> None:
    with duckdb.connect() as connection:
        for side, first in (("lefts", 0), ("rights", rows // 2)):
            path = folder / f"{side}.parquet"
            values = f", 'g' || (i * 7 % {CELLS}) AS grp, i * 13 % 1000 AS amount"
            connection.execute(
                f"COPY (SELECT 'P' || (i + {first}) AS id{values if side == 'lefts' else ''} "
                f"FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)"
            )
    unit = {"name": "id", "logicalType": "string"}
    open_column = {"required": True, "classification": "open"}
    groups = [{"value": f"g{number}"} for number in range(CELLS)]
    bounds = {"minimum": 0, "maximum": 1000}
    more = [
        {"name": "grp", "logicalType": "string", "enum": groups, **open_column},
        {"name": "amount", "logicalType": "integer", "logicalTypeOptions": bounds, **open_column},
    ]
    links = {
        office: {"landbridgeLinks": [{"with": [other], "on": ["id"], "keys": rows}]}
        for office, other in zip(OFFICES, reversed(OFFICES), strict=True)
    }
    left, right = OFFICES
    lefts, rights = (folder / f"{side}.parquet" for side in ("lefts", "rights"))
    lay(folder / "federation", [
        Table(left, "lefts", lefts, unit, more, links[left]),
        Table(right, "rights", rights, unit, (), links[right]),
    ])  # fmt: skip
