"""The command line with real processes: the demo's tour, and a federation's whole life.

Each test says how many processes it starts; they are few, because each takes seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from landbridge.cli import init
from landbridge.cli.tour import QUESTIONS
from tests.cli.commands import PROGRAM, Run, environment, run_apart
from tests.web.provider import Browser, authorize

pytestmark = pytest.mark.journey
PURPOSE = "dpv:ServiceOptimisation"


@pytest.fixture
def town(run: Run, tmp_path: Path) -> Path:
    """The federation that `landbridge init federation` writes."""
    assert run("init", "federation", str(tmp_path / "town")).status == 0
    return tmp_path / "town"


@dataclass(frozen=True, slots=True)
class Staying:
    """A command that stays up; every process of it carries `mark` in its environment."""

    process: subprocess.Popen[str]
    mark: str
    said: list[str]

    def left(self) -> list[str]:
        """Those of its processes that are still there."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (path / "environ").read_bytes():
                    found.append((path / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # it ended while we looked, or is not ours
        return found


@contextmanager
def staying(*words: str, until: str, out: IO[bytes] | None = None) -> Iterator[Staying]:
    """Runs until it says so on standard error; it is ended with the block in any case.

    What it says on standard output goes to the file `out`, if there is one.
    """
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(JOURNEY=mark),
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail("it ended early: " + "".join(said))
        yield Staying(process, mark, said)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def exported(lines: list[str], run_state: Path) -> dict[str, str]:
    """The variables of the printed lines, the token by the printed command."""
    found = {}
    for line in lines:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            found[name] = value
    token = found["LANDBRIDGE_TOKEN"]
    assert token.startswith("$(")
    assert token.endswith(f" token issue {run_state} planner)")
    found["LANDBRIDGE_TOKEN"] = run_apart("token", "issue", str(run_state), "planner").out.strip()
    return found


def test_the_demo_takes_its_tour_and_falls_short_of_nothing(tmp_path: Path) -> None:
    """Eleven processes: what a new user sees first, as one document, and in the console it names.

    Every entry that the tour's document lists can be looked at there, by its own outcome.
    """
    state, said = tmp_path / "state", tmp_path / "tour.json"
    with (
        said.open("wb") as out,
        staying("demo", "--json", "--state", str(state), until="until Ctrl-C", out=out) as running,
    ):
        found = json.loads(said.read_text())
        _look_in_the_console(running.said, state, found["log"][0]["entries"])
        running.process.send_signal(signal.SIGINT)
        running.process.wait(timeout=120)
        assert running.process.returncode == 130
        assert running.left() == []
    assert found["fell_short"] == []
    assert [m["department"] for m in found["members"]] == ["ewr", "jfk", "lga", "faa", "noaa"]
    assert len(found["answers"]) == len(QUESTIONS)
    for answer in found["answers"]:
        assert answer["rows"]
        assert answer["accuracy"]
    assert [budget["department"] for budget in found["answers"][1]["cost"]["budgets"]] == [
        "ewr",
        "jfk",
        "lga",
    ]
    engines, makers, wind = found["answers"][4:]
    for linked, other in ((engines, "faa"), (makers, "faa"), (wind, "noaa")):
        assert set(linked["departments"]) == {"ewr", "jfk", "lga", other}
    # The register has 2,750 such aircraft and 1,630 of Boeing's, and 312,000 flights left in wind
    # below 20 mph: some half-widths around that (98, 98, 17,000), false alarm under 10^-6.
    assert 2_200 < dict(row[:2] for row in engines["rows"])["Turbo-fan"] < 3_300
    assert 1_100 < dict(row[:2] for row in makers["rows"])["BOEING"] < 2_200
    blown = {row[0]: row[1] for row in wind["rows"]}
    assert 200_000 < blown[1] + blown[2] < 400_000
    assert blown[0] is None  # no wind is negative: nobody is behind that cell
    assert [refusal["reason"] for refusal in found["refusals"]] == [
        "INVALID_QUESTION",
        "PURPOSE_MISSING",
        "BUDGET_EXHAUSTED",
    ]
    assert found["refusals"][2]["answered_before"] > 0
    (reply,) = found["replies"]
    assert reply["code"] in {"RECENT", "MATURE", "AGEING", "UNDATED"}
    assert [log["log"] for log in found["log"]] == ["gateway", "ewr", "jfk", "lga", "faa", "noaa"]
    assert all(log["verified"] and log["entries"] for log in found["log"])
    outcomes = [entry["outcome"] for entry in found["log"][0]["entries"]]
    assert outcomes.count("refused") == 3
    # Whoever has the folder can check it again, without the processes.
    key = state / "gateway" / "log" / "vkey"
    again = run_apart("log", "verify", str(state / "gateway" / "log"), "--key", str(key))
    assert (again.status, again.err) == (0, "")
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(found["answers"][1]["receipt"]))
    assert run_apart("log", "verify", str(receipt), "--key", str(key)).status == 0


def _look_in_the_console(said: list[str], state: Path, tour: list[dict[str, Any]]) -> None:
    """Signs in at the printed address as the auditor, and opens each of the tour's entries."""
    printed = next(line for line in said if "Look at it in a browser" in line)
    address = printed.split()[-1]
    ca = state / "authority" / "development-ca.pem"
    browser = Browser(ca)
    came = browser.post(f"{address}/sign-in", {"next": "/"})
    assert browser.get(authorize(Browser(ca), came.header("location"))).status == 303
    assert "ewr" in browser.get(f"{address}/").body
    assert len(tour) >= 11
    for entry in tour:
        page = browser.get(f"{address}/log/{entry['index']}")
        assert page.status == 200
        assert entry["outcome"] in page.body
        assert entry.get("question_id", "") in page.body
    exhausted = [each["index"] for each in tour if each.get("reason") == "BUDGET_EXHAUSTED"]
    listed = browser.get(f"{address}/log?outcome=refused").body
    assert exhausted
    assert f'<a href="/log/{exhausted[-1]}">' in listed


@pytest.mark.usefixtures("heard")
def test_a_federations_whole_life_by_hand(town: Path, tmp_path: Path) -> None:
    """Three processes and a loader: started, asked by what it printed, asked twice, stopped."""
    state = tmp_path / "state"
    with staying("up", str(town), "--state", str(state), until="until Ctrl-C") as running:
        assert running.process.stdout is not None
        lines = [running.process.stdout.readline().rstrip("\n") for _ in range(5)]
        variables = exported(lines, state)

        receipt = tmp_path / "receipt.json"
        words = ("query", init.QUESTION, "--purpose", PURPOSE)
        answer = run_apart(*words, "--format", "json", "--receipt", str(receipt), **variables)
        assert answer.status == 0, answer.err
        assert len(json.loads(answer.out)["rows"]) == 4
        key = str(state / "gateway" / "log" / "vkey")
        assert run_apart("log", "verify", str(receipt), "--key", key).status == 0

        refused = run_apart("query", "SELECT reader FROM loans", "--purpose", PURPOSE, **variables)
        assert refused.status == 3
        assert refused.err.splitlines()[-1] == "         ^"

        desk = run_apart("token", "issue", str(state), "desk").out.strip()
        called = run_apart(
            *("call", "library.reader_standing", "--arg", "reader=R01"),
            *("--purpose", "dpv:ServiceProvision"),
            **{**variables, "LANDBRIDGE_TOKEN": desk},
        )
        assert called.status == 0, called.err
        assert called.out.strip() in {"OFTEN", "SELDOM"}

        second = run_apart("up", str(town), "--state", str(state))
        assert second.status == 2
        assert second.err == (
            f"Another landbridge runs on the state folder {state}: stop it, or give this one "
            "another --state.\n"
        )
        assert run_apart("directory", **variables).status == 0  # the first is unharmed

        running.process.send_signal(signal.SIGINT)
        out, err = running.process.communicate(timeout=120)
        assert (running.process.returncode, out, err) == (130, "", "")
        assert running.left() == []
    log = run_apart("log", "show", str(state / "library" / "log"), "--format", "json")
    kinds = [json.loads(line)["kind"] for line in log.out.splitlines()]
    assert kinds[0] == "start"
    assert kinds[-1] == "stop"


@pytest.mark.usefixtures("heard")
def test_ctrl_c_while_it_starts_stops_every_process(town: Path) -> None:
    """Two processes and a loader, which a terminal's Ctrl-C reaches too; without a traceback."""
    with staying("up", str(town), until="Starting") as running:
        os.killpg(running.process.pid, signal.SIGINT)
        out, err = running.process.communicate(timeout=120)
        assert (running.process.returncode, out, err) == (130, "", "")
        assert running.left() == []


def test_a_script_runs_against_it_and_its_status_is_the_commands(
    town: Path, tmp_path: Path
) -> None:
    """Three processes and a loader; how every example is run."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, landbridge.testing\n"
        "client = landbridge.testing.current().client('planner')\n"
        f"answer = client.query({init.QUESTION!r}, purpose={PURPOSE!r})\n"
        "print(len(answer.rows()), sys.argv[1:], __name__)\n"
        "sys.exit(7)\n"
    )
    ended = run_apart("up", str(town), "--once", str(script))
    assert (ended.status, ended.out) == (7, "4 [] __main__\n")


def test_a_port_in_use_is_one_sentence(town: Path) -> None:
    """One process that cannot start, one that is stopped again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = town / "federation.toml"
        text = settings.read_text().replace('title = "Town library"\nport = 0', f"port = {port}")
        assert tomllib.loads(text)["members"][0]["port"] == port
        settings.write_text(text)
        ended = run_apart("up", str(town))
    assert ended.status == 2
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith(f"node library did not start: Cannot listen on 127.0.0.1:{port}")


def test_a_log_that_a_half_dead_run_still_holds_is_one_sentence(town: Path, tmp_path: Path) -> None:
    """One process that cannot start: a node of an earlier run hangs and keeps its log."""
    journal = tmp_path / "state" / "library" / "journal"
    journal.mkdir(parents=True)
    with (journal / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run_apart("up", str(town), "--state", str(tmp_path / "state"))
    assert ended.status == 2
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("node library did not start: ")
    assert "another process has this log open" in last


def test_data_that_breaks_its_contract_is_one_sentence(town: Path) -> None:
    """One loader and one node; nothing is served of it."""
    with (town / "library" / "data" / "loans.csv").open("a") as file:
        file.write("R01,poetry,13,5\n")
    ended = run_apart("up", str(town))
    assert ended.status == 2
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("The data of library was not loaded: ")
    assert "poetry" not in last
