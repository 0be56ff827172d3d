"""`landbridge submit`, each run a process of its own."""

from __future__ import annotations

import csv
import json
import random
import secrets
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from landbridge.federation.running import Federation
from tests.cli.commands import PROGRAM, Ended, environment, run_apart
from tests.submission.town import PURPOSE, record

pytestmark = pytest.mark.journey


def words(town: Federation, tmp_path: Path, caller: str) -> list[str]:
    """Where and as whom."""
    token = tmp_path / "token"
    token.write_text(town.token(caller))
    asking = ["--address", town.address, "--ca", str(town.ca), "--token-file", str(token)]
    return ["--purpose", PURPOSE, *asking]


def submitted(town: Federation, tmp_path: Path, file: Path, *more: str) -> Ended:
    """As an enumerator."""
    return run_apart("submit", "requests", str(file), *words(town, tmp_path, "eve"), *more)


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    """As CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(records[0]))
        table.writeheader()
        table.writerows(records)
    return path


def some(count: int) -> list[dict[str, Any]]:
    """Records of people that no other test speaks of."""
    first = secrets.randbelow(10**12) + 10**9
    return [record(first + number) for number in range(count)]


def test_a_file_is_handed_in_once(town: Federation, tmp_path: Path) -> None:
    """What was refused is told by place and field; the same file again has no effect."""
    records = some(7)
    records[2]["area"] = "nowhere"
    records[4]["people"] = "1_0"
    file = written(tmp_path / "requests.csv", records)
    first = submitted(town, tmp_path, file)
    assert first.status == 3, first.err
    assert "5 records were taken by rescue.requests." in first.out
    assert "OUT_OF_DOMAIN (area): record 3" in first.out
    assert "MALFORMED (people): record 5" in first.out
    assert "nowhere" not in first.out + first.err
    second = submitted(town, tmp_path, file, "--format", "json")
    said = json.loads(second.out)
    assert (said["accepted"], said["duplicates"]) == (0, 5)
    assert [each["record"] for each in said["refused"]] == [3, 5]


def test_json_lines_and_parquet_are_read(town: Federation, tmp_path: Path) -> None:
    """A line that is none is one refused record."""
    lines = tmp_path / "requests.jsonl"
    lines.write_text("\n".join([*map(json.dumps, some(2)), "{oops"]))
    found = submitted(town, tmp_path, lines, "--format", "json")
    assert json.loads(found.out)["counts"] == {"ACCEPTED": 2, "MALFORMED": 1}
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = tmp_path / "requests.parquet"
    pq.write_table(pa.Table.from_pylist(some(3)), table)
    assert "3 records were taken" in submitted(town, tmp_path, table).out
    assert submitted(town, tmp_path, tmp_path / "requests.xlsx").status == 2
    table.write_bytes(b"PAR1 not")
    assert submitted(town, tmp_path, table).status == 2


def test_a_client_that_is_killed_is_simply_run_again(town: Federation, tmp_path: Path) -> None:
    """Kill -9 in the middle: every record of the file is taken, and none twice."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - a failure is replayed from it
    file = written(tmp_path / "requests.csv", some(1_500))
    command = ["submit", "requests", str(file), *words(town, tmp_path, "eve"), "--batch", "5"]
    running = subprocess.Popen(
        [*PROGRAM, *command], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    running.stderr.readline()  # it has begun
    time.sleep(random.Random(seed).uniform(0.5, 1.5))
    running.kill()
    running.communicate()
    said = json.loads(submitted(town, tmp_path, file, "--format", "json").out)
    assert said["accepted"] + said["duplicates"] == 1_500
    assert said["refused"] == []


def test_a_contract_that_collects_is_not_loaded(town: Federation, tmp_path: Path) -> None:
    """Loading would take the place of what was handed in."""
    file = written(tmp_path / "requests.csv", some(1))
    settings = town.state / "rescue" / "node.toml"
    ended = run_apart("node", "load", str(settings), "requests", str(file))
    assert ended.status == 2
    assert "hand the file in with landbridge submit" in ended.err
