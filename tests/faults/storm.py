"""Kill -9 at random moments, while callers ask without a pause; then what must hold is looked at.

`blow` makes the storm and keeps what every caller saw. `findings` compares that with the logs and
the ledgers, from the callers' side: it is empty when these hold (the numbers are those of the
table of faults, see `rows`):

- I1 every receipt verifies, and its entry stands in the gateway's log;
- I2 no department was charged less than its callers saw, and its ledger never fell;
- I3 every answer is of all departments;
- I4 every checkpoint that anybody saw is of a tree that the log at the end extends;
- I5 a question has one answer and was charged once, however often it was asked;
- I9 every call ended within its time.

Callers are refused and left without an answer at such times; that is no failure, but it must come
as one of `PASSING`. Nothing is mended by hand: all processes are started as they are.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import landbridge
from landbridge.answers import Answer
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.entry import Entry
from landbridge.evidence.merkle import Tree, leaf_hash, root_hash
from landbridge.evidence.reconciliation import Finding, reconcile
from landbridge.evidence.signer import Verifier
from landbridge.exchange import Exchange, attempts, query
from landbridge.federation.process import spawn
from landbridge.federation.running import Federation
from landbridge.v1 import gateway_pb2
from tests.faults.town import DEPARTMENTS, PURPOSE, folders

CALLERS: Final = 6
SECONDS: Final = 20.0
"""Of one call."""
SLACK: Final = 5.0
"""Beyond them, for a machine that does other things too."""
PASSING: Final = frozenset(
    {"GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEPARTMENT_MISSING", "DEADLINE", "TOO_BUSY"}
)
"""What a caller may be told while something is down: ask again."""
LEFT_BEHIND: Final = frozenset({"missing_at_gateway", "in_flight"})
"""What a killed gateway leaves: a department charged and answered, and nobody was there to take it.
That the caller got no such answer is looked at from the caller's side."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that a caller got under a question id."""

    question_id: str
    answer: Answer


@dataclass
class Seen:
    """What all callers and one bystander saw."""

    given: list[Given] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    checkpoints: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lock: threading.Lock = field(default_factory=threading.Lock)


class Storm:
    """One storm over one running town; `seed` chooses victims, moments and questions."""

    def __init__(self, running: Federation, seed: int) -> None:
        self._running = running
        self._chance = random.Random(seed)
        self._folders = folders(running)
        self._stop = threading.Event()
        self.seen = Seen()
        self.kills: Counter[str] = Counter()

    def blow(self, kills: int) -> None:
        """So many kills, each after at least one more answer; returns when the town is calm."""
        token = self._running.token("planner")
        threads = [
            threading.Thread(target=self._ask, args=(token, self._chance.getrandbits(32)))
            for _ in range(CALLERS)
        ]
        threads.append(threading.Thread(target=self._look_on))
        for thread in threads:
            thread.start()
        try:
            for _ in range(kills):
                self._await_answer()
                time.sleep(self._chance.random() * 0.3)
                self._kill(self._chance.choice(("gateway", *DEPARTMENTS)))
            self._await_answer()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _await_answer(self) -> None:
        """By itself, without anybody's help, the town answers again."""
        before = len(self.seen.given)
        for _ in range(1_200):
            if len(self.seen.given) > before:
                return
            time.sleep(0.1)
        raise AssertionError(f"no answer after kills {dict(self.kills)}: {self.seen.refused}")

    def _kill(self, victim: str) -> None:
        self.kills[victim] += 1
        again = self._chance.random() < 0.25
        if victim == "gateway":
            self._running.kill_gateway()
        else:
            self._running.kill(victim)
        if again:  # while it recovers
            self.kills["in recovery"] += 1
            module, file = ("gateway",) * 2 if victim == "gateway" else ("nodes", "node")
            recovering = spawn(victim, module, self._running.state / victim / f"{file}.toml")
            time.sleep(self._chance.random() * 1.5)
            recovering.kill()
        if victim == "gateway":
            self._running.start_gateway()
        else:
            self._running.restart(victim)

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
        """Reads the published checkpoints all the time, as witnesses and auditors do."""
        while not self._stop.wait(0.05):
            for name, folder in self._folders.items():
                try:
                    self.seen.checkpoints[name].add((folder / "checkpoint").read_text("utf-8"))
                except FileNotFoundError:
                    continue  # the log has not begun

    def findings(self) -> list[str]:
        """What does not hold; empty when everything does. Ends all processes."""
        found = [f"told {reason}" for reason in self.seen.refused if reason not in PASSING]
        if self.seen.longest > SECONDS + SLACK:
            found.append(f"I9 a call took {self.seen.longest:.1f} s")
        logs = {name: self._ended(name) for name in ("gateway", *DEPARTMENTS)}
        found += self._receipts(logs["gateway"])
        found += self._charges(logs)
        found += self._histories(logs)
        found += [
            f"reconcile: {each.what} {each.sentence}"
            for each in reconciled(logs)
            if each.what not in LEFT_BEHIND
        ]
        return found

    def _ended(self, name: str) -> list[bytes]:
        """Every entry of a log, verified whole, once its keeper ended in order."""
        if name == "gateway":
            self._running.stop_gateway()
        else:
            self._running.stop(name)
        return [content for _, content in verify_folder(self._folders[name]).entries()]

    def _receipts(self, gateway: Sequence[bytes]) -> Iterator[str]:
        vkey = (self._folders["gateway"] / "vkey").read_text().strip()
        places = {content: index for index, content in enumerate(gateway)}
        for given in self.seen.given:
            if given.answer.departments != DEPARTMENTS or given.answer.missing:
                yield f"I3 an answer is of {given.answer.departments}"
            receipt = given.answer.receipt
            if receipt is None:
                yield "I1 an answer came without a receipt"
                continue
            index = receipt.verify(vkey).index
            if places.get(receipt.entry) != index:
                yield f"I1 the entry {index} of an answer is not in the log"

    def _charges(self, logs: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
        answers: dict[str, set[object]] = defaultdict(set)
        paid: Counter[tuple[str, str]] = Counter()
        sums: Counter[str] = Counter()
        for given in self.seen.given:
            shown = tuple(given.answer.rows()), tuple(given.answer.half_widths())
            answers[given.question_id].add(shown)
            for budget in given.answer.cost.budgets:
                paid[given.question_id, budget.department] += budget.charged_micro_rho > 0
                sums[budget.department] += budget.charged_micro_rho
        for question, different in answers.items():
            if len(different) > 1:
                yield f"I5 {len(different)} answers to {question}"
        for (question, department), times in paid.items():
            if times > 1:
                yield f"I5 {department} charged {times} times for {question}"
        for department in DEPARTMENTS:
            spent = [
                int(str(entry.budget["overall_spent"]))
                for entry in map(Entry.from_bytes, logs[department])
                if entry.kind == "query" and entry.outcome == "answered"
            ]
            if spent != sorted(spent):
                yield f"I2 the ledger of {department} fell"
            if not spent or spent[-1] < sums[department]:
                yield f"I2 {department} charged {spent[-1:]} for {sums[department]} seen"

    def _histories(self, logs: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
        for name, notes in self.seen.checkpoints.items():
            verifier = Verifier.parse((self._folders[name] / "vkey").read_text().strip())
            tree = Tree()
            for content in logs[name]:
                tree.append(leaf_hash(content))
            for note in notes:
                shown: Checkpoint = open_checkpoint(note, verifier)
                if shown.size > tree.size or root_hash(shown.size, tree.node) != shown.root:
                    yield f"I4 the checkpoint of size {shown.size} of {name} is of another history"


def _question(chance: random.Random) -> Exchange[Answer]:
    """Of few questions, so that many are asked again under another id too."""
    sql = (
        f"SELECT topic, count(*) AS n FROM loans WHERE days < {chance.randint(1, 59)} "
        f"AND month <= {chance.randint(1, 6)} GROUP BY topic"
    )
    return query(sql, purpose=PURPOSE, epsilon=0.5, partial=False)


def reconciled(logs: Mapping[str, Sequence[bytes]]) -> tuple[Finding, ...]:
    """What the gateway's log and those of the departments do not both say."""
    whole = {name: list(enumerate(entries)) for name, entries in logs.items()}
    return reconcile(
        {"gateway": partial(whole.__getitem__, "gateway")},
        {name: partial(whole.__getitem__, name) for name in DEPARTMENTS},
        in_flight=timedelta(0),
        now=datetime.now(UTC),
    ).wrong
