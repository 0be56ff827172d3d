"""The limits that hold when DuckDB's own do not: address space, processor time, the wall clock."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.errors import DeadlineExceeded, Fault
from nodes.engines.duckdb import DuckDBEngine, Limits
from tests.nodes_engine.conftest import LIMITS, answers

MEMORY_BOMBS = [
    "SELECT list_sum(range(200000000))",
    "SELECT sum(length(repeat(name, 5000000))) FROM people",
    "SELECT length(repeat('a', 2000000000))",
    "SELECT list(a.name || b.name) FROM people a, people b",
    "SELECT count(*) FROM (SELECT * FROM people a, people b ORDER BY a.age + b.age, a.name)",
    "WITH RECURSIVE r(i) AS (SELECT repeat('x', 1000000) UNION ALL SELECT i || 'y' FROM r) "
    "SELECT max(length(i)) FROM r",
]
CPU_BOMBS = [
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM range(100000000000) AS t(i) WHERE i % 7 = 3",
    "SELECT sum(length(md5(a.name || b.name))) FROM people a, people b",
]


@pytest.fixture
def brief(people: Path) -> Iterator[DuckDBEngine]:
    """An engine whose runs may use one second of processor time."""
    engine = DuckDBEngine({"people": people}, Limits(memory_bytes=256 << 20, cpu_seconds=1))
    yield engine
    engine.close()


@pytest.mark.parametrize("bomb", MEMORY_BOMBS)
def test_a_memory_bomb_fails_and_the_next_question_is_answered(
    engine: DuckDBEngine, bomb: str
) -> None:
    """Row 72: single expressions took gigabytes past DuckDB's own limit."""
    with pytest.raises((Fault, DeadlineExceeded)):
        engine.run(bomb, [], timeout=1.5, maximum_rows=1)
    answers(engine)


@pytest.mark.parametrize("bomb", CPU_BOMBS)
def test_a_run_over_its_time_is_killed(engine: DuckDBEngine, bomb: str) -> None:
    """Row 72: interrupt() came late; SIGKILL does not."""
    with pytest.raises(DeadlineExceeded) as late:
        engine.run(bomb, [], timeout=0.3, maximum_rows=1)
    assert late.value.reason == "DEADLINE"
    assert late.value.__cause__ is None
    assert late.value.__context__ is None
    answers(engine)


@pytest.mark.parametrize("bomb", CPU_BOMBS[:2])
def test_a_run_over_its_processor_time_fails(brief: DuckDBEngine, bomb: str) -> None:
    """F21: SIGXCPU ends the worker long before a generous deadline does."""
    with pytest.raises(Fault):
        brief.run(bomb, [], timeout=120, maximum_rows=1)
    answers(brief)


def test_processor_time_is_allowed_anew_for_each_run(brief: DuckDBEngine) -> None:
    """A worker is warm for days: its allowance counts per question, not per life."""
    (pid,) = brief.pids
    limits: set[int] = set()
    while len(limits) < 4:  # so the worker has used more than two seconds in all
        brief.run(
            "SELECT sum(length(md5(a.name))) FROM people a, range(40)",
            [],
            timeout=60,
            maximum_rows=1,
        )
        limits.add(resource.prlimit(pid, resource.RLIMIT_CPU)[0])
    assert brief.pids == (pid,)
    assert resource.RLIM_INFINITY not in limits


def test_the_kernel_holds_the_limits(engine: DuckDBEngine) -> None:
    """Settings of DuckDB are advice; these are not. No core dump, no file, bounded memory."""
    answers(engine)
    (pid,) = engine.pids
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    status = Path(f"/proc/{pid}/statm").read_text().split()
    mapped = int(status[0]) * resource.getpagesize()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    assert soft == hard
    assert soft != resource.RLIM_INFINITY  # which is -1
    assert soft <= mapped + LIMITS.memory_bytes


def test_no_bomb_takes_more_memory_than_allowed(people: Path) -> None:
    """The most that any worker ever held, as the kernel counted it, stays under the cap."""
    program = f"""
import resource, sys
from pathlib import Path
from landbridge.errors import LandbridgeError
from nodes.engines.duckdb import DuckDBEngine, Limits
engine = DuckDBEngine({{"people": Path({str(people)!r})}}, Limits(memory_bytes=128 << 20))
for bomb in {MEMORY_BOMBS[:3]!r}:
    try:
        engine.run(bomb, [], timeout=1.5, maximum_rows=1)
    except LandbridgeError:
        continue
    sys.exit("a bomb was answered")
engine.close()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    idle_and_allowance = (120 << 20) + (128 << 20)
    assert int(run.stdout) * 1024 < idle_and_allowance


def test_a_run_spills_nothing_to_disk(engine: DuckDBEngine, people: Path, tmp_path: Path) -> None:
    """I7: data that does not fit in memory must not be left in a temporary file."""
    before = sorted(people.parent.iterdir())
    with pytest.raises((Fault, DeadlineExceeded)):
        engine.run(MEMORY_BOMBS[4], [], timeout=1, maximum_rows=1)
    answers(engine)
    assert sorted(people.parent.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_a_worker_inherits_nothing(engine: DuckDBEngine, people: Path, tmp_path: Path) -> None:
    """Keys, sockets and secrets of the server are not in the process that runs the SQL."""
    secret = tmp_path / "key"
    secret.write_text("k")
    held = os.open(secret, os.O_RDONLY)
    os.set_inheritable(held, True)
    os.environ["LANDBRIDGE_TEST_SECRET"] = "s"
    try:
        fresh = DuckDBEngine({"people": people}, LIMITS)
        (pid,) = fresh.pids
        files = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        fresh.close()
    finally:
        os.close(held)
        del os.environ["LANDBRIDGE_TEST_SECRET"]
    assert b"LANDBRIDGE_TEST_SECRET" not in environment
    named = {file for file in files if file.startswith("/")}
    assert named == {"/dev/null", str(people)}
    answers(engine)


@pytest.mark.parametrize("memory", [0, (64 << 20) - 1])
def test_limits_that_cannot_work_are_refused(memory: int) -> None:
    """An operator learns of a useless setting when it is read, not by failing questions."""
    with pytest.raises(ValueError, match="64 MiB"):
        Limits(memory_bytes=memory)
    with pytest.raises(ValueError, match="at least 1"):
        Limits(threads=0)


def test_a_stopped_worker_does_not_hold_its_asker(people: Path) -> None:
    """F22: a process that is stopped neither replies nor ends; the clock decides."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    (pid,) = engine.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        engine.run("SELECT 1", [], timeout=0.2, maximum_rows=1)
    answers(engine)
    engine.close()
