"""The long run's table: what was not run is not held, and what was done is not done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import suite, torture
from tests.audit.outcome import Outcome

REPORT = """<testsuites><testsuite>
<testcase classname="tests.attacks.test_x" name="test_a[one]"/>
<testcase classname="tests.attacks.test_x" name="test_a[two]"><failure/></testcase>
<testcase classname="tests.attacks.test_x" name="test_b"/>
<testcase classname="tests.attacks.test_x" name="test_c"><skipped/></testcase>
</testsuite></testsuites>"""


def test_a_row_holds_when_every_case_of_every_test_does(tmp_path: Path) -> None:
    """One failed case, one skipped test and one that nobody ran: each gets through."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    rows = [
        suite.Held(name, "noise", [f"attacks/test_x.py::{name}"])
        for name in ("test_a", "test_b", "test_c", "test_gone")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.suite.subprocess.run", lambda *_, **__: None)
        found = {row.name: row for row in suite.run(rows, report)}
    assert [found[name].through for name in found] == [True, False, True, True]
    assert (found["test_a"].tried, found["test_a"].stopped) == (2, 1)
    assert "1 not run" in found["test_gone"].figure


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

            yield name, job

    monkeypatch.setattr(torture, "jobs", jobs)
    with pytest.raises(KeyboardInterrupt):
        torture.main(["--state", state, "--effort", "0.5", "--seed", "7"])
    assert torture.main(["--state", state]) == 0
    assert done == ["one", "killed", "two"]
    shown = capsys.readouterr().out
    assert shown.count("0.5 7") == 3
    assert [json.loads(line)["job"] for line in Path(state).read_text().splitlines()] == [
        "one",
        "two",
    ]
