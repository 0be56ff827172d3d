"""Two offices are silent, and the gateway is killed: the case goes the way that was declared.

Real processes throughout. An office that is stopped (SIGSTOP) keeps its connections and says
nothing, so that nothing but the deadline tells. What silence does to the driver's own states is in
`test_silence.py`, with a stand-in.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from landbridge.case import CaseChange
from landbridge.case_handle import Case
from landbridge.evidence.entry import Entry
from landbridge.evidence.lookup import Lookup
from landbridge.federation.running import Federation
from landbridge.testing import federation
from tests.cli.commands import PROGRAM

pytestmark = pytest.mark.journey

EXAMPLE = Path(__file__).parents[2] / "examples" / "one_stop_licence"
PURPOSE = "dpv:ServiceProvision"
PROCEDURE = """
procedure: open_restaurant
version: 1
title: Opening a restaurant
purposes: ["dpv:ServiceProvision"]
form:
  company: {type: string, title: Number in the market registry}
steps:
  registry:
    handler: market.registered
    form: {company_id: company}
    deadline: 10m
    silence: {escalate: licensing}
  health:
    handler: health.kitchen
    form: {company_id: company}
    deadline: 2s
    silence: {escalate: licensing}
  tax:
    handler: tax.arrears
    form: {company_id: company}
    deadline: 2s
    silence: refuse
decision: {at_least: 2}
roles:
  licensing: [mayors-office]
open: [licence-desk]
"""
OFFICES = ("market", "health", "tax")
SECONDS = 60.0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Federation]:
    """Three of the example's offices, with deadlines that a test can wait for."""
    folder = tmp_path / "town"
    shutil.copytree(EXAMPLE, folder)
    described = (folder / "federation.toml").read_text()
    before, _, rest = described.partition('[[members]]\ndepartment = "fire"')
    (folder / "federation.toml").write_text(before + rest[rest.index("[[members]]") :])
    (folder / "gateway" / "procedures" / "open_restaurant.yaml").write_text(PROCEDURE)
    with federation(folder) as running:
        yield running


@contextmanager
def silent(town: Federation, *offices: str) -> Iterator[Callable[[str], None]]:
    """These offices say nothing until each is let go on, or the block ends."""
    processes = {name: town.process_id(name) for name in offices}
    for process in processes.values():
        os.kill(process, signal.SIGSTOP)
    try:
        yield lambda name: os.kill(processes.pop(name), signal.SIGCONT)
    finally:
        for process in processes.values():
            os.kill(process, signal.SIGCONT)


def until(case: Case, happened: Callable[[list[CaseChange]], bool]) -> list[CaseChange]:
    """The case's history once that is in it."""
    end = time.monotonic() + SECONDS
    while not happened(found := list(case.history())):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def said(changes: list[CaseChange], step: str) -> list[str]:
    """What happened to a step, in order."""
    return [each.state for each in changes if each.step == step]


def overdue(town: Federation, caller: str) -> list[str]:
    """The overdue cases that somebody is shown."""
    with town.client(caller) as client:
        return [each.id for each in client.cases("open_restaurant", overdue=True)]


def test_a_silent_office_escalates_a_late_one_is_noted_and_a_killed_gateway_changes_neither(
    town: Federation,
) -> None:
    """One silence is refused by rule, and its late reply changes nothing; the other goes to the
    mayor's office and is waited for, over a kill -9 of the gateway, until it speaks and decides.
    """
    with silent(town, "health", "tax") as speaks:
        with town.client("applicant") as applicant:
            case = applicant.open_case("open_restaurant", purpose=PURPOSE, company="R-100")
            until(case, lambda changes: "deemed_failed" in said(changes, "tax"))
            # A gateway waits 20 s for a department before it gives a request up, and asks a step
            # that has ended no more: only a reply that is on its way by then can be late.
            speaks("tax")
            late = until(
                case,
                lambda changes: (
                    "escalated" in said(changes, "health")
                    and "late" in said(changes, "tax")
                    and "passed" in said(changes, "registry")
                ),
            )
            (escalated,) = (each for each in late if each.state == "escalated")
            assert escalated.role == "licensing"
            assert case.refresh().state == "open"
            assert overdue(town, "supervisor") == [case.id]  # the role's own office sees it

            assert said(late, "tax") == ["asked", "deemed_failed", "late"]
            assert {each.name: each.state for each in case.refresh().steps}[
                "tax"
            ] == "deemed_failed"

        town.kill_gateway()
        town.start_gateway()
        assert overdue(town, "supervisor") == [case.id]
        with town.client("supervisor") as supervisor:
            # Nothing was lost, and nothing happened twice.
            assert list(supervisor.case(case.id).history()) == late
        speaks("health")
    with town.client("applicant") as applicant:
        # Who dies has forgotten the applicant's token: an office that had not yet admitted its
        # step does so when they look.
        again = applicant.case(case.id).wait(SECONDS)
        assert again.state == "approved"
        changes = list(again.history())
    assert changes[: len(late)] == late
    assert said(changes, "health") == ["asked", "escalated", "passed"]
    assert said(changes, "tax") == ["asked", "deemed_failed", "late"]
    assert [each.sequence for each in changes] == list(range(1, len(changes) + 1))
    assert overdue(town, "supervisor") == []
    _hold_logs(town, case.id, len(changes))


def _hold_logs(town: Federation, case: str, changes: int) -> None:
    """Each change stands once in the gateway's log, each office's effect once in its own."""

    def entries(name: str | None) -> list[Entry]:
        return [Entry.from_bytes(each) for _, each in Lookup.of(town.log(name)).entries(0)]

    noted: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    while len(noted) < changes and time.monotonic() < end:  # published twice a second
        time.sleep(0.1)
        noted = Counter(
            entry.note.partition(":")[0]
            for entry in entries(None)
            if entry.case == case and entry.note.startswith("change ")
        )
    assert (len(noted), set(noted.values())) == (changes, {1})
    for office in OFFICES:
        effects = [each for each in entries(office) if each.case == case and each.answer_digest]
        assert len(effects) == 1, office
    # Who was asked by the gateway that had the applicant's token was asked with it.
    for office in ("market", "tax"):
        assert "STEP_NOT_ADMITTED" not in {each.reason for each in entries(office)}, office
    # The late reply too is named by both logs, though it changed nothing.
    logs = [str(town.log(name)) for name in (None, *OFFICES)]
    agreed = subprocess.run(
        [*PROGRAM, "log", "reconcile", *logs], capture_output=True, text=True, timeout=60
    )
    assert agreed.returncode == 0, agreed.stdout
