"""A machine that misbehaves under servers that run: clocks that move, a disk that is slow or small.

One gateway and one department, real processes over TLS. Their clocks are moved apart from the
test's own, which issues the tokens; certificates are judged by the system's clock and stay good.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import landbridge
from landbridge.answers import Answer
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry
from landbridge.evidence.lookup import Lookup
from landbridge.exchange import Exchange, attempts, query
from landbridge.federation.running import Federation
from landbridge.v1 import gateway_pb2
from tests.faults import hamlet
from tests.faults.hamlet import DEPARTMENT, PURPOSE
from tests.faults.holding import Given, Seen, broken
from tests.faults.lives import PASSING
from tests.faults.nursery import Nursery

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

HOUR, DAY = 3_600.0, 86_400.0
SERVERS: Final = ("gateway", DEPARTMENT)
SECONDS: Final = 60.0
UNTIMELY: Final = frozenset(
    {"TOKEN_EXPIRED", "TOKEN_INVALID", "SIGNATURE_EXPIRED", "CERTIFICATE_ENDED"}
)
"""The token's time, that of the gateway's signature under the question, or its certificate's."""


@dataclass
class Machine:
    """The running hamlet, its clocks and its disks; and what its caller was given."""

    running: Federation
    place: Path
    seen: Seen
    questions: int = 0

    def set(self, what: str, who: str, seconds: float) -> None:
        """The server's clock is so far ahead, or its syncs take so much longer, from now on."""
        temporary = self.place / "next"
        temporary.write_text(str(seconds), "ascii")
        temporary.replace(self.place / f"{who}.{what}")

    def log(self, who: str) -> Path:
        """The published log."""
        return self.running.log(None if who == "gateway" else who)

    def pid(self, who: str) -> int:
        """The server's process."""
        return self.running.process_id(None if who == "gateway" else who)

    def question(self) -> Exchange[Answer]:
        """One that nobody asked before."""
        self.questions += 1
        sql = f"SELECT topic, count(*) AS n FROM loans WHERE days < {self.questions} GROUP BY topic"
        return query(sql, purpose=PURPOSE, epsilon=0.5, partial=False)

    def ask(
        self, asked: Exchange[Answer] | None = None, seconds: float = SECONDS, token: str = ""
    ) -> Answer:
        """The answer; what was given is kept."""
        asked = asked or self.question()
        token = token or self.running.token("planner")
        with landbridge.connect(self.running.address, token=token, ca=self.running.ca) as client:
            answer = client._driver.carry(attempts(asked, seconds, time.monotonic))
        self.seen.given.append(Given(ident(asked), answer))
        return answer

    def entries(self, who: str, asked: Exchange[Answer]) -> list[tuple[int, Entry]]:
        """What the log says of that question, once it is published."""
        for _ in range(100):
            found = [
                (index, entry)
                for index, content in Lookup.of(self.log(who)).entries(0)
                if (entry := Entry.from_bytes(content)).question_id == ident(asked)
            ]
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{who} logged nothing")

    @contextmanager
    def limited(self, who: str, which: int, most: int) -> Iterator[None]:
        """The server has no more of that than `most` within the block."""
        process = self.pid(who)
        soft, hard = resource.prlimit(process, which)
        resource.prlimit(process, which, (most, hard))
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                resource.prlimit(process, which, (soft, hard))

    def well(self, who: str, process: int) -> None:
        """Returns when it answers again, which takes no hand unless that process has ended."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if not _runs(process):
                self.again(who)
                return
            try:
                self.ask(seconds=5)
            except LandbridgeError as refused:
                if refused.reason not in PASSING:
                    raise
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"{who} does not answer again")

    def again(self, who: str) -> None:
        """Ends the server at once and starts it as it is."""
        if who == "gateway":
            self.running.kill_gateway()
            self.running.start_gateway()
        else:
            self.running.kill(who)
            self.running.restart(who)
        for _ in range(300):
            with suppress(LandbridgeError):
                self.ask()
                return
            time.sleep(0.1)
        raise AssertionError(f"no answer after {who} was started again")


def _runs(process: int) -> bool:
    """Whether there is such a process, and not only what its parent has not heard of yet."""
    with suppress(OSError):
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    return False


def ident(asked: Exchange[Answer]) -> str:
    """The question's id."""
    assert isinstance(asked.request, gateway_pb2.QueryRequest)
    return asked.request.question_id


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Machine]:
    """Both servers with clocks and syncs of their own; at the end everything must hold."""
    place = tmp_path_factory.mktemp("machine")
    state = place / "state"
    for who in SERVERS:
        name = who if who == "gateway" else f"node {who}"
        nursery.sufferings[name] = {
            "clock": str(place / f"{who}.clock"),
            "root": str(state / who),
            "slow": str(place / f"{who}.slow"),
            "short": str(place / f"{who}.short"),
            "threads": str(place / f"{who}.threads"),
            "nudged": True,
        }
    folder = hamlet.write(place / "town")
    contract = folder / DEPARTMENT / "contracts" / "loans.odcs.yaml"
    contract.write_text(contract.read_text().replace("period: year", "period: day"))
    try:
        with Federation.up(folder, state=state, spawn=nursery.spawn) as running:
            made = Machine(running, place, Seen())
            yield made
            running.stop_gateway()
            running.stop(DEPARTMENT)
            folders = {who: made.log(who) for who in SERVERS}
            # Another day's budget begins anew, and some entries are of tomorrow.
            moved = ("I2 ", "reconcile: ahead_of_time")
            found = broken(made.seen, folders, (DEPARTMENT,))
            assert [each for each in found if not each.startswith(moved)] == []
    finally:
        nursery.sufferings.clear()


@pytest.fixture(autouse=True)
def well(machine: Machine) -> Iterator[None]:
    """Every test leaves clocks and disks as they should be."""
    yield
    for who in SERVERS:
        for what in ("clock", "slow", "short"):
            machine.set(what, who, 0)


def refusal(do: Callable[[], object]) -> str:
    """The reason for which it is refused."""
    with pytest.raises(LandbridgeError) as caught:
        do()
    return caught.value.reason


@pytest.mark.parametrize("who", SERVERS)
@pytest.mark.parametrize("ahead", [2 * HOUR, -HOUR, 20 * 366 * DAY])
def test_a_token_is_judged_by_each_servers_own_clock(
    machine: Machine, who: str, ahead: float
) -> None:
    """F23, I6: too late or too early by either clock is refused, and costs nothing."""
    machine.set("clock", who, ahead)
    asked = machine.question()
    assert refusal(lambda: machine.ask(asked)) in UNTIMELY
    machine.set("clock", who, 0)
    assert machine.ask(asked).cost.budgets[0].charged_micro_rho > 0


def test_a_stream_ends_with_the_token_that_opened_it(machine: Machine) -> None:
    """F25, I6: it told, and tells no more once its token has ended; F23: by the clock of then."""
    running, heard = machine.running, 0
    with running.client("planner") as planner:
        watch = planner.watch(
            "SELECT count(*) AS n FROM loans", purpose=PURPOSE, when="n >= 1", every=1, rest=0,
            epsilon=5.0, alerts=3,
        )  # fmt: skip
        with pytest.raises(LandbridgeError) as ended:
            for _ in watch.follow(timeout=40):
                heard += 1
                machine.set("clock", "gateway", 2 * HOUR)
    assert (heard, ended.value.reason) == (1, "TOKEN_EXPIRED")


def test_clocks_that_jump_within_the_leeway_change_neither_order_nor_charge(
    machine: Machine,
) -> None:
    """F23, I5: entries stand in the order in which things happened, whatever their times say."""
    asked = []
    for number in range(6):
        machine.set("clock", "gateway", (25, -25, 0)[number % 3])
        machine.set("clock", DEPARTMENT, (-25, 25)[number % 2])
        asked.append(machine.question())
        first, second = machine.ask(asked[-1]), machine.ask(asked[-1])
        assert first.rows() == second.rows()
    for who in SERVERS:
        found = [machine.entries(who, each)[0] for each in asked]
        assert [index for index, _ in found] == sorted(index for index, _ in found)
        times = [entry.time for _, entry in found]
        assert times != sorted(times)  # the clocks did jump


def test_a_clock_that_goes_back_opens_no_budget_again(machine: Machine) -> None:
    """F23, I2: ahead there is another day's budget; back again, what is spent counts there."""

    def spent(now: float) -> int:
        asked = machine.question()
        machine.ask(asked, token=machine.running.token("planner", now=now))
        ((_, entry), *_) = machine.entries(DEPARTMENT, asked)
        return int(str(entry.budget["overall_spent"]))

    now = time.time()
    before = spent(now)
    for who in SERVERS:
        machine.set("clock", who, DAY)
    ahead = spent(now + DAY)
    assert ahead < before
    for who in SERVERS:
        machine.set("clock", who, 0)
    assert spent(now) > ahead
    machine.again(DEPARTMENT)
    assert spent(now) > ahead


@pytest.mark.parametrize("who", SERVERS)
def test_a_slow_disk_costs_time_and_nothing_else(machine: Machine, who: str) -> None:
    """F10, I1, I9: a call ends in its time, answered or not; asked again it is the same draw."""
    machine.set("slow", who, 0.5)
    asked = machine.question()
    began = time.monotonic()
    with suppress(LandbridgeError):
        machine.ask(asked, seconds=0.4)
    assert time.monotonic() - began < 30  # not for as long as the disk wants
    first, later = machine.ask(asked), machine.question()
    machine.ask(later)
    assert machine.ask(asked).rows() == first.rows()
    charged = [entry.charged_micro_rho > 0 for _, entry in machine.entries(DEPARTMENT, asked)]
    assert sum(charged) == 1
    assert machine.entries(who, asked)[0][0] < machine.entries(who, later)[0][0]


@pytest.mark.parametrize("who", SERVERS)
def test_a_file_that_may_not_grow_is_a_refusal_until_a_restart(machine: Machine, who: str) -> None:
    """F9, I1, I6: a short write and then EFBIG; what there is of it is no entry and no charge."""
    asked = machine.question()
    with machine.limited(who, resource.RLIMIT_FSIZE, 1):
        said = refusal(lambda: machine.ask(asked))
        assert said in {"LOG_UNAVAILABLE", "DEPARTMENT_MISSING"}
    machine.again(who)
    assert machine.ask(asked).rows() == machine.ask(asked).rows()


@pytest.mark.parametrize("who", SERVERS)
def test_writes_in_pieces_and_signals_all_the_time_change_nothing(
    machine: Machine, who: str
) -> None:
    """F9, I1, I4: three bytes at a time, and a signal a millisecond while they are written."""
    machine.set("short", who, 3)
    process, over = machine.pid(who), threading.Event()

    def nudge() -> None:
        while not over.wait(0.001):
            os.kill(process, signal.SIGUSR2)

    thread = threading.Thread(target=nudge)
    thread.start()
    asked = [machine.question() for _ in range(4)]
    try:
        answers = [machine.ask(each) for each in asked]
    finally:
        over.set()
        thread.join()
    machine.again(who)
    assert [machine.ask(each).rows() for each in asked] == [each.rows() for each in answers]
    assert all(machine.entries(who, each) for each in asked)


@pytest.mark.parametrize("who", SERVERS)
def test_a_server_that_gets_no_thread_refuses_and_goes_on(machine: Machine, who: str) -> None:
    """F26, I9: calls at once, of which each ends in its time; with threads again all are answered.

    gRPC's core ends the process where it finds none for a thread of its own for five seconds; then
    it starts again.
    """
    process = machine.pid(who)
    asked = [machine.question() for _ in range(8)]
    said = Counter[str]()

    def ask(each: Exchange[Answer]) -> None:
        try:
            machine.ask(each, seconds=4)
        except LandbridgeError as refused:
            said[refused.reason] += 1

    machine.set("threads", who, 1)
    os.kill(process, signal.SIGUSR1)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, asked))
    finally:
        machine.set("threads", who, 0)
        os.kill(process, signal.SIGUSR1)
    assert set(said) <= PASSING
    machine.well(who, process)
    for each in asked:
        assert machine.ask(each).rows() == machine.ask(each).rows()


@pytest.mark.parametrize("who", SERVERS)
def test_a_server_without_memory_fails_and_gives_nothing_wrong(machine: Machine, who: str) -> None:
    """F26, I9: no allocation and no thread; it may end, and then it starts again."""
    process = machine.pid(who)
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + (1 << 20)
    asked = [machine.question() for _ in range(6)]
    with machine.limited(who, resource.RLIMIT_AS, room):
        for each in asked:
            with suppress(LandbridgeError):
                machine.ask(each, seconds=5)
    machine.again(who)
    for each in asked:
        assert machine.ask(each).rows() == machine.ask(each).rows()
