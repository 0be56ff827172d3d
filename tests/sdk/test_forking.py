"""Servers of tests are forked from one that has loaded them; nothing else may be shared by that."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landbridge.federation.forkserver import Forked, ForkServer
from landbridge.federation.process import ROOT

PROGRAM = """
import atexit, gc, json, os, sys, tempfile, threading
from opendp import domains, measurements, metrics, mod
mod.enable_features("contrib")
draw = (domains.atom_domain(T=int), metrics.absolute_distance(T=int))
draw = draw >> measurements.then_laplace(scale=1e7)
print(json.dumps({
    "arguments": sys.argv[1:], "temporary": tempfile.gettempdir(),
    "folder": os.getcwd(), "word": os.environ.get("WORD"),
    "descriptors": len(os.listdir("/proc/self/fd")), "parent": os.getppid(),
    "drawn": [draw(0) for _ in range(4)], "bytes": os.urandom(8).hex(),
}), flush=True)
rest = sys.stdin.read()
if rest == "end":
    late = threading.Thread(target=lambda: (tomorrow.wait(0.2), print("the thread")))
    tomorrow = threading.Event()
    late.start()
    atexit.register(print, "the end", gc.get_freeze_count() > 0)
    sys.exit()
if rest == "fail":
    raise ValueError("one two")
sys.exit(int(rest) if rest.isdigit() else rest or 0)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Has loaded what draws noise, as a node has."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "asked.py").write_text(PROGRAM)
    made = ForkServer(
        ["tempfile", "opendp.measurements"],
        {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"},
    )
    yield made
    made.close()


@pytest.fixture
def start(server: ForkServer, tmp_path: Path) -> Iterator[object]:
    """Starts the program above; whatever is left of it is killed."""
    started: list[Forked] = []

    def begin(*arguments: str, **environment: str) -> Forked:
        with (tmp_path / f"stderr{len(started)}").open("wb") as errors:
            made = server.start(
                "asked", arguments, cwd=tmp_path, env=environment, stdin=True,
                stderr=errors.fileno(),
            )  # fmt: skip
        started.append(made)
        return made

    yield begin
    for each in started:
        each.kill()
        each.wait()
        for pipe in (each.stdin, each.stdout):
            assert pipe is not None
            pipe.close()


def said(process: Forked) -> dict[str, object]:
    """The line that it prints."""
    found: dict[str, object] = json.loads(process.stdout.readline())
    return found


def test_it_has_the_arguments_folder_and_environment_of_now(start: object, tmp_path: Path) -> None:
    """And none of those that the server was loaded with."""
    found = said(start("serve", "x y", WORD="now", TMPDIR=str(tmp_path)))  # type: ignore[operator]
    assert found["arguments"] == ["serve", "x y"]
    assert found["folder"] == str(tmp_path)
    assert found["word"] == "now"
    assert found["temporary"] == str(tmp_path)


def test_two_draw_noise_of_their_own(start: object) -> None:
    """A generator that was seeded before the fork would give every node the same noise."""
    first, second = said(start()), said(start())  # type: ignore[operator]
    assert not set(first["drawn"]) & set(second["drawn"])  # type: ignore[call-overload]
    assert first["bytes"] != second["bytes"]


def test_one_holds_nothing_open_that_is_another_ones(start: object) -> None:
    """Else a server whose standard input is closed would not notice, and outlive its test."""
    counts = {said(start())["descriptors"] for _ in range(4)}  # type: ignore[operator]
    assert len(counts) == 1


@pytest.mark.parametrize(("end", "status"), [(b"", 0), (b"7", 7)])
def test_its_exit_status_is_told(start: object, end: bytes, status: int) -> None:
    """As by `subprocess`; it ends when its standard input does."""
    process: Forked = start()  # type: ignore[operator]
    said(process)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.stdin is not None
    process.stdin.write(end)
    process.stdin.close()
    assert process.wait() == status
    process.kill()  # it has ended, and nobody else is hit
    assert process.poll() == status


def ended(process: Forked, word: bytes) -> tuple[int, str]:
    """Its status, and what it printed, after it was told that word."""
    said(process)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(word)
    process.stdin.close()
    return process.wait(), process.stdout.read().decode()


def test_it_ends_in_order_without_taking_apart_what_was_loaded(start: object) -> None:
    """Its threads are waited for, then what it registered runs, and what it said is written."""
    assert ended(start(), b"end") == (0, "the thread\nthe end True\n")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("word", "last"), [(b"fail", "ValueError: one two"), (b"It is late.", "It is late.")]
)
def test_a_failure_is_told_as_an_interpreter_tells_it(
    start: object, tmp_path: Path, word: bytes, last: str
) -> None:
    """What a server dies of is in its log, and its status is not 0."""
    status, _ = ended(start(), word)  # type: ignore[operator]
    assert status == 1
    assert (tmp_path / "stderr0").read_text().splitlines()[-1] == last


def test_a_killed_one_is_said_so(start: object) -> None:
    """Whoever kills it."""
    process: Forked = start()  # type: ignore[operator]
    said(process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_none_outlives_the_process_that_wanted_it(tmp_path: Path) -> None:
    """A test run that is killed leaves no server behind."""
    (tmp_path / "asked.py").write_text(PROGRAM)
    script = f"""
import os, pathlib
from landbridge.federation.forkserver import ForkServer
made = ForkServer(["json"], {{**os.environ, "PYTHONPATH": "{ROOT}:{tmp_path}"}})
one = made.start("asked", [], cwd=pathlib.Path("{tmp_path}"), env={{}}, stdin=True, stderr=2)
one.stdout.readline()
print(one.pid, made._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for pid in map(int, done.stdout.split()):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        assert select.select([descriptor], [], [], 20)[0], "it outlived its parent"
        os.close(descriptor)
