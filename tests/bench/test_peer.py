"""Peers: what is compared with the truth, what stops one, what a run says of one it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import peer as peers
from bench.crowd import DISTRICTS
from bench.peer import Peer, PeerFailed, answering, installed, measured, reason, require_near
from bench.samples import Sample

EXACT = dict.fromkeys(DISTRICTS, (1000.0, 50.0))
RIGHT = """
def answer():
    return {district: (1001, 50.2) for district in DISTRICTS}
"""


def asked(program: str, folder: Path) -> AbstractContextManager[Sample]:
    """A peer that needs nothing installed."""
    peer = Peer("peer_of_a_test", ("of-a-test==1",), program, "nothing")
    return answering(peer, Path(sys.executable), folder / "people.csv", EXACT)


def test_a_peer_answers_again_and_again(tmp_path: Path) -> None:
    """Each sample is one whole answer of a process that has read its rows once."""
    with asked(RIGHT, tmp_path) as sample:
        assert sample() >= 0
        assert sample() >= 0


def test_what_a_library_prints_is_no_reply(tmp_path: Path) -> None:
    """Some greet on standard output."""
    with asked(
        "print('welcome')" + RIGHT.replace("return", "print('hm'); return"), tmp_path
    ) as ask:
        assert ask() >= 0


def test_a_peer_knows_nothing_of_our_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of ours would shadow one of its own that is called alike."""
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    program = "assert 'PYTHONPATH' not in os.environ and '/somewhere' not in sys.path" + RIGHT
    with asked(program, tmp_path) as sample:
        assert sample() >= 0


@pytest.mark.parametrize("where", ["while it starts", "while it answers"])
def test_a_peer_that_ends_says_why(tmp_path: Path, where: str) -> None:
    """The last line of what it said is nearly always the reason."""
    ends = "raise MemoryError('no room at https://10.0.0.1/simple')"
    program = ends if where == "while it starts" else f"def answer():\n    {ends}\n"
    said = r"of-a-test==1 ended instead of answering: MemoryError: no room at an address\.$"
    with pytest.raises(PeerFailed, match=said), asked(program, tmp_path) as sample:
        sample()


@pytest.mark.parametrize("where", ["while it starts", "while it answers"])
def test_a_peer_that_takes_too_long_is_stopped_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """One peer must not keep a run for an hour, nor leave a Java machine behind.

    Its child has a pipe open for writing; the pipe ends only once the child is gone.
    """
    monkeypatch.setattr(peers, "LONGEST", 2.0)
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    child = f"import time; pipe = open({str(fifo)!r}, 'w'); time.sleep(600)"
    hangs = f"import subprocess; subprocess.run([sys.executable, '-c', {child!r}])"
    program = hangs if where == "while it starts" else f"def answer():\n    {hangs}\n"
    said = r"of-a-test==1 was stopped after 2 seconds\.$"
    with pytest.raises(PeerFailed, match=said), asked(program, tmp_path) as sample:
        sample()
    os.set_blocking(pipe, True)
    assert os.read(pipe, 1) == b""
    os.close(pipe)


def test_a_peer_with_other_numbers_is_no_peer(tmp_path: Path) -> None:
    """A sum that overflows 32 bits is quick, and is what one peer gives by its defaults."""
    said = "of-a-test==1 answers something else than the question"
    with pytest.raises(PeerFailed, match=said), asked(RIGHT.replace("50.2", "7"), tmp_path) as ask:
        ask()


@pytest.mark.parametrize(
    "found",
    [
        {},
        {**EXACT, DISTRICTS[3]: (1000.0,)},
        {**EXACT, DISTRICTS[3]: (1000.0, float("nan"))},
        {**EXACT, DISTRICTS[19]: (1051.0, 50.0)},
        {**EXACT, DISTRICTS[0]: (1000.0, 47.0)},
    ],
)
def test_every_district_counts(found: dict[str, Sequence[float]]) -> None:
    """One cell that is missing or wrong is enough; so is a number that is none."""
    require_near("it", EXACT, EXACT)
    with pytest.raises(PeerFailed):
        require_near("it", found, EXACT)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("\n \n", ""),
        ("Looking\nERROR: No matching distribution found for it.\n\n", None),
        ("at file:///opt/index/it/ there is nothing", "at an address there is nothing"),
    ],
)
def test_a_reason_is_one_line_without_addresses(said: str, found: str | None) -> None:
    """A row is shown and kept; where somebody's package index stands is not for it."""
    assert reason(said) == (
        "ERROR: No matching distribution found for it" if found is None else found
    )


def test_an_index_out_of_reach_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a package index the other rows are measured all the same."""

    def unreachable(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", unreachable)
    said = r"no-such-package==0 could not be installed .*: the package index is not within reach\.$"
    with pytest.raises(PeerFailed, match=said):
        installed(["no-such-package==0"], tmp_path / "venv")


def test_an_installation_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that answers slowly must not hold up the run."""

    def slow(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 300)

    monkeypatch.setattr(subprocess, "run", slow)
    with pytest.raises(PeerFailed, match=r"it took longer than 300 seconds\.$"):
        installed(["endless==1"], tmp_path / "venv")


def test_a_peer_that_is_not_to_be_had_is_a_row_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others offer on this machine is a finding; the run has not failed by it."""

    def nowhere(packages: Sequence[str], _: Path) -> Path:
        raise PeerFailed(f"{packages[0]} could not be installed.")

    monkeypatch.setattr(peers, "installed", nowhere)
    peer = Peer("peer_pydp", ("python-dp==0",), RIGHT, "nothing")
    monkeypatch.setattr(bench, "measurement", lambda _: lambda say: measured(peer, say, 1_000))
    assert bench.main(["--only", "peer_pydp"], tmp_path / "latest.json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["note"] == "python-dp==0 could not be installed."
    assert [row[name] for name in ("value", "floor", "ratio", "spread", "n")] == [None] * 4 + [0]


def test_a_peer_stands_beside_ours_and_the_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole path, with a peer that reads the very file and computes the plain answer."""
    monkeypatch.setattr(peers, "installed", lambda *_: Path(sys.executable))
    program = """
import csv, collections
FOUND = collections.defaultdict(list)
with open(SOURCE, newline="") as file:
    for row in csv.DictReader(file):
        FOUND[row["district"]].append(int(row["income"]))

def answer():
    return {name: (len(each), sum(each) / len(each)) for name, each in FOUND.items()}
"""
    row = measured(Peer("peer_plain", ("plain==1",), program, "no noise", 2), lambda _: None, 2_000)
    assert row.value is not None
    assert row.n == 2
    assert "plain==1: no noise; 2,000 rows" in row.note


@pytest.mark.parametrize("name", [row for row in bench.ROWS if row.startswith("peer_")])
def test_every_peer_is_pinned_and_its_program_is_python(name: str) -> None:
    """A peer of another version is another peer; a slip in a program would look like an outage."""
    module = import_module(f"bench.{name}")
    if name in ("peer_psi", "peer_openfhe"):  # protocols of two parties, no questions by district
        assert all("==" in package for package in module.PACKAGES)
        compile(module._PROGRAM, name, "exec")
        return
    peer = module.PEER
    assert peer.row == name
    assert "==" in peer.name
    compile(peer.program, name, "exec")
    assert "def answer():" in peer.program
