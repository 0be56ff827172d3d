"""`submit_rate`: 100,000 records handed in by one caller in batches of 500, everything durable."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc

from bench.appended import METHOD
from bench.floor import running
from bench.idle_memory import held
from bench.row import Aim, Row, RowFailed, Say
from landbridge.federation.process import spawn
from landbridge.federation.running import Federation
from landbridge.testing import federation

CENSUS: Final = Path(__file__).resolve().parents[1] / "examples" / "census"
PURPOSE: Final = "dpv:OfficialStatistics"
RECORDS: Final = int(os.environ.get("LANDBRIDGE_BENCH_RECORDS", "100000"))
BATCH: Final = 500
ROUNDS: Final = 3
DISTRICTS: Final = ("north", "east", "south", "west")


def measure(say: Say) -> Row:
    """Records a second, beside a bare stream into DuckDB."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        place = Path(folder)
        with federation(_folder(place), state=place / "state") as up:
            _submitted(up, BATCH)  # every process is warm
            before = _memory(up)
            ours = []
            for number in range(ROUNDS):
                ours.append(_submitted(up, RECORDS))
                say(f"round {number + 1}: {ours[-1]:,.0f} records a second")
            grown = [now - then for now, then in zip(_memory(up), before, strict=True)]
        floor = [_appended(place / f"floor{number}") for number in range(ROUNDS)]
    return Row.of(
        "submit_rate",
        ours,
        floor,
        better="higher",
        aim=Aim("value", 10_000),
        note=f"records a second; {RECORDS:,} of them from one caller over a gateway, batches of "
        f"{BATCH}, each sealed, checked twice, in both logs and committed before its receipt; over "
        f"{ROUNDS} rounds the gateway grew by {grown[0]:.0f} MB and the node with its processes by "
        f"{grown[1]:.0f} MB (PSS); floor: a bare gRPC stream whose server commits the same records "
        "to a DuckDB file, without TLS, checks, log or gateway",
    )


def _record(number: int) -> tuple[str, str, int, bool]:
    return f"B-{number:012}", DISTRICTS[number % 4], number % 100, number % 2 == 0


def _submitted(up: Federation, count: int) -> float:
    first = secrets.randbelow(10**11)
    names = ("person", "district", "age", "works")
    records = (dict(zip(names, _record(first + n), strict=True)) for n in range(count))
    with up.client("enumerator") as client:
        began = time.perf_counter()
        receipt = client.submit("persons", records, purpose=PURPOSE, batch=BATCH)
        took = time.perf_counter() - began
    if receipt.accepted != count:
        raise RowFailed(f"Of {count} records {receipt.accepted} were taken.")
    return count / took


def _memory(up: Federation) -> tuple[float, float]:
    return tuple(held(up.process_id(name)).shared_out for name in (None, "statistics"))  # type: ignore[return-value]


def _folder(place: Path) -> Path:
    """The census as a federation of its own, without quotas, shown once an hour."""
    folder = place / "census"
    shutil.copytree(CENSUS, folder)
    contract = folder / "statistics" / "contracts" / "persons.odcs.yaml"
    text = contract.read_text("utf-8")
    text = text.replace("records: 100000,", "records: 100000000,").replace(
        "seconds: 2}", "seconds: 3600}"
    )
    contract.write_text(text, "utf-8")
    return folder


def _appended(place: Path) -> float:
    place.mkdir()
    settings = place / "settings.json"
    settings.write_text(json.dumps({"path": str(place / "floor.duckdb")}))
    with running(spawn("floor", "bench.appended", settings)) as server:
        channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")

        def batches() -> Iterator[bytes]:
            for first in range(0, RECORDS, BATCH):
                yield json.dumps([_record(first + n) for n in range(BATCH)]).encode()

        began = time.perf_counter()
        take: Any = channel.stream_stream(METHOD)
        replies = len(list(take(batches())))
        took = time.perf_counter() - began
        channel.close()
    if replies != -(-RECORDS // BATCH):
        raise RowFailed("The floor lost a batch.")
    return RECORDS / took
