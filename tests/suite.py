"""The tests that hold the rows of a table, run as they are, and counted row by row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.audit.outcome import Outcome
from tests.chosen import VARIABLE

TESTS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Held:
    """A row: its name, what stops it, and the tests that hold it, "file::function"."""

    name: str
    by: str
    tests: Collection[str]


def run(rows: Collection[Held], report: Path) -> Iterator[Outcome]:
    """One outcome a row: how many cases of its tests there are and how many hold.

    A row whose tests were not run, or of which one fails, got through; which one, and how, is said
    on standard error.
    """
    tests = sorted({test for row in rows for test in row.tests})
    if tests:
        _pytest(tests, report)
    found = counted(report) if report.exists() else {}
    for said in failures(report) if report.exists() else ():
        sys.stderr.write(f"{said}\n")
    for row in rows:
        cases = [found.get(test, (0, 0)) for test in row.tests]
        tried, stopped = (sum(each[place] for each in cases) for place in (0, 1))
        missing = sum(not each[0] for each in cases)
        figure = f"{len(row.tests)} tests" + (f", {missing} not run" if missing else "")
        yield Outcome(row.name, tried, stopped, row.by, figure, bool(missing) or stopped < tried)


def _pytest(chosen: Sequence[str], report: Path) -> None:
    """Runs those tests; interrupted, it lets them end what they started."""
    names = report.with_suffix(".txt")
    names.write_text("\n".join(chosen), "utf-8")
    files = sorted({test.partition("::")[0] for test in chosen})
    tests = subprocess.Popen(
        [
            sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "tests.chosen",
            f"--junitxml={report}", *(str(TESTS / file) for file in files),
        ],
        cwd=TESTS.parent, stdout=subprocess.DEVNULL, env={**os.environ, VARIABLE: str(names)},
    )  # fmt: skip
    try:
        tests.wait()
    except BaseException:
        tests.send_signal(signal.SIGINT)
        try:
            tests.wait(30)
        except subprocess.TimeoutExpired:
            tests.kill()
            tests.wait()
        raise


def counted(report: Path) -> Mapping[str, tuple[int, int]]:
    """Test -> how many cases it had and how many held, from JUnit's XML; skipped ones are none."""
    found: dict[str, list[bool]] = defaultdict(list)
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        if case.find("skipped") is not None:
            continue
        names = case.get("classname", "").split(".")
        name = case.get("name", "").partition("[")[0]
        failed = case.find("failure") is not None or case.find("error") is not None
        found[f"{'/'.join(names[1:])}.py::{name}"].append(not failed)
    return {name: (len(ends), sum(ends)) for name, ends in found.items()}


def failures(report: Path) -> Iterator[str]:
    """Each test of JUnit's XML that failed, and how; the last lines say most."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        for kind in ("failure", "error"):
            wrong = case.find(kind)
            if wrong is not None:
                last = (wrong.text or "").strip().splitlines()[-40:]
                yield "\n    ".join((f"{case.get('classname')}::{case.get('name')}", *last))
