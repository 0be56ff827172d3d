"""`peer_psi`: somebody else's private join, which counts common ids, beside our linked question."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bench.linked import linked_seconds
from bench.peer import LONGEST, PeerFailed, installed, reason
from bench.row import Aim, Row, Say

PACKAGES: Final = ("openmined-psi==2.0.6",)
IDS: Final = 20_000
"""A side; a million would take some minutes. Its work is curve multiplications, so many an id, and
the figure is multiplied up."""
ROWS: Final = 1_000_000

_PROGRAM: Final = """
import sys, time
import private_set_intersection.python as psi
count = int(sys.argv[1])
ours = [f"P{i}" for i in range(count)]
theirs = [f"P{i + count // 2}" for i in range(count)]
started = time.perf_counter()
client = psi.client.CreateWithNewKey(False)
server = psi.server.CreateWithNewKey(False)
setup = server.CreateSetupMessage(1e-9, count, theirs, psi.DataStructure.RAW)
response = server.ProcessRequest(client.CreateRequest(ours))
found = client.GetIntersectionSize(setup, response)
assert found == count - count // 2, found
print(time.perf_counter() - started)
"""


def measure(say: Say) -> Row:
    """Seconds for the bare number of common ids of two million, and ours for count and sum."""
    try:
        theirs = _projected(say)
    except PeerFailed as failure:
        say(str(failure))
        return Row.absent("peer_psi", better="higher", note=str(failure))
    ours = linked_seconds(ROWS, 2, say)
    return Row.of(
        "peer_psi",
        [theirs],
        ours,
        better="higher",
        aim=Aim("ratio", 100),
        note=f"seconds; {', '.join(PACKAGES)}: the bare cardinality of two sets of ids in one "
        f"process without a wire, measured for {IDS:,} a side and multiplied up to {ROWS:,}; its "
        "trust is two-party, where our linked question has a helper that pools with nobody; floor: "
        "that linked question, count and sum in 20 cells over real gRPC",
    )


def _projected(say: Say) -> float:
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        say(f"installing {PACKAGES[0]} into a venv of its own")
        python = installed(PACKAGES, Path(place) / "venv")
        say(f"intersecting {IDS:,} ids")
        try:
            done = subprocess.run(
                [str(python), "-c", _PROGRAM, str(IDS)],
                check=True, capture_output=True, text=True, timeout=LONGEST, cwd=place,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"{PACKAGES[0]} took longer than {LONGEST:.0f} seconds.") from None
        except subprocess.CalledProcessError as failure:
            why = reason(failure.stderr or "") or "it does not say why"
            raise PeerFailed(f"{PACKAGES[0]} ended instead of answering: {why}.") from None
    return float(done.stdout.split()[-1]) * ROWS / IDS
