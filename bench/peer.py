"""The same question put to somebody else's library, beside ours and beside DuckDB alone.

A peer is no dependency of ours: it is installed into a venv that is gone afterwards, and answers
from a process of its own, which has read the same rows. What it answers is compared with the truth,
because a peer that computes something else, or overflows, would be quick for nothing. A peer that
cannot be had or takes too long makes a row that says so; the run goes on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.crowd import (
    RAW,
    THREADS,
    Crowd,
    crowd,
    engine,
    milliseconds,
    raw_milliseconds,
)
from bench.row import Row, Say
from bench.samples import Sample, in_turn
from nodes.engines.database import open_for_loading, text

ROWS: Final = 1_000_000
"""Fewer than for our own rows: some peers take minutes for ten million."""
LONGEST: Final = 300.0
"""Seconds after which a peer is stopped; once for installing it, once for asking it."""
NEAR: Final = 0.05
"""A released number may be so far from the true one, as a share of it; noise is far less."""

Cells = Mapping[str, Sequence[float]]
"""Count and average by district."""

_BEFORE: Final = """
import json, os, sys, time
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a library prints is no reply
SOURCE = sys.argv[1]
DISTRICTS = [f"district {number:02}" for number in range(20)]
"""
_AFTER: Final = """
print("ready", file=replies, flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    cells = answer()
    took = time.perf_counter() - started
    found = {district: [float(count), float(mean)] for district, (count, mean) in cells.items()}
    print(json.dumps([took, found]), file=replies, flush=True)
"""


class PeerFailed(Exception):
    """A peer has no figure; one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's library: what to install, what to run in it, and what it does not do.

    `program` defines `answer()`, which gives count and average by district as a dict of pairs. It
    may use `SOURCE`, a CSV file with the columns of the crowd, and `DISTRICTS`. Reading the file is
    not measured. `note` says how the question was put.
    """

    row: str
    packages: tuple[str, ...]
    program: str
    note: str
    rounds: int = 7

    @property
    def name(self) -> str:
        """Of what is installed first."""
        return self.packages[0]


def measured(peer: Peer, say: Say, rows: int = ROWS) -> Row:
    """Milliseconds for counts and averages of incomes by district, by that peer."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place,
        crowd(1, say, rows) as people,
    ):
        folder = Path(place)
        try:
            say(f"installing {peer.name} into a venv of its own")
            python = installed(peer.packages, folder / "venv")
            return _beside(peer, python, folder, people, say)
        except PeerFailed as failure:
            say(str(failure))
            return Row.absent(peer.row, better="lower", note=str(failure))


def _beside(peer: Peer, python: Path, folder: Path, people: Crowd, say: Say) -> Row:
    contract = people.contract()
    table = people.loaded(contract, "people")
    with people.raw() as raw, engine(table) as running:
        exact = {str(d): (float(n), float(mean)) for d, n, mean in raw.execute(RAW).fetchall()}
        with answering(peer, python, _as_csv(people, folder), exact) as asked:
            say(f"asking {peer.rounds} times")
            theirs, ours, floor = in_turn(
                asked,
                lambda: milliseconds(running, contract),
                lambda: raw_milliseconds(raw),
                rounds=peer.rounds,
            )
    return Row.of(
        peer.row,
        theirs,
        floor,
        better="lower",
        note=f"milliseconds; {', '.join(peer.packages)}: {peer.note}; {people.rows:,} rows, one a "
        "person, count and average income in each of 20 districts, neither reading the file nor "
        f"starting included; Landbridge takes {median(ours) / median(floor):.2f} times the same "
        f"floor; floor: the GROUP BY in DuckDB alone, {THREADS} threads",
    )


def installed(packages: Sequence[str], venv: Path, interpreter: str = sys.executable) -> Path:
    """The interpreter of a new venv with those packages; PeerFailed where they cannot be had."""
    python = venv / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([interpreter, "-m", "venv", str(venv)], [*install, *packages]):
        why = "the package index is not within reach"
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST)
            continue
        except subprocess.TimeoutExpired:
            why = f"it took longer than {LONGEST:.0f} seconds"
        except subprocess.CalledProcessError as failure:
            why = reason(failure.stderr or "") or why
        except OSError:
            pass
        raise PeerFailed(f"{packages[0]} could not be installed into a venv of its own: {why}.")
    return python


@contextmanager
def answering(peer: Peer, python: Path, source: Path, exact: Cells) -> Iterator[Sample]:
    """The peer in a warm process: each sample is one whole answer, in milliseconds.

    Raises PeerFailed where it ends, takes too long altogether, or answers something else.
    """
    late = threading.Event()
    # Nothing of the tree that the benchmark runs from is a module of the peer's.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            [str(python), "-c", _BEFORE + peer.program + _AFTER, str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            cwd=source.parent,
            env=environment,
            start_new_session=True,  # so that it can be stopped with all that it started
        ) as process,
    ):
        asking, replies = process.stdin, process.stdout
        assert asking is not None  # PIPE was asked for
        assert replies is not None

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        def line() -> str:
            if found := replies.readline():
                return found
            if late.is_set():
                raise PeerFailed(f"{peer.name} was stopped after {LONGEST:.0f} seconds.")
            said.seek(0)
            why = reason(said.read()) or "it does not say why"
            raise PeerFailed(f"{peer.name} ended instead of answering: {why}.")

        def sample() -> float:
            try:
                asking.write("once\n")
                asking.flush()
            except BrokenPipeError:
                pass  # what became of it, the next line says
            took, found = json.loads(line())
            require_near(peer.name, found, exact)
            return 1e3 * float(took)

        clock = threading.Timer(LONGEST, stop)
        clock.daemon = True
        clock.start()
        try:
            line()
            yield sample
        finally:
            clock.cancel()
            # Not yet waited for, so that the number is still this process's own.
            os.killpg(process.pid, signal.SIGKILL)


def require_near(name: str, found: Cells, exact: Cells) -> None:
    """Raises PeerFailed unless every district is there with numbers near the true ones."""
    for district, truth in exact.items():
        released = found.get(district, ())
        if len(released) != len(truth) or any(
            not abs(number - true) <= NEAR * abs(true)
            for number, true in zip(released, truth, strict=True)
        ):
            raise PeerFailed(f"{name} answers something else than the question.")


def reason(said: str) -> str:
    """The last line that a program said, without addresses and without a full stop."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    return re.sub(r"\S+://\S+", "an address", lines[-1]).rstrip(".")[:200]


def _as_csv(people: Crowd, folder: Path) -> Path:
    """The crowd in the one form that every peer reads."""
    path, spill = folder / "people.csv", folder / "spill"
    spill.mkdir()
    connection = open_for_loading(":memory:", spill=str(spill))
    try:
        source = text(str(people.source))
        connection.execute(
            f"COPY (FROM read_parquet({source})) TO {text(str(path))} (FORMAT csv, HEADER)"
        )
    finally:
        connection.close()
    return path
