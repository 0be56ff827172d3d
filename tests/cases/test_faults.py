"""Gateway and nodes are killed at random moments; every case ends as if nothing had happened.

What is a failure: a case that does not end, or not as it must; a step with two entries of its
effect at its department, or none; a change that is missing from the gateway's log, or stands there
twice; a subject or call that was counted twice. What is none: a step that is asked again, a
department that is silent for a while, an entry of an admission that was made again.
"""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry
from landbridge.evidence.lookup import Lookup
from landbridge.federation.running import Federation
from landbridge.protocols.step_info import step_question
from landbridge.testing import federation
from tests.cli.commands import PROGRAM
from tests.evidence.schema import problems

pytestmark = pytest.mark.journey

EXAMPLE = Path(__file__).parents[2] / "examples" / "justice_handover"
PURPOSE = "dpv:LegalCompliance"
ENDS = {"F-1": "approved", "F-2": "refused", "F-3": "refused"}
EFFECTS = {
    "F-1": ("police", "prosecution", "court"),
    "F-2": ("police",),
    "F-3": ("police", "prosecution"),
}
ROUNDS = int(os.environ.get("LANDBRIDGE_KILLS", "5"))
SEED = int(os.environ.get("LANDBRIDGE_SEED", "0")) or secrets.randbelow(1 << 32)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three departments and a gateway."""
    with federation(EXAMPLE, state=tmp_path_factory.mktemp("faults")) as up:
        yield up


def patiently(do: object, *arguments: object, **named: object) -> object:
    """As an application would: again while the gateway is away."""
    end = time.monotonic() + 60
    while True:
        try:
            return do(*arguments, **named)  # type: ignore[operator]
        except LandbridgeError as away:
            if away.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED") or time.monotonic() > end:
                raise
            time.sleep(0.2)


def entries(up: Federation, name: str | None) -> list[Entry]:
    """Everything in a log, as its schema says, once what is under way is published."""
    time.sleep(0.7)
    found = [content for _, content in Lookup.of(up.log(name)).entries(0)]
    assert not [each for content in found for each in problems(content)]
    return [Entry.from_bytes(content) for content in found]


def test_every_case_ends_once_whoever_is_killed_when(running: Federation) -> None:
    """Kill -9 of gateway and nodes; LANDBRIDGE_SEED=... plays the same moments again."""
    print(f"LANDBRIDGE_SEED={SEED}")  # noqa: T201 - shown when it fails
    chance = random.Random(SEED)
    opened: dict[str, str] = {}
    for number in range(ROUNDS):
        file = chance.choice(list(ENDS))
        case_id = f"{chance.getrandbits(128):032x}"
        with running.client("officer") as officer:
            patiently(officer.open_case, "hand_over", purpose=PURPOSE, case_id=case_id, file=file)
            opened[case_id] = file
            time.sleep(chance.random() * 0.08)
            victim = chance.choice((None, None, "police", "prosecution", "court"))
            if victim is None:
                running.kill_gateway()
                running.start_gateway()
            else:
                running.kill(victim)
                running.restart(victim)
        del number
    ends = {}
    with running.client("officer") as officer:
        for case_id, file in opened.items():
            patiently(lambda each=case_id: officer.case(each).wait(90))
            view = officer.case(case_id)
            ends[case_id] = view.state
            changes = view.history()
            assert [each.sequence for each in changes] == list(range(1, len(changes) + 1))
            assert view.state == ENDS[file], (file, view)
    _hold_logs(running, opened)


def _hold_logs(running: Federation, opened: dict[str, str]) -> None:
    time.sleep(0.7)
    logs = [str(running.log(name)) for name in (None, "police", "prosecution", "court")]
    agreed = subprocess.run(
        [*PROGRAM, "log", "reconcile", *logs], capture_output=True, text=True, timeout=60
    )
    assert agreed.returncode == 0, agreed.stdout
    noted = Counter(
        (entry.case, entry.note.partition(":")[0])
        for entry in entries(running, None)
        if entry.kind == "step" and entry.note.startswith("change ")
    )
    assert set(noted.values()) == {1}, noted
    for department in ("police", "prosecution", "court"):
        effects = Counter(
            entry.case
            for entry in entries(running, department)
            if entry.kind == "step" and entry.answer_digest
        )
        expected = {case for case, file in opened.items() if department in EFFECTS[file]}
        assert effects == Counter(dict.fromkeys(expected, 1)), department
        running.stop(department)
        path = running.state / department / "quotas.sqlite"
        with closing(sqlite3.connect(path)) as quotas:
            (charged,) = quotas.execute("SELECT count(*) FROM charged").fetchone()
            (calls,) = quotas.execute(
                "SELECT coalesce(sum(count), 0) FROM calls WHERE length(period) = 10"
            ).fetchone()
        assert (charged, calls) == (len(expected), len(expected))
        running.restart(department)


def test_the_gateway_keeps_no_name_and_no_token(running: Federation) -> None:
    """Row 104: neither the number of a file nor a suspect lies in what the gateway has."""
    with running.client("officer") as officer:
        case = patiently(officer.open_case, "hand_over", purpose=PURPOSE, file="F-1")
        assert case.wait(60).state == "approved"  # type: ignore[attr-defined]
        token = running.token("officer").encode()
    files = [path for path in (running.state / "gateway").rglob("*") if path.is_file()]
    found = b"".join(path.read_bytes() for path in files)
    assert case.id.encode() in found  # type: ignore[attr-defined]
    for secret in (b"F-1", b"S-17", token.split(b".")[1]):
        assert secret not in found
    # Which offences there are stands in the contract of the police, whoever's this one was.
    files = [path for path in files if path.parent.name != "descriptions"]
    assert b"fraud" not in b"".join(path.read_bytes() for path in files)


def test_an_envelope_for_one_case_opens_in_no_other(running: Federation) -> None:
    """A gateway that swaps sealed values between cases is refused by the department itself."""
    with running.client("officer") as officer:
        one = officer.open_case("hand_over", purpose=PURPOSE, file="F-1").wait(60)
    store = running.state / "gateway" / "cases.sqlite"
    with running.client("officer") as officer:
        running.stop("prosecution")
        other = officer.open_case("hand_over", purpose=PURPOSE, file="F-3")
        for change in other.changes(timeout=60):
            if (change.step, change.state) == ("police", "passed"):
                break
        with closing(sqlite3.connect(store, timeout=5)) as cases, cases:
            moved = cases.execute(
                "UPDATE envelope SET (sealed, signature) = (SELECT sealed, signature FROM envelope "
                "WHERE case_id = ? AND to_step = 'prosecution') "
                "WHERE case_id = ? AND to_step = 'prosecution'",
                (one.id, other.id),
            ).rowcount
            assert moved == 1
        running.restart("prosecution")
        question = step_question("hand_over", other.id, "prosecution")
        end = time.monotonic() + 60
        reasons: set[str] = set()
        while "ANSWER_REJECTED" not in reasons and time.monotonic() < end:
            reasons = {
                entry.reason
                for entry in entries(running, "prosecution")
                if entry.question_id == question
            }
        assert "ANSWER_REJECTED" in reasons
        assert {step.name: step.state for step in other.refresh().steps}["prosecution"] == "asked"
        assert other.cancel().state == "cancelled"
