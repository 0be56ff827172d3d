"""One life of a gateway and a node after another; in each the n-th operation on files fails.

A life begins with the same files every time: those before the first start, or those that a kill -9
left. One of the two processes suffers (see `suffering`): its n-th write, sync, rename, open or
removal fails, or is where it ends as by kill -9. Callers ask, call, open a case, set a watch, hand
in a record, consult, and take what they are given. Then both are started as they are, without a
hand, or the one alone beside the other, which never ended; and the callers ask the same again under
the same ids. What must hold is looked at as after a storm, and besides:

- a server that cannot start says why in one sentence, and starts when the disk is well again;
- a server is never defect, and tells no caller so;
- what a caller had, it has again: the same answer, the case, the watch, the consultation; a step
  has one effect, a record is taken once, and no call is forgotten by the count that bounds them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

import landbridge
from landbridge.answers import Answer
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.exchange import Exchange, attempts, query
from landbridge.federation.process import ProcessFailed, ServerProcess
from landbridge.federation.running import Federation
from landbridge.v1 import gateway_pb2
from tests.faults import hamlet
from tests.faults.hamlet import COLLECTION, DEPARTMENT, PROCEDURE, PURPOSE, SERVICE
from tests.faults.holding import Given, Seen, broken
from tests.faults.nursery import Nursery
from tests.submission.town import record

VICTIMS: Final = ("gateway", DEPARTMENT)
KINDS: Final = {"gateway": "gateway", DEPARTMENT: "node"}
WAYS: Final = ("exit", "EIO", "ENOSPC")
BASES: Final = ("fresh", "lived")
SECONDS: Final = 20.0
SHORT: Final = 4.0
"""Of a call when all is well again, and while something fails."""
RECOVERY: Final = 5.0
"""Seconds after which nobody is refused any more."""
PASSING: Final = frozenset({
    "GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEPARTMENT_MISSING", "DEADLINE", "TOO_BUSY",
    "LOG_UNAVAILABLE", "LEDGER_UNAVAILABLE", "CASES_UNAVAILABLE", "RUN_FAILED", "NOT_AVAILABLE",
    "INTAKE_UNAVAILABLE",
})  # fmt: skip
"""What a caller may be told while a disk fails: ask again. NOT_AVAILABLE comes from a gateway that
started for the first time while its department was away, and does not know what there is."""
_MADE_AT_START: Final = ("log", "journal", "witness", "subjects", "linking", "intake", "review",
                         "spill", "subjects.key")  # fmt: skip


@dataclass
class Life:
    """What one life was like: what failed in it, "" for nothing, and what does not hold.

    `both`: both were started again, and not only the one that suffered.
    """

    both: bool
    failed: str = ""
    wrong: list[str] = field(default_factory=list)


@dataclass
class Told:
    """What callers were told of all but questions."""

    case: str = ""
    watch: str = ""
    replies: int = 0
    records: int = 0
    """Accepted, and not said to have been there before."""
    consultations: list[str] = field(default_factory=list)


class Lives:
    """The hamlet's files, and as many lives as are wanted; nobody else may use them meanwhile."""

    def __init__(self, place: Path, nursery: Nursery) -> None:
        self._nursery = nursery
        self._state = place / "state"
        self._bases = {name: place / name for name in BASES}
        with Federation.up(
            hamlet.write(place / "town"), state=self._state, spawn=nursery.spawn
        ) as running:
            self._address, self._ca = running.address, running.ca
            self._tokens = {name: running.token(name) for name in ("planner", "desk")}
        for name in VICTIMS:
            folder = self._state / name
            for each in _MADE_AT_START:
                with suppress(FileNotFoundError, NotADirectoryError):
                    shutil.rmtree(folder / each)
                (folder / each).unlink(missing_ok=True)
            for path in folder.glob("*.sqlite*"):
                path.unlink()
        shutil.copytree(self._state, self._bases["fresh"])
        self._seed()

    def _seed(self) -> None:
        """Files as a crash leaves them: both were killed with the journal full of news."""
        servers = [self._started(name) for name in reversed(VICTIMS)]
        seen, told = Seen(), Told()
        self._ask(seen, told, "0")
        assert seen.given, seen.refused
        assert told.replies, seen.refused
        assert told.case, seen.refused
        assert told.watch, seen.refused
        assert told.records == 1, seen.refused
        assert told.consultations, seen.refused
        assert not seen.refused
        for server in servers:
            server.kill()
        sockets = shutil.ignore_patterns("*.sock")
        shutil.copytree(self._state, self._bases["lived"], ignore=sockets)

    def live(self, victim: str, how: str, at: int, base: str, *, both: bool = True) -> Life:
        """One life, in which the operation number `at` of `victim` fails.

        Then `both` are started again, or the victim alone beside the other: always so when it did
        not start at all, and then nobody is asked anything before.
        """
        shutil.rmtree(self._state)
        shutil.copytree(self._bases[base], self._state)
        life, seen, told = Life(both), Seen(), Told()
        with suppress(FileNotFoundError):
            (self._state.parent / "told").unlink()
        self._nursery.sufferings[victim] = {
            "root": str(self._state / victim),
            "fail": {"at": at, "how": how},
            "told": str(self._state.parent / "told"),
        }
        number = f"{victim}{how}{at}{base}"
        servers = list(self._first(victim, life))
        self._nursery.sufferings.clear()
        if victim not in [server.name for server in servers]:
            life.both = False  # nobody has asked the other anything
        else:
            self._ask(seen, told, number, SHORT)
        staying = [server for server in servers if not life.both and server.name != victim]
        self._end([server for server in servers if server not in staying], life)
        with suppress(FileNotFoundError):
            life.failed = (self._state.parent / "told").read_text()
        first = Seen(list(seen.given), seen.refused.copy())
        self._again(seen, told, number, life, staying)
        life.wrong += [f"told {reason}" for reason in first.refused if reason not in PASSING]
        folders = {name: self._state / name / "log" for name in VICTIMS}
        life.wrong += broken(seen, folders, (DEPARTMENT,))
        life.wrong += self._effects(told)
        return life

    def _first(self, victim: str, life: Life) -> Iterator[ServerProcess]:
        """Those that started, until one does not, which says why in one sentence."""
        for name in reversed(VICTIMS):
            try:
                yield self._started(name)
            except ProcessFailed:
                words = self._words(name)
                if "exit" not in str(self._nursery.sufferings.get(name)) and len(words) != 1:
                    life.wrong.append(f"I10 {name} did not start and said {words[-3:]}")
                if name != victim:
                    life.wrong.append(f"I10 {name} did not start, and nothing of it failed")
                return

    def _again(
        self, seen: Seen, told: Told, number: str, life: Life, staying: list[ServerProcess]
    ) -> None:
        """Who ended is started as it is, and the same is asked again."""
        before = Seen(list(seen.given))
        servers = list(staying)
        run = {server.name for server in staying}
        try:
            servers += [self._started(name) for name in reversed(VICTIMS) if name not in run]
        except ProcessFailed as failure:
            life.wrong.append(f"I10 {failure}")
            self._end(staying, life)
            return
        began = time.monotonic()
        refused = Counter[str]()
        for round_ in count(1):  # what was under way at the crash may have to end first
            again = Seen()
            self._ask(again, told, number)
            seen.given += again.given
            refused = again.refused
            if not refused or (round_ >= 3 and time.monotonic() - began > RECOVERY):
                break
            time.sleep(0.05)
        if refused:
            life.wrong.append(f"I10 told {dict(refused)} after {time.monotonic() - began:.1f} s")
        if before.given and not seen.given:
            life.wrong.append("I5 an answer is gone")
        self._end(servers, life)

    def _end(self, servers: list[ServerProcess], life: Life) -> None:
        for server in servers:
            server.stop()
            said = [
                line for line in self._words(server.name) if "defect" in line or "Trace" in line
            ]
            if said:
                life.wrong.append(f"{server.name} is defect: {said[:2]}")

    def _words(self, name: str) -> list[str]:
        return (self._state / name / "stderr.log").read_text("utf-8").strip().splitlines()

    def _started(self, name: str) -> ServerProcess:
        module, file = ("gateway",) * 2 if name == "gateway" else ("nodes", "node")
        server = self._nursery.spawn(name, module, self._state / name / f"{file}.toml")
        server.await_ready()
        return server

    def _ask(self, seen: Seen, told: Told, number: str, seconds: float = SECONDS) -> None:
        """Everything once, and the question again: under its id, and under another one."""
        digest = sha256(number.encode()).hexdigest()
        days = int(digest[:6], 16) % 55 + 3
        sql = f"SELECT topic, count(*) AS n FROM loans WHERE days < {days} GROUP BY topic"

        def asked(ident: str) -> Exchange[Answer]:
            found = query(sql, purpose=PURPOSE, epsilon=0.5, partial=False)
            assert isinstance(found.request, gateway_pb2.QueryRequest)
            found.request.question_id = ident
            return found

        def ask(client: landbridge.Client, ident: str) -> None:
            answer = client._driver.carry(attempts(asked(ident), seconds, time.monotonic))
            seen.given.append(Given(ident, answer))

        def call(client: landbridge.Client) -> None:
            client.call("library.reader_standing", purpose=SERVICE, reader=f"R-{digest[:4]}")
            told.replies += 1

        def case(client: landbridge.Client) -> None:
            form = {"reader": f"R-{digest[:4]}"}
            try:
                found = client.open_case(PROCEDURE, purpose=SERVICE, case_id=digest[:32], **form)
            except LandbridgeError as failure:
                if failure.reason != "CASE_ID_REUSED":
                    raise
                found = client.case(digest[:32])  # it was opened; sealed anew it looks different
            told.case = digest[:32]
            found.wait(seconds)

        def watch(client: landbridge.Client) -> None:
            text = "SELECT count(*) AS n FROM loans"
            client.watch(text, purpose=PURPOSE, when="n >= 1000000", every=3600, epsilon=1.0,
                         watch_id=digest[16:48])  # fmt: skip
            told.watch = digest[16:48]  # no question's: it is charged under its own id
            client.watching(told.watch)

        def hand_in(client: landbridge.Client) -> None:
            made = client.submit(
                f"{DEPARTMENT}.{COLLECTION}", [record(int(digest[:8], 16))], purpose=SERVICE,
                named=lambda _: digest[:32], timeout=seconds,
            )  # fmt: skip
            told.records += made.accepted

        def consult(client: landbridge.Client) -> None:
            for each in told.consultations:
                client.consultation(each)
            made = client.consult(
                f"SELECT topic, count(*) AS n FROM {DEPARTMENT}.loans GROUP BY topic",
                purpose=SERVICE, basis="A law on libraries, section 4.",
            )  # fmt: skip
            told.consultations.append(made.id)
            made.withdraw()

        with self._client("planner", seconds) as planner, self._client("desk", seconds) as desk:
            asking: tuple[Callable[[], None], ...] = (
                lambda: ask(planner, digest[:32]),
                lambda: ask(planner, digest[:32]),
                lambda: ask(planner, digest[32:]),
                lambda: call(desk),
                lambda: case(desk),
                lambda: watch(planner),
                lambda: hand_in(desk),
                lambda: consult(desk),
            )
            for each in asking:
                try:
                    each()
                except LandbridgeError as failure:
                    seen.refused[failure.reason] += 1
                    if failure.reason == "GATEWAY_UNREACHABLE":
                        return  # it has ended, and nobody starts it now

    def _client(self, name: str, seconds: float) -> landbridge.Client:
        return landbridge.connect(
            self._address, token=self._tokens[name], ca=self._ca, timeout=seconds
        )

    def _effects(self, told: Told) -> Iterator[str]:
        """A case's step has one effect; calls are counted, and so are the subjects of steps."""
        found = [
            Entry.from_bytes(content)
            for _, content in verify_folder(self._state / DEPARTMENT / "log").entries()
        ]
        steps = Counter(each.case for each in found if each.kind == "step" and each.answer_digest)
        if told.records > 1:
            yield f"I5 a record was taken {told.records} times"
        if told.case and steps[told.case] != 1:
            yield f"I5 the step of a case has {steps[told.case]} effects"
        changes = Counter(
            (each.case, each.note.partition(":")[0])
            for _, content in verify_folder(self._state / "gateway" / "log").entries()
            if (each := Entry.from_bytes(content)).kind == "step"
            and each.note.startswith("change ")
        )
        twice = [case for (case, _), times in changes.items() if times > 1]
        if twice:
            yield f"I5 {len(twice)} changes of a case are logged twice"
        path = self._state / DEPARTMENT / "quotas.sqlite"
        with closing(sqlite3.connect(path)) as counts:
            (calls,) = counts.execute("SELECT coalesce(sum(count), 0) FROM calls").fetchone()
        if calls < told.replies:
            yield f"I2 {told.replies} calls were replied to, and {calls} are counted"


def every(
    lives: Lives, victim: str, base: str, step: int = 1, first: int = 1, seed: int = 0
) -> Iterator[tuple[int, str, Life]]:
    """Life after life, until nothing fails in one: then every `step`th operation has failed.

    Each in one of the `WAYS`, so that with three seeds in a row each has failed in all of them. In
    every second life the victim alone is started again.
    """
    for number in count():
        at = first + number * step
        how = WAYS[(number + seed) % len(WAYS)]
        life = lives.live(victim, how, at, base, both=number % 2 == 0)
        yield at, how, life
        if not life.failed:
            return


def spoken(at: int, victim: str, how: str, base: str, life: Life) -> str:
    """What does not hold, with all that is needed to see it again."""
    return json.dumps({"victim": victim, "how": how, "at": at, "base": base, "both": life.both,
                       "failed": life.failed.strip(), "wrong": life.wrong})  # fmt: skip
