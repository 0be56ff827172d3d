"""Everything fails at random while callers ask without a pause; then what must hold is looked at.

`blow` makes the storm and keeps what every caller saw. `findings` compares that with the logs and
the ledgers, from the callers' side: it is empty when everything of `holding` holds, and when every
call ended within its time (I9).

Callers are refused and left without an answer at such times; that is no failure, but it must come
as one of `PASSING`. Nothing is mended by hand: all processes are started as they are.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import landbridge
from landbridge.answers import Answer
from landbridge.errors import LandbridgeError
from landbridge.exchange import Exchange, attempts, query
from landbridge.federation.running import Federation
from landbridge.v1 import gateway_pb2
from tests.faults import town
from tests.faults.clogs import SERVERS, Clogs
from tests.faults.holding import Given, Seen, broken
from tests.faults.nursery import Nursery
from tests.faults.proxy import Line
from tests.faults.town import DEPARTMENTS, PURPOSE, folders

CALLERS: Final = 6
SECONDS: Final = 20.0
"""Of one call."""
SLACK: Final = 5.0
"""Beyond them, for a machine that does other things too."""
PASSING: Final = frozenset({
    "GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEPARTMENT_MISSING", "DEADLINE", "TOO_BUSY",
    "LOG_UNAVAILABLE", "LEDGER_UNAVAILABLE", "NOT_AVAILABLE",
})  # fmt: skip
"""What a caller may be told while something is down: ask again. NOT_AVAILABLE comes from a gateway
that started for the first time while both departments were away, and does not know what there is.
"""


class Storm:
    """One storm over one running town; `seed` chooses victims, moments and questions.

    `lines` and `full` are what `Clogs` may clog beside the servers.
    """

    def __init__(
        self,
        running: Federation,
        seed: int,
        lines: Mapping[str, Line],
        full: Mapping[str, Path],
    ) -> None:
        self._running = running
        self._chance = random.Random(seed)
        self._folders = folders(running)
        self._stop = threading.Event()
        self.seen = Seen()
        self.clogs = Clogs(running, self._chance, lines, full)
        self.recoveries: list[float] = []
        """Seconds from the moment in which nothing was clogged any more to the next answer."""

    def blow(self, kills: int) -> None:
        """So many kills, some at once, each after at least one more answer; then it is calm."""
        token = self._running.token("planner")
        threads = [
            threading.Thread(target=self._ask, args=(token, self._chance.getrandbits(32)))
            for _ in range(CALLERS)
        ]
        threads.append(threading.Thread(target=self._look_on))
        for thread in threads:
            thread.start()
        try:
            self._await_answer()
            while (left := kills - self.clogs.count["kill"]) > 0:
                time.sleep(self._chance.random() * 0.3)
                self.clogs.swizzle(min(left, self._chance.choice((1, 1, 2, 3))))
                self.recoveries.append(self._await_answer())
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _await_answer(self) -> float:
        """By itself, without anybody's help, the town answers again; after how many seconds."""
        before, began = len(self.seen.given), time.monotonic()
        while time.monotonic() - began < 120:
            if len(self.seen.given) > before:
                return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"no answer after {dict(self.clogs.count)}: {self.seen.refused}")

    def _ask(self, token: str, seed: int) -> None:
        chance = random.Random(seed)
        client = landbridge.connect(self._running.address, token=token, ca=self._running.ca)
        asked: list[Exchange[Answer]] = []
        with client:
            while not self._stop.is_set():
                if not asked or chance.random() < 0.7:
                    asked.append(_question(chance))
                self._send(client, chance.choice(asked[-5:]))  # again, under the same id

    def _send(self, client: landbridge.Client, asked: Exchange[Answer]) -> None:
        began = time.monotonic()
        try:
            answer = client._driver.carry(attempts(asked, SECONDS, time.monotonic))
        except LandbridgeError as failure:
            with self.seen.lock:
                self.seen.refused[failure.reason] += 1
            self._stop.wait(0.1)
        else:
            assert isinstance(asked.request, gateway_pb2.QueryRequest)
            with self.seen.lock:
                self.seen.given.append(Given(asked.request.question_id, answer))
        with self.seen.lock:
            self.seen.longest = max(self.seen.longest, time.monotonic() - began)

    def _look_on(self) -> None:
        """Reads the published checkpoints all the time."""
        while not self._stop.wait(0.05):
            self.seen.look_on(self._folders)

    def findings(self) -> list[str]:
        """What does not hold; empty when everything does. Ends all processes."""
        found = [f"told {reason}" for reason in self.seen.refused if reason not in PASSING]
        if self.seen.longest > SECONDS + SLACK:
            found.append(f"I9 a call took {self.seen.longest:.1f} s")
        self._running.stop_gateway()
        for department in DEPARTMENTS:
            self._running.stop(department)
        return found + broken(self.seen, self._folders, DEPARTMENTS)


def _question(chance: random.Random) -> Exchange[Answer]:
    """Of few questions, so that many are asked again under another id too."""
    sql = (
        f"SELECT topic, count(*) AS n FROM loans WHERE days < {chance.randint(1, 59)} "
        f"AND month <= {chance.randint(1, 6)} GROUP BY topic"
    )
    return query(sql, purpose=PURPOSE, epsilon=0.5, partial=False)


@contextmanager
def storm(folder: Path, nursery: Nursery, seed: int) -> Iterator[Storm]:
    """A storm over a town of its own, in which everything can be clogged."""
    state = folder / "state"
    full = {name: folder / f"{name}.full" for name in SERVERS}
    for name, path in full.items():
        server = name if name == "gateway" else f"node {name}"
        suffers = {"root": str(state / name), "full": str(path)}
        nursery.sufferings[server] = nursery.sufferings[name] = suffers
    described = town.write(folder / "town")
    try:
        with (
            Federation.up(described, state=state, spawn=nursery.spawn) as running,
            town.lines(running) as lines,
        ):
            town.fix_port(running)
            yield Storm(running, seed, lines, full)
    finally:
        nursery.sufferings.clear()
