"""Time and failures as a signal: operations are counted, no clock is read.

What is refused never reaches the engine, so it can take no time there. What fails or is cut off
there ends alike in each world, with one constant sentence, and stays charged.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import pytest

from landbridge.evidence.finding import EvidenceError
from landbridge.status import from_rpc_error
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from tests.attacks.conftest import Worlds
from tests.attacks.test_worlds import REFUSED
from tests.attacks.worlds import PURPOSE, Seen, World

pytestmark = pytest.mark.journey

RARE = "SELECT count(*) FROM people WHERE age=93 AND diagnosis='X1'"


@contextmanager
def stopped(world: World) -> Iterator[list[int]]:
    """No idle worker of the engine does anything in this block: who takes one waits for it."""
    _settle(world)
    pids = world.signal_workers(signal.SIGSTOP)
    assert pids
    try:
        yield pids
    finally:
        for pid in pids:
            if pid in world.workers():
                os.kill(pid, signal.SIGCONT)


def test_what_is_refused_or_explained_needs_no_engine(worlds: Worlds) -> None:
    """Rows 54, 60, 61: with every worker stopped, all of it ends as ever, before its deadline."""
    for world in worlds:
        with stopped(world):
            for name, text in REFUSED.items():
                assert world.ask(text, "stopped", seconds=20).reason not in ("", "DEADLINE"), name
            plan = world.stub.Explain(
                gateway_pb2.ExplainRequest(sql=RARE, purpose=PURPOSE),
                metadata=(("authorization", f"Bearer {world.token('stopped')}"),),
                timeout=20,
            )
            assert [budget.department for budget in plan.budgets] == ["north"]  # it answered


def test_a_cost_is_known_before_data_and_the_same_for_all_data(worlds: Worlds) -> None:
    """Row 54: what is shown before the charge, and the end of a budget, follow text and history."""
    texts = [f"{RARE} AND income <> {9_000_000 + turn}" for turn in range(24)]
    told, ends = set(), set()
    for world in worlds:
        metadata = (("authorization", f"Bearer {world.token('thrifty')}"),)
        plans, answers = [], []
        for text in texts:
            request = gateway_pb2.ExplainRequest(sql=text, purpose=PURPOSE, micro_epsilon=2_000_000)
            plans.append(world.stub.Explain(request, metadata=metadata, timeout=20))
            seen = world.ask(text, "thrifty", epsilon=2)
            answers.append((seen.code, seen.reason, seen.entry.charged_micro_rho))
        told.add(b"".join(plan.SerializeToString(deterministic=True) for plan in plans))
        ends.add(tuple(answers))
    assert len(told) == len(ends) == 1
    assert {code for code, *_ in ends.pop()} == {"OK", "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize("end", ["killed by the clock", "killed from outside"])
def test_a_run_that_fails_says_the_same_of_all_data_and_stays_charged(
    worlds: Worlds, end: str
) -> None:
    """E: one sentence, one charge, and the next question is answered; in every world."""
    organisation = end.replace(" ", "_")

    late = end == "killed by the clock"

    def failed(world: World) -> Seen:
        with stopped(world) as pids, ThreadPoolExecutor(1) as pool:
            asked = pool.submit(world.ask, RARE, organisation, seconds=5 if late else 60)
            if not late:
                _until(lambda: any(map(_holds_a_question, pids)))
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            while late and not asked.done():  # a node starts others while a question waits
                for pid in set(world.workers()) - set(pids):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                    pids.append(pid)
                time.sleep(0.01)
            try:
                said: Seen | None = asked.result()
            except EvidenceError:
                said = None  # the caller's clock struck first, on a machine that is busy
        if said is None:
            assert late
            return failed(world)
        budget = world.ask("SELECT count(*) FROM people", organisation).answer.cost.budgets[0]
        assert budget.spent_epsilon > 1.3, said  # two questions of epsilon 1, not one
        return said

    with ThreadPoolExecutor(len(worlds)) as pool:
        seen = list(pool.map(failed, worlds))
    assert len({each.refusal for each in seen}) == 1
    assert seen[0].reason == ("DEADLINE" if late else "RUN_FAILED")
    assert {each.entry.outcome for each in seen} <= {"failed", "refused"}


def test_a_slow_caller_does_not_starve_a_fast_one(rare: World) -> None:
    """Row 100: one caller's questions hold both workers and as many calls as one may have; another
    organisation's caller, and a colleague of their own, are answered while they do.
    """
    _both_workers(rare)
    _settle(rare)
    pids = rare.signal_workers(signal.SIGSTOP)
    assert len(pids) == 2
    metadata = (("authorization", f"Bearer {rare.token('slow', caller='a crowd')}"),)
    with ExitStack() as kept:
        stubs = [gateway_pb2_grpc.GatewayStub(kept.enter_context(rare.channel())) for _ in "12"]
        slow = [
            stub.Query.future(
                gateway_pb2.QueryRequest(
                    sql=f"{RARE} AND age <> {1_000 + turn}", purpose=PURPOSE,
                    micro_epsilon=10_000, question_id=secrets.token_hex(16),
                ),
                60, metadata,
            )
            for turn in range(80)
            for stub in stubs
        ]  # fmt: skip
        _until(lambda: all(map(_holds_a_question, pids)))
        _until(lambda: sum(call.done() for call in slow) == len(slow) - 128)  # that is too many
        for organisation, caller in (("fast", "alice"), ("slow", "a colleague")):
            for turn in range(2):
                text = f"{RARE} AND age <> {2_000 + turn}"
                quick = rare.token(organisation, caller=caller)
                assert rare.ask(text, token=quick, epsilon=0.01).code == "OK"
        # Not after them: they hold the workers still.
        assert all(map(_holds_a_question, pids))
        assert sum(not call.done() for call in slow) == 128
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        ends = Counter(map(_reason, slow))
    assert ends == {"TOO_MANY_AT_ONCE": len(slow) - 128, "RUN_FAILED": 2, "": 126}
    _until(lambda: len(rare.workers()) == 2)  # no more are kept than the settings say


def _reason(call: grpc.Future[gateway_pb2.QueryResponse]) -> str:
    """Of the refusal; empty for an answer."""
    failure = call.exception()
    return from_rpc_error(failure).reason if isinstance(failure, grpc.RpcError) else ""


def _both_workers(world: World) -> None:
    """Makes the engine start its second worker, which it does when a question waits."""
    if len(world.workers()) == 2:
        return
    with stopped(world) as pids, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(world.ask, RARE, "warming", seconds=60)
        _until(lambda: any(map(_holds_a_question, pids)))  # else the next one could be the first
        _until(lambda: world.ask(RARE, "warming2", seconds=20).code == "OK")
        _until(lambda: len(world.workers()) == 2)
        world.signal_workers(signal.SIGCONT)
        assert waiting.result().code == "OK"


def _settle(world: World) -> None:
    """Returns when no worker is starting, running or about to be replaced.

    One that waits for work sleeps before an empty pipe; ten looks in a row have to find all so.
    Somebody asks before: the first question after a load opens its tables, by another worker, and
    before that nothing is charged.
    """
    assert world.ask("SELECT count(*) FROM people", "settling", seconds=20).code == "OK"
    calm: list[int] = []

    def look() -> bool:
        pids = world.workers()
        idle = all(_sleeps(pid) and not _holds_a_question(pid) for pid in pids)
        if not pids or not idle or pids != calm[-len(pids) :]:
            calm.clear()
        calm.extend(pids)
        return bool(pids) and len(calm) > 10 * len(pids)

    _until(look)


def _sleeps(pid: int) -> bool:
    """Whether every thread of the process waits for something (proc(5), the field state)."""
    with suppress(FileNotFoundError, ProcessLookupError):
        stats = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
        return all(each.read_text().rpartition(")")[2].split()[0] == "S" for each in stats)
    return False


def _holds_a_question(pid: int) -> bool:
    """Whether bytes wait in the pipe to that worker, which is stopped and reads none of them."""
    try:
        descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, ProcessLookupError):
        return False
    try:
        waiting = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    finally:
        os.close(descriptor)
    return int.from_bytes(waiting, sys.byteorder) > 0


def _until(so: Callable[[], bool]) -> None:
    for _ in range(4_000):
        if so():
            return
        time.sleep(0.03)
    raise AssertionError("it does not come")
