"""A caller that goes away stops what was computed for them, and nothing else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from landbridge.edge import wanted
from landbridge.errors import DeadlineExceeded, LandbridgeError
from nodes.engines.duckdb import DuckDBEngine
from nodes.engines.ending import Ending
from tests.callers import Caller
from tests.nodes_engine.conftest import LIMITS, answers
from tests.nodes_engine.test_pool import SLOW, working


def test_a_run_that_nobody_waits_for_is_ended(people: Path) -> None:
    """It would have taken the worker's time until its deadline, a minute away."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    caller = Caller()
    said: list[str] = []

    def ask() -> None:
        with wanted.call(caller.context), wanted.repeatable():
            try:
                engine.run(SLOW, [], timeout=60, maximum_rows=1)
            except LandbridgeError as failure:
                said.append(failure.reason)

    asking = threading.Thread(target=ask)
    asking.start()
    pid = working(engine)
    caller.leave()
    asking.join(20)
    assert said == ["RUN_FAILED"]
    answers(engine)
    assert pid not in engine.pids
    engine.close()


def test_who_has_gone_takes_no_worker_from_those_who_wait(people: Path) -> None:
    """Callers that ask and leave must not cost a new process each."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    before = engine.pids
    caller = Caller(here=False)
    with wanted.call(caller.context), wanted.repeatable(), pytest.raises(DeadlineExceeded):
        engine.run("SELECT 1", [], timeout=20, maximum_rows=1)
    answers(engine)
    assert engine.pids == before
    engine.close()


def test_what_cannot_be_done_again_is_finished(people: Path) -> None:
    """A round, a step of a case: stopped half-way it would be lost, and its charge with it."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    before = engine.pids
    caller = Caller(here=False)
    with wanted.call(caller.context):
        answers(engine)
    assert engine.pids == before
    engine.close()


def test_who_leaves_afterwards_ends_nothing(people: Path) -> None:
    """The worker is another caller's by then."""
    engine = DuckDBEngine({"people": people}, LIMITS)
    before = engine.pids
    caller = Caller()
    with wanted.call(caller.context), wanted.repeatable():
        answers(engine)
    caller.leave()
    answers(engine)
    assert engine.pids == before
    engine.close()


def test_what_is_over_in_time_is_let_be() -> None:
    """A new worker costs more than the end of a short question."""
    ended = threading.Event()
    short, long = Ending(ended.set), Ending(ended.set)
    short.soon()
    short.over()
    assert short._timer is not None
    short._timer.join()
    assert not ended.is_set()
    long.soon()
    long.soon()
    assert ended.wait(20)
    long.over()
