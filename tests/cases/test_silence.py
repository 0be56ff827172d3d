"""What silence does to a running case: escalation, a reply that comes too late, a clock put back.

Store, log, procedures and the driver's threads are the gateway's own; the department alone is a
stand-in that answers when it is told to. Deadlines are a second long and really pass.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from gateway.cases.case import Case, Change, Opened, Sealed, StepRow
from gateway.cases.database import Database
from gateway.cases.driver import Driver, _Job
from gateway.cases.procedures import Procedures
from gateway.cases.recording import Recording
from gateway.cases.store import Store
from gateway.cases.taking import Taken, Taking
from gateway.cases.unfolding import unfolded
from gateway.catalogue import Catalogue
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.signer import Signer
from policies.procedure import Procedure, Step, read
from policies.progress import CaseState, StepState

HOUR = 3_600.0
PROCEDURE = """
procedure: licence
version: 1
title: A licence
purposes: ["dpv:ServiceProvision"]
form: {{company: string}}
steps:
  office:
    handler: town.checked
    form: {{company_id: company}}
    deadline: {deadline}s
    silence: {silence}
decision: all
roles: {{desk: [mayors-office]}}
"""


class Office:
    """A department that says nothing until it is let, and then that it passes."""

    def __init__(self) -> None:
        self.speaks = threading.Event()
        self.asked = 0

    def take(self, procedure: Procedure, case: Case, step: Step, token: str) -> Taken:
        """As `Taking.take`; waits for the word."""
        del procedure, case, step, token
        self.asked += 1
        self.speaks.wait(20)
        return Taken(True, "PASS", (), (), ())


@dataclass
class Town:
    """A gateway's part that carries cases, which can be started again."""

    folder: Path
    silence: str
    deadline: int = 1
    shift: float = 0.0
    office: Office = field(default_factory=Office)
    signer: Signer = field(default_factory=lambda: Signer.create("town/gateway"))
    reported: list[BaseException] = field(default_factory=list)

    def start(self) -> None:
        """As the gateway does."""
        self.procedure = read(
            PROCEDURE.format(silence=self.silence, deadline=self.deadline), "p.yaml"
        )
        self.store = Store(Database(f"sqlite:///{self.folder / 'cases.sqlite'}"), "town/gateway")
        self.log = Log.open(self.folder / "log", self.folder / "journal", self.signer)
        recorder = Recorder(self.log, SubjectKey.create(), "0" * 64, self.clock)
        self.recording = Recording(self.store, recorder)
        procedures = Procedures(
            {"licence": self.procedure}, self.store, lambda: cast(Catalogue, None), print
        )
        self.driver = Driver(
            self.store, self.recording, procedures, cast(Taking, self.office), self.clock,
            time.monotonic, self.reported.append,
        )  # fmt: skip
        self.driver.start()

    def clock(self) -> float:
        """The wall's, which can be put back."""
        return time.time() + self.shift

    def open(self) -> str:
        """A case, opened as callers open one."""
        now = self.driver.now()
        opened = Opened(
            "a" * 32, "licence", self.procedure.digest, "p", "opener", "o", "c", b"key", now
        )
        rows = (StepRow("office", StepState.WAITING),)
        blank = Case(opened, CaseState.OPEN, None, 0, rows)
        changes = unfolded(self.procedure, blank, [Change(0, now, "", "opened")], now)
        forms = {"office": Sealed(b"form", b"sign")}
        assert self.store.create(opened, self.procedure.text, forms, changes, self.log.size)
        self.recording.log_and_show(opened, changes)
        self.driver.opened(opened.id, changes)
        return opened.id

    def when(self, case: str, happened: Callable[[list[str]], bool]) -> list[str]:
        """What happened to the case, step and state, once that is among it."""
        said: list[str] = []

        def ready() -> bool:
            said[:] = [each.state for each in self.store.changes(case)]
            return happened(said)

        self.recording.wait(ready, 20)
        return said

    def stop(self) -> None:
        """Lets everybody go."""
        self.office.speaks.set()
        self.driver.stop()
        self.store.close()
        self.log.close()


@pytest.fixture
def town(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Town]:
    """A town whose silence rule is the parameter."""
    silence, _, deadline = request.param.partition(" after ")
    made = Town(tmp_path, silence, int(deadline or 1))
    made.start()
    yield made
    made.stop()
    assert made.reported == []


def notes(folder: Path) -> list[str]:
    """What the log says of changes."""
    entries = (Entry.from_bytes(content) for _, content in Lookup.of(folder).entries(0))
    return [entry.note.partition(": ")[2] for entry in entries]


@pytest.mark.parametrize("town", ["{escalate: desk}"], indirect=True)
def test_at_its_deadline_a_silent_step_goes_to_the_named_role_and_stays_open(town: Town) -> None:
    """Once, in the log before anybody sees it; the reply still counts when it comes."""
    case = town.open()
    assert town.when(case, lambda said: "escalated" in said) == ["opened", "asked", "escalated"]
    found = town.store.find(case)
    assert found is not None
    (step,) = found.steps
    assert (found.state, step.state, step.escalated_to) == (CaseState.OPEN, StepState.ASKED, "desk")
    late = town.store.list(
        procedure="licence", state="", overdue_at=town.driver.now(), organisation=None,
        opener="", after="", most=9,
    )  # fmt: skip
    assert [each.opened.id for each in late] == [case]
    town.office.speaks.set()
    said = town.when(case, lambda said: "approved" in said)
    assert said == ["opened", "asked", "escalated", "passed", "approved"]
    town.stop()
    assert notes(town.folder / "log") == [
        "opened", "asked", "escalated to desk", "replied", "decided",
    ]  # fmt: skip
    town.start()


@pytest.mark.parametrize("town", ["refuse", "approve"], indirect=True)
def test_a_reply_after_the_silence_rule_decided_changes_nothing_and_is_noted(town: Town) -> None:
    """The applicant was told already; the auditor finds the late reply beside the decision."""
    deemed, decided = {
        "refuse": ("deemed_failed", "refused"),
        "approve": ("deemed_passed", "approved"),
    }[town.silence]
    case = town.open()
    assert town.when(case, lambda said: decided in said)[2:] == [deemed, decided]
    town.office.speaks.set()
    assert town.when(case, lambda said: "late" in said)[2:] == [deemed, decided, "late"]
    found = town.store.find(case)
    assert found is not None
    assert (found.state.value, found.steps[0].state.value) == (decided, deemed)
    assert found.steps[0].code == ""
    assert town.office.asked == 1


@pytest.mark.parametrize("town", ["refuse"], indirect=True)
def test_an_office_that_is_asked_twice_is_late_once(town: Town) -> None:
    """An applicant who looks in the moment in which it is asked; another gateway that heard it too.

    It is asked once by one gateway, and a reply that two gateways hear is noted by one.
    """
    case = town.open()
    for number in range(20):
        town.driver._put("ask", case, "office", number / 100)
    assert town.when(case, lambda said: "refused" in said)[2:] == ["deemed_failed", "refused"]
    town.office.speaks.set()
    said = town.when(case, lambda said: "late" in said)
    assert town.office.asked == 1
    town.driver._record(_Job(0.0, 0, "ask", case, "office"), Taken(True, "PASS", (), (), ()))
    assert [each.state for each in town.store.changes(case)] == said


@pytest.mark.parametrize("town", ["refuse"], indirect=True)
@pytest.mark.parametrize("again", [False, True])
def test_a_clock_that_is_put_back_moves_no_deadline(town: Town, *, again: bool) -> None:
    """An hour back under a running case, or between an end and the next start: it ends in time.

    No change is of an earlier time than the one before it.
    """
    case = town.open()
    town.shift = -HOUR
    if again:
        # As killed: what it still has in its hands is lost, and its department never hears of it.
        with town.driver._arrived:
            town.driver._stopping = True
            town.driver._arrived.notify_all()
        for thread in town.driver._threads:
            thread.join(0.2)
        town.office, town.reported = Office(), []
        town.log.close()
        town.store.close()
        town.start()
    began = time.monotonic()
    said = town.when(case, lambda said: "refused" in said)
    assert said == ["opened", "asked", "deemed_failed", "refused"]
    assert time.monotonic() - began < HOUR / 100
    times = [each.time for each in town.store.changes(case)]
    assert times == sorted(times)


@pytest.mark.parametrize("town", ["refuse after 60"], indirect=True)
def test_a_token_that_comes_while_a_step_is_asked_without_one_is_used_at_once(town: Town) -> None:
    """A token that was not shown is not thrown away because nothing else was taken.

    And who is under way is not asked a second time because its applicant looks.
    """
    shown: list[str] = []
    asked, go = threading.Event(), threading.Event()

    def take(procedure: Procedure, case: Case, step: Step, token: str) -> Taken:
        del procedure, case, step
        shown.append(token)
        asked.set()
        go.wait(20)
        if not token:
            raise error("STEP_NOT_ADMITTED")
        return Taken(True, "PASS", (), (), ())

    town.office.take = take  # type: ignore[method-assign]
    case = town.open()
    assert asked.wait(20)
    found = town.store.find(case)
    assert found is not None
    for _ in range(3):  # an applicant who looks, and looks again
        town.driver.offer_token(found, "token", 9e9)
    assert shown == [""]
    go.set()
    assert town.when(case, lambda said: "approved" in said)[2:] == ["passed", "approved"]
    assert shown == ["", "token"]
