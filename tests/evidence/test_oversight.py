"""A log and its witnesses: cosigned checkpoints, and a log that stops when it is contradicted."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import Unavailable
from landbridge.evidence import EvidenceError, Log, Signer, verify_folder
from landbridge.evidence.cosignature import Cosigner, WitnessKey
from landbridge.evidence.oversight import (
    MOST_REQUESTS,
    MOST_WITNESSES,
    PATIENCE_SECONDS,
    Ask,
    Oversight,
)
from landbridge.evidence.quorum import Quorum
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import OK, STALE
from landbridge.evidence.witness_memory import Reply, Witness
from tests.evidence.faulty_disk import FaultyDisk

SIGNER = Signer.create("nyc.example/gateway")
LOG = Verifier.parse(SIGNER.vkey)


@dataclass
class Department:
    """A witness that can be down, or lie."""

    place: Path
    name: str
    asked: int = 0
    up: bool = True
    lie: Callable[[Reply], Reply] = field(default=lambda reply: reply)

    def __post_init__(self) -> None:
        self.cosigner = Cosigner.create(f"nyc.example/{self.name}/witness")
        self.witness = Witness.open(
            self.place / self.name, self.cosigner, [LOG], clock=time.time, disk=FaultyDisk()
        )

    @property
    def key(self) -> WitnessKey:
        return WitnessKey.parse(self.cosigner.vkey)

    def ask(self, body: bytes) -> Reply:
        self.asked += 1
        if not self.up:
            raise ConnectionError("it does not answer")
        return self.lie(self.witness.add_checkpoint(body))


@dataclass
class Watched:
    """A log with witnesses under a clock of its own, and what its operator was told."""

    place: Path
    departments: list[Department]
    needed: int = 0
    now: float = 0.0
    patience: float = PATIENCE_SECONDS
    every: float = 0.001
    told: list[str] = field(default_factory=list)

    def open(self) -> Log:
        asks: dict[WitnessKey, Ask | None] = {each.key: each.ask for each in self.departments}
        oversight = Oversight(
            LOG,
            asks,
            tell=self.told.append,
            needed=self.needed,
            limit=60.0,
            patience=self.patience,
            clock=lambda: self.now,
        )
        return Log.open(
            self.place / "public",
            self.place / "state",
            SIGNER,
            disk=FaultyDisk(),
            publish_every=self.every,
            oversight=oversight,
        )

    def witnesses(self) -> list[str]:
        keys = [each.cosigner.vkey for each in self.departments]
        found = verify_folder(self.place / "public", SIGNER.vkey, keys)
        return [each.witness for each in found.witnesses]

    def copy(self, name: str) -> Path:
        """Yesterday's backup."""
        for part in ("public", "state"):
            shutil.copytree(self.place / part, self.place / name / part)
        return self.place / name

    def put_back(self, backup: Path) -> None:
        for part in ("public", "state"):
            shutil.rmtree(self.place / part)
            shutil.copytree(backup / part, self.place / part)


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for the publisher; a test that waits in vain is cut off by its time limit."""
    while not holds():
        time.sleep(0.002)


def watched(place: Path, *names: str, needed: int = 0) -> Watched:
    """A log with a witness of each name."""
    return Watched(place, [Department(place, name) for name in names], needed)


def test_the_published_checkpoint_shows_every_witness(tmp_path: Path) -> None:
    """Whoever reads the folder sees whose word stands beside the keeper's own."""
    town = watched(tmp_path, "ewr", "jfk")
    with town.open() as log:
        for number in range(300):
            log.submit(str(number).encode())
        log.append(b"last")
        eventually(lambda: len(town.witnesses()) == 2 and all_saw(town, 301))
    assert town.told == []


def all_saw(town: Watched, size: int) -> bool:
    """Every witness remembers the log at that size."""
    found = [each.witness.latest(SIGNER.name) for each in town.departments]
    return all(seen is not None and seen.size == size for seen in found)


def test_one_witness_down_is_told_once_and_caught_up_later(tmp_path: Path) -> None:
    """F24: the log goes on, and the backlog is cosigned when the witness is back."""
    town = watched(tmp_path, "ewr", "jfk", needed=1)
    town.departments[1].up = False
    with town.open() as log:
        for number in range(3):
            log.append(str(number).encode())
            seen = number + 1
            eventually(lambda seen=seen: all_saw_one(town, seen))  # type: ignore[misc]
            log.require()
        assert len(town.told) == 1
        assert "nyc.example/jfk/witness" in town.told[0]
        town.departments[1].up = True
        log.append(b"more")
        eventually(lambda: all_saw(town, 4))


def all_saw_one(town: Watched, size: int) -> bool:
    """The first witness remembers the log at that size."""
    seen = town.departments[0].witness.latest(SIGNER.name)
    return seen is not None and seen.size == size


def test_without_a_quorum_the_log_stops_after_its_limit_and_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    """F24: serve for T without witnesses, then refuse; nobody has to mend anything by hand."""
    town = watched(tmp_path, "ewr", "jfk", needed=2)
    with town.open() as log:
        log.require()
        log.append(b"one")
        eventually(lambda: all_saw(town, 1))
        town.departments[0].up = False
        log.append(b"two")
        town.now += 59
        log.require()
        town.now += 2
        with pytest.raises(Unavailable, match="LOG_UNWITNESSED"):
            log.require()
        town.departments[0].up = True
        log.append(b"what was under way still gets its entry")
        eventually(lambda: all_saw(town, 3))
        eventually(lambda: len(town.witnesses()) == 2)
        log.require()


def test_a_start_needs_its_quorum_before_anything_else(tmp_path: Path) -> None:
    """A rolled-back log that keeps its witnesses away must not get T seconds of grace."""
    town = watched(tmp_path, "ewr", needed=1)
    town.departments[0].up = False
    with town.open() as log, pytest.raises(Unavailable, match="LOG_UNWITNESSED"):
        log.require()
    town.departments[0].up = True
    with town.open() as log:
        log.require()


def test_yesterday_s_backup_is_found_before_anything_is_signed(tmp_path: Path) -> None:
    """F13: the folder and the journal agree with each other; only a witness knows better."""
    town = watched(tmp_path, "ewr", "jfk")
    with town.open() as log:
        log.append(b"one")
        eventually(lambda: all_saw(town, 1))
    backup = town.copy("yesterday")
    with town.open() as log:
        log.append(b"two")
        eventually(lambda: all_saw(town, 2))
    town.put_back(backup)
    with town.open() as log:
        with pytest.raises(Unavailable, match="LOG_CONTRADICTED"):
            log.require()
        with pytest.raises(Unavailable, match="LOG_CONTRADICTED"):
            log.append(b"another second entry")
        assert log.size == 1
    (said,) = {text for text in town.told if "stopped" in text}
    assert "2 entries" in said
    assert "the log has 1" in said
    assert "older copy" in said


def test_a_backup_that_went_on_is_a_fork_and_found(tmp_path: Path) -> None:
    """Rolled back while the witness was away, grown past it, and asked again."""
    town = watched(tmp_path, "ewr")
    with town.open() as log:
        log.append(b"one")
        eventually(lambda: all_saw(town, 1))
    backup = town.copy("yesterday")
    with town.open() as log:
        log.append(b"two")
        eventually(lambda: all_saw(town, 2))
    town.put_back(backup)
    town.departments[0].up = False
    with town.open() as log:
        for number in range(4):
            log.append(f"another history {number}".encode())
        town.departments[0].up = True
    with town.open() as log, pytest.raises(Unavailable, match="LOG_CONTRADICTED"):
        log.require()
    assert any("history was replaced" in said for said in town.told)


def test_the_newest_copy_put_back_is_believed_again(tmp_path: Path) -> None:
    """The way out that the operator is told of."""
    town = watched(tmp_path, "ewr")
    with town.open() as log:
        log.append(b"one")
        eventually(lambda: all_saw(town, 1))
    old = town.copy("old")
    with town.open() as log:
        log.append(b"two")
        eventually(lambda: all_saw(town, 2))
    new = town.copy("new")
    town.put_back(old)
    with town.open() as log, pytest.raises(Unavailable, match="LOG_CONTRADICTED"):
        log.require()
    town.put_back(new)
    with town.open() as log:
        log.require()
        assert log.append(b"three").index == 2


LIES: dict[str, Callable[[Reply], Reply]] = {
    "a size without a checkpoint": lambda _: Reply(STALE, b"999\n"),
    "a checkpoint of its own making": lambda _: Reply(
        STALE, b"999\n", _forged(Signer.create(SIGNER.name))
    ),
    "garbage": lambda _: Reply(OK, b"\xff\xfe"),
    "no line": lambda _: Reply(OK, b""),
    "another log's cosignature": lambda _: Reply(
        OK, Cosigner.create("nyc.example/ewr/witness").cosign("x\n", 5).text.encode()
    ),
    "no number": lambda _: Reply(STALE, b"many\n"),
    "a status of no meaning": lambda _: Reply(999, b""),
    "a plain no": lambda _: Reply(422, b"no\n"),
}


def _forged(signer: Signer) -> str:
    from landbridge.evidence.checkpoint import Checkpoint

    return Checkpoint(SIGNER.name, 999, bytes(32)).sign(signer)


@pytest.mark.parametrize("lie", LIES)
def test_a_witness_that_only_says_so_stops_nobody(lie: str, tmp_path: Path) -> None:
    """One department must not be able to stop the gateway by its word; and it does not count."""
    town = watched(tmp_path, "ewr", "jfk", needed=1)
    town.departments[0].lie = LIES[lie]
    with town.open() as log:
        log.append(b"one")
        eventually(lambda: town.departments[1].witness.latest(SIGNER.name) is not None)
        log.require()
    assert town.departments[0].asked <= 10 * MOST_REQUESTS
    assert any("nyc.example/ewr/witness" in said for said in town.told)
    assert town.witnesses().count("nyc.example/ewr/witness") == 0


def test_a_witness_that_counts_forever_is_left_alone(tmp_path: Path) -> None:
    """A conversation ends after a few requests, whatever is said in it."""
    town = watched(tmp_path, "ewr")
    count = iter(range(1, 1000))
    with town.open() as log:
        for number in range(50):
            log.submit(str(number).encode())
        log.append(b"x")
    town.departments[0].lie = lambda _: Reply(STALE, f"{next(count)}\n".encode())
    town.departments[0].asked = 0
    with town.open():
        assert 0 < town.departments[0].asked <= MOST_REQUESTS


def test_a_witness_may_come_by_itself(tmp_path: Path) -> None:
    """A node opens no connection: the gateway comes and carries request and reply."""
    department = Department(tmp_path, "gateway")
    oversight = Oversight(LOG, {department.key: None}, tell=print, needed=1, limit=60)
    with Log.open(
        tmp_path / "public", tmp_path / "state", SIGNER, disk=FaultyDisk(), oversight=oversight
    ) as log:
        with pytest.raises(Unavailable, match="LOG_UNWITNESSED"):
            log.require()
        request, replies = log.next_request(department.key.name), 0
        while request:
            replies += 1
            request = log.next_request(department.key.name, department.ask(request))
        assert replies == 1
        log.require()
        with pytest.raises(KeyError):
            log.next_request("a stranger")
        eventually(
            lambda: bool(
                verify_folder(
                    tmp_path / "public", SIGNER.vkey, [department.cosigner.vkey]
                ).witnesses
            )
        )


def test_a_quorum_of_more_than_there_are_is_refused(tmp_path: Path) -> None:
    """It could never be met."""
    with pytest.raises(EvidenceError, match="it is 2, but 1"):
        watched(tmp_path, "ewr", needed=2).open()


def test_as_many_witnesses_as_fit_under_a_checkpoint_and_no_more(tmp_path: Path) -> None:
    """What was published must be readable at the next start, or the log never starts again."""
    town = watched(tmp_path, *(f"d{number}" for number in range(MOST_WITNESSES)))
    with town.open() as log:
        log.append(b"one")
        eventually(lambda: all_saw(town, 1))
    with town.open() as log:
        assert log.size == 1
        assert len(town.witnesses()) == MOST_WITNESSES
    town.departments.append(Department(tmp_path, "one-more"))
    with pytest.raises(EvidenceError, match="they are 100, but a checkpoint has room for 99"):
        town.open()


def test_a_witness_that_never_answers_holds_up_nobody(tmp_path: Path) -> None:
    """Neither the start nor publication nor the stop, and it is not asked on top of that."""
    town = watched(tmp_path, "ewr", "jfk", needed=1)
    town.patience = 0.01
    released, ask = threading.Event(), town.departments[1].witness.add_checkpoint
    stuck: list[bytes] = []

    def hang(body: bytes) -> Reply:
        stuck.append(body)
        released.wait()
        return ask(body)

    town.departments[1].ask = hang  # type: ignore[method-assign]
    with town.open() as log:
        for number in range(5):
            log.append(str(number).encode())
            eventually(lambda seen=number + 1: all_saw_one(town, seen))  # type: ignore[misc]
        log.require()
    assert len(stuck) == 1
    released.set()


def test_what_came_last_is_put_to_the_witnesses_before_the_stop(tmp_path: Path) -> None:
    """Answers just before an orderly stop could be cut off, and nobody would notice."""
    town = watched(tmp_path, "ewr", needed=1)
    town.every = 3600.0
    with town.open() as log:
        log.append(b"one")
        for number in range(5):
            log.append(f"answer {number}".encode())
    assert all_saw(town, 6)
    assert town.witnesses() == ["nyc.example/ewr/witness"]


def test_two_witnesses_of_one_name_are_refused(tmp_path: Path) -> None:
    """A member must not lend its name, or its one vote, to another's key."""
    town = watched(tmp_path, "ewr")
    town.departments.append(Department(tmp_path / "elsewhere", "ewr"))
    with pytest.raises(EvidenceError, match="same name"):
        town.open()


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 30)), max_size=30), st.integers(0, 40))
def test_no_entry_waits_longer_than_the_limit(steps: list[tuple[int, float]], seen: int) -> None:
    """Universal: against a plain account of when each entry came."""
    quorum, now, size, born = Quorum(1, 60.0), 0.0, 0, list[float]()
    quorum.started(0)
    quorum.cosigned([0])
    for count, pause in steps:
        now += pause
        size += count
        born += [now] * count
        if count:
            quorum.grew(size, now)
    if seen:
        quorum.cosigned([min(seen, size)])
    waiting = born[min(seen, size) :]
    if waiting and now - waiting[0] > 60:
        assert quorum.overdue(now), "never too late"
    if not waiting or now - waiting[0] <= 59:
        assert not quorum.overdue(now), "at most a second too early"
