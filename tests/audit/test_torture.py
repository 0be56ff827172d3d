"""The long run's table: what was not run is not held, and what was done is not done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests import suite, torture
from tests.audit.outcome import Outcome, gathered
from tests.audit.page import MARK, Run, write
from tests.audit.tree import GIT, Tree, here
from tests.crew import Job, _Lane

REPORT = """<testsuites><testsuite>
<testcase classname="tests.attacks.test_x" name="test_a[one]"/>
<testcase classname="tests.attacks.test_x" name="test_a[two]"><failure/></testcase>
<testcase classname="tests.attacks.test_x" name="test_b"/>
<testcase classname="tests.attacks.test_x" name="test_c"><skipped/></testcase>
</testsuite></testsuites>"""


def test_a_row_holds_when_every_case_of_every_test_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One failed case, one skipped test and one that nobody ran: each gets through."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    rows = [
        suite.Held(name, "noise", [f"attacks/test_x.py::{name}"])
        for name in ("test_a", "test_b", "test_c", "test_gone")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, "_pytest", lambda *_: None)
        found = {row.name: row for row in suite.run(rows, report)}
    assert [found[name].through for name in found] == [True, False, True, True]
    assert (found["test_a"].tried, found["test_a"].stopped) == (2, 1)
    assert "1 not run" in found["test_gone"].figure
    said = capsys.readouterr().err
    assert "tests.attacks.test_x::test_a" in said
    assert "test_b" not in said


def test_a_run_goes_on_where_the_last_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A night's work is not lost with its process; seed and effort stay what they were."""
    done: list[str] = []
    state = str(tmp_path / "state.jsonl")

    def jobs(effort: float, seed: int) -> object:
        for name in ("one", "two"):

            def job(_: Path, name: str = name) -> Outcome:
                if name in done:
                    raise AssertionError("it was done before")
                if name == "two" and "one" in done and "killed" not in done:
                    done.append("killed")
                    raise KeyboardInterrupt
                done.append(name)
                return Outcome(name, 1, 1, "noise", f"{effort} {seed}", through=False)

            yield Job(name, job)

    monkeypatch.setattr(torture, "jobs", jobs)
    with pytest.raises(KeyboardInterrupt):
        torture.main(["--state", state, "--effort", "0.5", "--seed", "7", "--workers", "1"])
    assert torture.main(["--state", state]) == 0
    assert done == ["one", "killed", "two"]
    shown = capsys.readouterr().out
    assert shown.count("0.5 7") == 3
    assert [json.loads(line)["job"] for line in Path(state).read_text().splitlines()] == [
        "one",
        "two",
    ]
    other = replace(here(), code="another")
    monkeypatch.setattr(torture, "here", lambda: other)
    with pytest.raises(SystemExit, match="another now"):
        torture.main(["--state", state])


def test_what_random_texts_found_can_be_told_by_a_worker(tmp_path: Path) -> None:
    """It crosses a pipe as JSON; a run of hours once ended at the first that could not."""
    found = torture._texts("texts", 5, 1, tmp_path / "job")
    told = json.loads(json.dumps(asdict(found)))
    assert Outcome(**told) == found
    assert sum(found.counts.values()) == 5


def _git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run([GIT, *name, *words], cwd=folder, check=True, capture_output=True)


def test_a_tree_is_its_code_and_not_its_pages(tmp_path: Path) -> None:
    """A run writes a page, and the next is on the same code; a changed file is another one."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "audit.md").write_text("before")
    (tmp_path / "code.py").write_text("one")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "begin")
    first = here(tmp_path)
    assert first.clean
    (tmp_path / "docs" / "audit.md").write_text("after")
    assert here(tmp_path) == first
    _git(tmp_path, "commit", "-qam", "a page")
    assert (here(tmp_path).code, here(tmp_path).clean) == (first.code, True)
    assert here(tmp_path).commit != first.commit
    found = set()
    for name, text in (("code.py", "two"), ("more.py", "new"), ("more.py", "newer")):
        (tmp_path / name).write_text(text)
        found.add(here(tmp_path).code)
        assert not here(tmp_path).clean
    (tmp_path / "code.py").unlink()
    found.add(here(tmp_path).code)
    assert len(found - {first.code}) == 4


def test_a_page_counts_full_runs_of_one_code_in_a_row(tmp_path: Path) -> None:
    """Neither a look, nor changes, nor another code counts; what got through ends the row."""
    page = tmp_path / "page.md"
    page.write_text(f"Words.\n\n{MARK}\n\nAn older table.\n")
    held = Outcome("count", 10, 10, "noise", "mu >= 0.1 of 1.0", through=False)
    bad = replace(held, stopped=0, through=True)
    tree = Tree("a" * 40, "c0de", clean=True)
    run = Run("2026-01-01 10:00", tree, 7, 1.0, whole=True, minutes=48.0)

    def after(run: Run, row: Outcome = held) -> int:
        write(page, [row], run)
        text = page.read_text()
        assert text.startswith(f"Words.\n\n{MARK}\n\n")
        assert "An older table" not in text
        assert text.count(row.row()) == 1
        return text.count("`c0de`")

    assert after(replace(run, effort=0.5)) == 0
    assert after(replace(run, tree=replace(tree, clean=False))) == 0
    assert after(run) == 1
    assert after(replace(run, tree=replace(tree, commit="b" * 40), ended="2026-01-01 11:00")) == 2
    assert after(replace(run, whole=False)) == 2
    assert after(replace(run, ended="2026-01-01 12:00")) == 3
    assert "in which nothing got through: 3." in page.read_text()
    assert after(run, bad) == 0
    assert after(run) == 1
    assert after(replace(run, tree=replace(tree, code="0ther"))) == 0


def test_pieces_of_a_row_are_one_row_of_the_page() -> None:
    """Attempts and ends add up, and one piece that got through is the whole row's."""
    first = Outcome("texts, 1 of 2", 10, 10, "algebra", "7 refused", False, {"refused": 7})
    second = Outcome("texts, 2 of 2", 10, 10, "algebra", "9 refused", False, {"refused": 9})
    (whole,) = gathered([first, second])
    assert whole == Outcome("texts", 20, 20, "algebra", "16 refused", False, {"refused": 16})
    bad = Outcome("texts, 2 of 2", 10, 9, "algebra", "text 4 shows", True, {"refused": 8})
    for order in ([first, bad], [bad, first]):
        (whole,) = gathered(order)
        assert (whole.through, whole.figure, whole.stopped) == (True, "text 4 shows", 19)


def _nothing(_: Path) -> Outcome:
    raise AssertionError("it is handed out here, and not done")


def test_no_more_jobs_run_beside_one_another_than_each_of_them_bears() -> None:
    """Two storms, a table by itself, then as many others as there are workers."""
    storms, table, others = (
        [Job(f"{name} {number}", _nothing, alone=alone) for number in range(3)]
        for name, alone in (("storm", 2), ("table", 1), ("other", 0))
    )
    lane = _Lane(4, nice=False, alone=deque([*storms, *table[:1]]), others=deque(others))
    assert lane.next([]) is storms[0]
    assert lane.next(storms[:1]) is storms[1]
    assert lane.next(storms[:2]) is None
    assert lane.next(storms[1:2]) is storms[2]
    assert lane.next(storms[2:]) is None  # the table waits for the last of them
    assert lane.next([]) is table[0]
    assert lane.next(table[:1]) is None
    assert [lane.next(others[:number]) for number in range(3)] == others
    assert lane.next(others) is None


CREW = """
import os, sys, subprocess, time
from pathlib import Path
from tests.audit.outcome import Outcome
from tests.crew import Job, serve, share

def quick(folder):
    print("a job's own words are no answer")
    return Outcome("quick", 1, 1, "noise", "", False)

def broken(folder):
    raise RuntimeError("no such row")

def untold(folder):
    return Outcome("untold", 1, 1, "noise", "", {"a set is no JSON"})

def timely(folder):
    return Outcome("timely", 1, 1, "noise", str(os.getpriority(os.PRIO_PROCESS, 0)), False)

def long(folder):
    folder.mkdir()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(sys.argv[1]).write_text(f"{child.pid} {folder}")
    try:
        time.sleep(600)
    finally:
        child.kill()
        child.wait()

found = Job("quick", quick), Job("broken", broken), Job("untold", untold)
late = Job("long", long, timely=True), Job("timely", timely, alone=1)
jobs = {job.name: job for job in (*found, *late)}
if sys.argv[2:] == ["serve"]:
    serve(jobs)
else:
    for done in share(list(jobs.values()), 2, [sys.executable, __file__, sys.argv[1], "serve"]):
        print(done.job.name, done.failed, done.outcomes[0].through, flush=True)
"""


@pytest.mark.parametrize("interrupt", [signal.SIG_DFL, signal.SIG_IGN])
def test_workers_end_with_whoever_started_them(tmp_path: Path, interrupt: signal.Handlers) -> None:
    """Killed, not asked: what a job had started is put away all the same, its folder too.

    Also where a shell started it in the background, with its interrupt ignored.
    """
    (tmp_path / "crew.py").write_text(CREW)
    told = tmp_path / "told"
    root = str(Path(__file__).parents[2])
    own = signal.signal(signal.SIGINT, interrupt)  # a child inherits that it is ignored
    try:
        first = subprocess.Popen(
            [sys.executable, str(tmp_path / "crew.py"), str(told)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, own)
    assert first.stdout is not None
    with first.stdout:
        said = {first.stdout.readline().strip() for _ in range(4)}
        ended = {"broken True True", "untold True True"}
        assert said == {"quick False False", "timely False False"} | ended
        while not told.exists() or not told.read_text():
            time.sleep(0.02)
        child, folder = told.read_text().split()
        first.send_signal(signal.SIGKILL)
        first.wait()
    for _ in range(1_000):
        if not Path(f"/proc/{child}").exists() and not Path(folder).exists():
            return
        time.sleep(0.02)
    pytest.fail("a process or a folder of a worker is left behind")
