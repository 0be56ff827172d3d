"""`peer_diffprivlib`: the same numbers from IBM's diffprivlib, which is quick and bounds rows only.

It is no dependency of ours: the row installs it into a venv that is gone afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from bench.crowd import THREADS, crowd, engine, milliseconds, raw_milliseconds
from bench.row import Row, RowFailed, Say
from bench.samples import Sample, in_turn

PEER: Final = "diffprivlib==0.6.6"
BESIDE: Final = ("scikit-learn<1.7",)
"""What it takes from there was renamed afterwards."""
ROWS: Final = 1_000_000
"""Fewer than for our own rows: some peers take minutes for ten million."""
ROUNDS: Final = 9
LONGEST: Final = 300.0
"""Seconds after which an installation is given up."""

_PROGRAM: Final = """
import sys, time
import numpy
from diffprivlib import tools

rows = int(sys.argv[1])
chance = numpy.random.default_rng(0)
district = chance.integers(0, 20, rows).astype(numpy.uint8)
income = chance.integers(0, 200_001, rows)
print("ready", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    for each in range(20):
        inside = district == each
        tools.count_nonzero(inside, epsilon=0.5)
        tools.sum(income[inside], epsilon=0.5, bounds=(0, 200_000))
    print(time.perf_counter() - started, flush=True)
"""


def measure(say: Say) -> Row:
    """Milliseconds for counts and sums of incomes by district, by diffprivlib."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder,
        crowd(1, say, ROWS) as people,
    ):
        say(f"installing {PEER} into a venv of its own")
        python = installed((PEER, *BESIDE), Path(folder) / "venv")
        contract = people.contract()
        table = people.loaded(contract, "people")
        with people.raw() as raw, engine(table) as running, _answering(python) as peer:
            say(f"asking {ROUNDS} times")
            theirs, ours, floor = in_turn(
                peer,
                lambda: milliseconds(running, contract),
                lambda: raw_milliseconds(raw),
                rounds=ROUNDS,
            )
    return Row.of(
        "peer_diffprivlib",
        theirs,
        floor,
        better="lower",
        note=f"milliseconds; {PEER}, {ROWS:,} made-up rows in NumPy arrays, for each of 20 known "
        "districts a count and a bounded sum, one row a person, neither budget nor engine "
        f"included; Landbridge takes {median(ours) / median(floor):.2f} times the same floor for "
        "as many rows; floor: the GROUP BY in DuckDB alone, the text column as key, "
        f"{THREADS} threads",
    )


def installed(packages: Sequence[str], venv: Path) -> Path:
    """The interpreter of a new venv with those packages; RowFailed where they cannot be had."""
    python = venv / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(venv)], [*install, *packages]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=LONGEST)
        except (OSError, subprocess.SubprocessError):
            raise RowFailed(
                f"{packages[0]} could not be installed into a venv of its own; is the package "
                "index within reach?"
            ) from None
    return python


@contextmanager
def _answering(python: Path) -> Iterator[Sample]:
    """The peer in a warm process: each sample is one whole answer, in milliseconds."""
    with subprocess.Popen(
        [str(python), "-c", _PROGRAM, str(ROWS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        asking, replies = process.stdin, process.stdout
        assert asking is not None  # PIPE was asked for
        assert replies is not None

        def sample() -> float:
            asking.write("once\n")
            asking.flush()
            return 1e3 * float(_line(replies.readline()))

        try:
            _line(replies.readline())
            yield sample
        finally:
            asking.close()


def _line(text: str) -> str:
    if not text:
        raise RowFailed(f"{PEER} ended instead of answering.")
    return text
