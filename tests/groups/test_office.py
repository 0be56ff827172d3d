"""One department's groups in memory: what the log holds first, who waits, what a poll tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.signer import Signer
from landbridge.identity import issuers
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from nodes.grouping import Grouping
from nodes.guard import Asking, Guard, Rules
from nodes.notices import Notices
from nodes.policy import Policy, read
from policies.contract import Contract
from policies.question import Count, Question, Whole
from tests.groups.documents import PURPOSE
from tests.groups.town import lay, register
from tests.simulator import KeptLog

NOW = 1_795_800_000.0
QID = "ab" * 16
COUNTED = Question("ballots", (Count(),), (Whole("choice"),))


def caller(name: str) -> Caller:
    """A token's word: members are residents, everybody else is of the office."""
    organisation = "residents" if name.startswith("r-") else "office"
    return Caller(name, organisation, "app", Level.INTERNAL, frozenset({PURPOSE}), name, NOW + 60)


class Verifier:
    """Stands for a provider: a token is its bearer's name; `gone` are revoked."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    def verify(self, token: str) -> Caller:
        if token in self.gone:
            raise error("TOKEN_REVOKED")
        return caller(token)

    verify_passed_on = verify


class Office:
    """The north, with a clock that stands."""

    def __init__(self, folder: Path) -> None:
        self.folder = lay(folder / "town")
        self.log = KeptLog(
            Log.open(folder / "log", folder / "journal", Signer.create("town/north"))
        )
        self.recorder = Recorder(cast(Log, self.log), SubjectKey.create(), "0" * 64, lambda: NOW)
        self.verifier = Verifier()
        self.over = False
        policy = self.policy()
        self.guard = Guard(
            "north", policy.contracts, policy.handlers, policy.access,
            cast(issuers.Verifier, self.verifier), lambda: NOW, policy.digest, policy.groups,
            self.counted,
        )  # fmt: skip
        self.notices = Notices(folder / "groups.sqlite", lambda: NOW)
        key = Ed25519PrivateKey.generate()
        self.grouping = Grouping("town", self.guard, key, self.notices, self.recorder)

    def counted(self, contract: Contract) -> bool:
        """As the publication says."""
        del contract
        return self.over

    def policy(self) -> Policy:
        """As it lies there."""
        north = self.folder / "north"
        return read(
            "north", north / "contracts", north / "handlers", north / "access.cedar",
            north / "groups",
        )  # fmt: skip

    def follow(self) -> None:
        """The policy as it lies there now is in force."""
        policy = self.policy()
        self.guard.follow(
            Rules(policy.contracts, policy.handlers, policy.access, policy.digest, policy.groups)
        )

    def read(self, name: str, wait: float = 0.0, after: int = 0) -> list[str]:
        """The titles that a member is told."""
        asking = Asking(name, "", QID)
        found = self.grouping.read(asking, "grid", after, lambda: wait, trace_id="")
        return [each.notice.title for each in found]

    def close(self) -> None:
        """Lets go of everything."""
        self.grouping.stop()
        self.notices.close()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A fresh one."""
    found = Office(tmp_path)
    yield found
    found.close()


def why(call: object) -> str:
    """The reason that it is refused for."""
    with pytest.raises(LandbridgeError) as caught:
        call()  # type: ignore[operator]
    return caught.value.reason


def test_nobody_reads_a_notice_that_the_log_does_not_hold(office: Office) -> None:
    """A log that cannot be written publishes nothing; the same notice again has its number."""
    office.log.broken = True
    first = ("officer", "grid", "Heat", "Drink.", "01" * 16)
    assert why(lambda: office.grouping.publish(*first)) == "LOG_UNAVAILABLE"
    office.log.broken = False
    assert office.read("r-01") == []
    signed, receipt = office.grouping.publish(*first)
    assert (signed.notice.number, office.read("r-01")) == (1, ["Heat"])
    assert office.grouping.publish(*first)[1] == receipt
    published = [each for each in office.log.entries if each.note == "published notice 1"]
    assert [each.answer_digest != "" for each in published] == [True]


def test_nobody_is_told_what_the_log_does_not_hold(office: Office) -> None:
    """Who was told which notice is written first."""
    office.grouping.publish("officer", "grid", "Heat", "Drink.", "01" * 16)
    office.log.broken = True
    assert why(lambda: office.read("r-01")) == "LOG_UNAVAILABLE"
    office.log.broken = False
    office.read("r-01")
    assert office.log.entries[-1].note == "told notice 1"


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("", "Drink."),
        ("Heat\x1b[2J", "Drink."),
        ("Heat", ""),
        ("Heat", "a" * 10_001),
        ("Heat", "\u202e"),
    ],
)
def test_a_notice_is_words_that_a_terminal_can_show(office: Office, title: str, text: str) -> None:
    """What an officer sends is shown on thousands of screens."""
    asked = ("officer", "grid", title, text, "01" * 16)
    assert why(lambda: office.grouping.publish(*asked)) == "INVALID_ARGUMENT"


def test_a_reader_who_waits_is_told_at_once_and_a_leaver_is_not(office: Office) -> None:
    """Woken by the notice; whoever left or whose token was revoked meanwhile is refused."""
    told: dict[str, list[str] | str] = {}

    def wait(name: str) -> None:
        try:
            told[name] = office.read(name, wait=20.0)
        except LandbridgeError as refusal:
            told[name] = refusal.reason

    readers = [threading.Thread(target=wait, args=(name,)) for name in ("r-01", "r-02", "r-03")]
    for each in readers:
        each.start()
    office.verifier.gone.add("r-02")
    register(office.folder, ["r-01", "r-02"])
    office.follow()
    office.grouping.publish("officer", "grid", "Heat", "Drink.", "01" * 16)
    for each in readers:
        each.join(30)
    assert told == {"r-01": ["Heat"], "r-02": "TOKEN_REVOKED", "r-03": "NOT_AVAILABLE"}


def test_an_open_poll_tells_nobody_anything_by_any_way(office: Office) -> None:
    """A question, a standing one, one for an officer: all wait until it is over and counted."""

    def asked(action: str) -> object:
        return office.guard.question(
            Asking("", PURPOSE, QID), COUNTED, ("north",), Draft("query", office.recorder),
            action=action, known=caller("analyst"),  # type: ignore[arg-type]
        )  # fmt: skip

    def weighed() -> object:
        asking = Asking("analyst", PURPOSE, QID)
        return office.guard.weigh(asking, COUNTED, Draft("consult", office.recorder))

    assert why(lambda: asked("query")) == "POLL_OPEN"
    assert why(lambda: asked("watch")) == "POLL_OPEN"
    assert why(weighed) == "POLL_OPEN"
    office.over = True
    asked("query")
    assert why(lambda: asked("watch")) == "ACCESS_DENIED"


def test_the_result_is_a_declared_question_and_others_are_not(office: Office) -> None:
    """Members ask for the count by choice; a filter beside it would be another question."""
    office.over = True

    def asked(question: Question, name: str = "r-01") -> object:
        return office.guard.question(
            Asking("", PURPOSE, QID), question, ("north",), Draft("query", office.recorder),
            known=caller(name),
        )  # fmt: skip

    asked(COUNTED)
    other = Question("ballots", (Count(),))
    assert why(lambda: asked(other)) == "ACCESS_DENIED"
    asked(other, "analyst")
    register(office.folder, ["r-02"])
    office.follow()
    assert why(lambda: asked(COUNTED)) in ("ACCESS_DENIED", "NOT_AVAILABLE")
