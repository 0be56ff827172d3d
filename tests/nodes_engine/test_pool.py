"""The pool of workers: what dies is replaced, what hangs is left, and nobody waits for ever."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import DeadlineExceeded, Fault, LandbridgeError, Unavailable
from nodes.engines import process
from nodes.engines.duckdb import DuckDBEngine
from nodes.engines.engine import Cell, Engine, EngineNotStarted
from tests.nodes_engine.conftest import LIMITS, answers

SLOW = "SELECT count(*) FROM people WHERE sleep_ms(60000) IS NULL"
REPOSITORY = Path(__file__).parents[2]


class Asking(threading.Thread):
    """One question in a thread of its own, and how it ended."""

    def __init__(self, engine: DuckDBEngine, sql: str) -> None:
        super().__init__()
        self.engine, self.sql = engine, sql
        self.failure: LandbridgeError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.engine.run(self.sql, [], timeout=60, maximum_rows=10)
        except LandbridgeError as failure:
            self.failure = failure


def gone(pid: int) -> None:
    """Returns once the process has ended; fails after 20 seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    ended = poll.poll(20_000)
    os.close(descriptor)
    assert ended


def working(engine: DuckDBEngine) -> int:
    """The id of the one worker that is asked something, once it is computing."""
    while True:
        with engine._changed:
            busy = [worker.pid for worker in engine._busy]
        for pid in busy:  # some kernels do not say what it waits for: "0"
            if "pipe" not in Path(f"/proc/{pid}/wchan").read_text():
                return pid
        time.sleep(0.01)


def test_the_pool_is_an_engine(engine: DuckDBEngine) -> None:
    """What the guard is written against is the protocol, so that other engines fit."""
    other: Engine = engine
    assert other.run("SELECT ?", [1], timeout=20, maximum_rows=1) == [(1,)]


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1) | st.none(),
        st.floats(allow_nan=False) | st.none(),
        st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
        st.booleans() | st.none(),
    )
)
def test_every_value_comes_back_as_it_went(
    engine: DuckDBEngine, values: tuple[int | None, float | None, str | None, bool | None]
) -> None:
    """Parameters and cells cross two encodings; none may change a value or its type."""
    sql = "SELECT ?::BIGINT, ?::DOUBLE, ?::VARCHAR, ?::BOOLEAN"
    (row,) = engine.run(sql, list(values), timeout=20, maximum_rows=1)
    assert row == values
    assert [type(cell) for cell in row] == [type(value) for value in values]


@given(date=st.dates(), moment=st.datetimes())
@settings(max_examples=30, deadline=None)
def test_dates_travel_as_iso_text(engine: DuckDBEngine, date: object, moment: object) -> None:
    """JSON has no dates: the SQL casts on the way in, and ISO 8601 comes back."""
    wanted: list[Cell] = [date.isoformat(), moment.isoformat()]  # type: ignore[attr-defined]
    rows = engine.run("SELECT ?::DATE, ?::TIMESTAMP", wanted, timeout=20, maximum_rows=1)
    assert rows == [tuple(wanted)]


def test_large_sums_stay_whole(engine: DuckDBEngine) -> None:
    """A sum of BIGINT is a HUGEINT; it must not pass through a float."""
    sql = "SELECT sum(i) FROM (VALUES (9223372036854775807), (9223372036854775806)) AS t(i)"
    assert engine.run(sql, [], timeout=20, maximum_rows=1) == [(2**64 - 3,)]


def test_a_worker_killed_in_a_run_fails_that_run_only(people: Path) -> None:
    """F21: the asker learns it at once, and the next question finds a worker."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    asking = Asking(engine, SLOW)
    os.kill(working(engine), signal.SIGKILL)
    asking.join()
    assert asking.failure is not None
    assert asking.failure.reason == "RUN_FAILED"
    answers(engine)
    engine.close()


def test_a_worker_killed_while_idle_costs_no_question(people: Path) -> None:
    """The kernel may kill an idle worker to free memory; no budget is lost by that."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    (pid,) = engine.pids
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    answers(engine)
    engine.close()


def test_a_slow_question_does_not_hold_a_second_worker(people: Path) -> None:
    """Row 100: one question that takes its time leaves the others theirs."""
    engine = DuckDBEngine({"people": people}, LIMITS, workers=2)
    slow = Asking(engine, SLOW)
    working(engine)
    answers(engine)
    assert slow.is_alive()
    assert len(engine.pids) == 2
    engine.close()
    slow.join()
    assert isinstance(slow.failure, Fault)


def test_waiting_for_a_worker_counts_as_time(people: Path) -> None:
    """A question that gets no worker in time says so instead of waiting on."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    slow = Asking(engine, SLOW)
    working(engine)
    with pytest.raises(DeadlineExceeded):
        engine.run("SELECT 1", [], timeout=0.1, maximum_rows=1)
    engine.close()
    slow.join()


def test_many_threads_share_few_workers(people: Path) -> None:
    """Every asker gets its own answer, failures among them included, and no process is left."""
    engine = DuckDBEngine({"people": people}, LIMITS, workers=2)

    def ask(number: int) -> object:
        sql = "SELECT error('x')" if number % 10 == 9 else "SELECT ?::BIGINT"
        try:
            parameters = [] if number % 10 == 9 else [number]
            return engine.run(sql, parameters, timeout=60, maximum_rows=1)[0][0]
        except Fault:
            return "failed"

    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(ask, range(60)))
    pids = engine.pids
    assert replies == ["failed" if n % 10 == 9 else n for n in range(60)]
    assert len(pids) <= 2  # none while a replacement is starting
    engine.close()
    for pid in pids:
        gone(pid)


def test_a_crowd_costs_as_many_starts_as_workers(people: Path) -> None:
    """A worker over those that stay waits for the crowd's next question; ended at once, it would
    cost a start with every question of two callers.
    """
    engine = DuckDBEngine({"people": people}, LIMITS, workers=2, kept=1)
    some = "SELECT sum(range % 7) FROM range(3_000_000)"
    seen = set(engine.pids)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            crowd = [
                threads.submit(engine.run, some, [], timeout=60, maximum_rows=1) for _ in range(4)
            ]
            for each in crowd:
                each.result()
            seen.update(engine.pids)
    assert len(seen) <= 2
    engine.close()


def test_a_worker_that_no_crowd_wants_ends(people: Path) -> None:
    """What a crowd needed is given back when it is gone; the worker that stays still answers."""
    engine = DuckDBEngine({"people": people}, LIMITS, workers=2, kept=1, spare_seconds=0.2)
    slow = Asking(engine, SLOW)
    working(engine)
    _one(engine, 1)
    first = engine.pids
    assert len(first) == 2
    os.kill(working(engine), signal.SIGKILL)
    slow.join()
    while len(engine.pids) != 1:
        time.sleep(0.01)
    assert _one(engine, 2) == 2
    for pid in set(first) - set(engine.pids):
        gone(pid)
    engine.close()


def _one(engine: DuckDBEngine, number: int) -> object:
    return engine.run("SELECT ?::BIGINT", [number], timeout=60, maximum_rows=1)[0][0]


def test_a_closed_engine_takes_no_question(people: Path) -> None:
    """Shutting down is told apart from failing, because nothing was run."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    pids = engine.pids
    engine.close()
    engine.close()
    with pytest.raises(Unavailable) as refused:
        engine.run("SELECT 1", [], timeout=1, maximum_rows=1)
    assert refused.value.reason == "SHUTTING_DOWN"
    for pid in pids:
        gone(pid)


def test_workers_outlive_the_thread_that_made_the_engine(people: Path) -> None:
    """A parent-death signal means the starting thread: that must not be one of a server's pool."""
    made: list[DuckDBEngine] = []
    thread = threading.Thread(target=lambda: made.append(DuckDBEngine({"people": people}, LIMITS)))
    thread.start()
    thread.join()
    pids = made[0].pids
    answers(made[0])
    assert made[0].pids == pids
    made[0].close()


def test_a_worker_dies_with_its_parent_even_when_it_cannot_notice(people: Path) -> None:
    """A killed server leaves no process behind: not even one that is stopped, hence the kernel."""
    program = f"""
import time
from pathlib import Path
from nodes.engines.duckdb import DuckDBEngine, Limits
engine = DuckDBEngine({{"people": Path({str(people)!r})}}, Limits())
print(engine.pids[0], flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        server.kill()
        gone(pid)


def test_the_server_process_never_loads_the_engine(people: Path) -> None:
    """The node's process holds keys and the ledger; a bug of the engine must not be in it."""
    program = f"""
import sys
from pathlib import Path
from nodes.engines.duckdb import DuckDBEngine, Limits
from nodes.store import Store
engine = DuckDBEngine({{"people": Path({str(people)!r})}}, Limits())
engine.run("SELECT 1", [], timeout=20, maximum_rows=1)
engine.close()
print([name for name in sys.modules if "duckdb" in name and not name.startswith("nodes.")])
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("content", [None, b"", b"no database", b"\x00" * 20_000])
def test_a_table_that_cannot_be_opened_is_named(
    people: Path, tmp_path: Path, content: bytes | None
) -> None:
    """F29: an operator must see at the start which table is damaged, not where files lie."""
    file = tmp_path / "visits.duckdb"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EngineNotStarted) as caught:
        DuckDBEngine({"people": people, "visits": file}, LIMITS)
    assert "'visits'" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_damage_inside_a_file_is_a_failure_without_words(people: Path, tmp_path: Path) -> None:
    """F29: a file that rots under a running engine gives the constant error."""
    file = tmp_path / "people.duckdb"
    content = bytearray(people.read_bytes())
    content[16384:] = b"\xff" * (len(content) - 16384)
    file.write_bytes(content)
    try:
        engine = DuckDBEngine({"people": file}, LIMITS)
    except EngineNotStarted:
        return
    with pytest.raises(Fault):
        engine.run("SELECT sum(person_id), max(name) FROM people", [], timeout=20, maximum_rows=1)
    engine.close()


def test_a_replaced_file_serves_the_old_data_until_the_worker_ends(
    people: Path, tmp_path: Path
) -> None:
    """F29: loading renames a new file into place while questions run over the old one."""
    file = tmp_path / "people.duckdb"
    file.write_bytes(people.read_bytes())
    engine = DuckDBEngine({"people": file}, LIMITS)
    answers(engine)
    (tmp_path / "new").write_bytes(b"not even a database")
    (tmp_path / "new").rename(file)
    answers(engine)
    engine.close()


def test_a_replacement_that_cannot_start_fails_the_question_and_is_tried_again(
    people: Path, tmp_path: Path
) -> None:
    """A missing file neither hangs questions nor needs a restart once it is back."""
    file = tmp_path / "people.duckdb"
    file.write_bytes(people.read_bytes())
    engine = DuckDBEngine({"people": file}, LIMITS)
    file.rename(tmp_path / "away")
    with pytest.raises(Fault):
        engine.run("SELECT error('x')", [], timeout=20, maximum_rows=1)
    for _ in range(2):
        with pytest.raises(Fault):
            engine.run("SELECT 1", [], timeout=20, maximum_rows=1)
    (tmp_path / "away").rename(file)
    answers(engine)
    engine.close()


GARBAGE = {
    "huge length": b"\xff\xff\xff\xff",
    "no JSON": b"\x00\x00\x00\x03abc",
    "no UTF-8": b"\x00\x00\x00\x02\xff\xfe",
    "no object": b"\x00\x00\x00\x02[]",
    "empty object": b"\x00\x00\x00\x02{}",
    "cut": b"\x00\x00\x00\x09{",
    "rows of another type": b'\x00\x00\x00\x0a{"rows":7}',
    "a row of another type": b'\x00\x00\x00\x0c{"rows":[7]}',
    "a nested cell": b'\x00\x00\x00\x10{"rows":[[[1]]]}',
    "too many rows": b'\x00\x00\x00\x12{"rows":[[1],[1]]}',
    "deep": (100_000).to_bytes(4, "big") + b"[" * 100_000,
    "long number": (5_000).to_bytes(4, "big") + b"1" * 5_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_a_worker_gone_mad_is_a_failure(
    people: Path, garbage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes out of the worker is not trusted: it ran an engine over hostile data."""
    ready = b'\x00\x00\x00\x0e{"ready":true}'
    program = f"""
import os
def read(n):
    while n: n -= len(os.read(0, n))
for reply in ({ready!r}, {garbage!r}):
    size = int.from_bytes(os.read(0, 4), "big")
    read(size)
    os.write(1, reply)
"""
    monkeypatch.setattr(process, "_PROGRAM", program)
    engine = DuckDBEngine({"people": people}, LIMITS)
    with pytest.raises(Fault) as caught:
        engine.run("SELECT 1", [], timeout=20, maximum_rows=1)
    assert caught.value.__context__ is None
    engine.close()


def test_calls_that_follow_one_another_start_no_worker_each(people: Path) -> None:
    """Two at a time over two kept workers, whose start is slow: before, each call that came while
    one started began a start of its own, and each that ended killed the worker that was warm.
    """
    engine = DuckDBEngine({"people": people}, LIMITS, workers=4, kept=2)
    starts: list[None] = []
    started = engine._started

    def slowly() -> tuple[process.WorkerProcess | None, str]:
        starts.append(None)
        time.sleep(0.3)
        return started()

    engine._started = slowly  # type: ignore[method-assign]
    seats = threading.Semaphore(2)

    def ask(_: int) -> None:
        with seats:
            assert engine.run("SELECT 1", [], timeout=60, maximum_rows=1) == [(1,)]

    try:
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(ask, range(400)))
        assert len(starts) <= 2  # the second worker, and one more for who came in between
        while engine._starting:
            time.sleep(0.01)
        assert len(engine.pids) <= 3
    finally:
        engine.close()
