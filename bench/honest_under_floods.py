"""`honest_under_floods`: what one honest caller waits while somebody floods the gateway."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Final

from bench.flood import FLOODS
from bench.row import Aim, Row, RowFailed, Say
from landbridge.testing import federation
from landbridge.v1 import gateway_pb2
from tests.attacks.worlds import PURPOSE, World, lay

CALLS: Final = 300
ROUNDS: Final = 3
ROOT: Final = Path(__file__).parents[1]


def measure(say: Say) -> Row:
    """The worst flood's p99 beside that of a quiet gateway; each flood is one process here."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        folder = Path(place)
        with federation(lay(folder, "gone"), state=folder / "state") as running:
            world = World("gone", running)
            ask = _asking(world)
            for _ in range(50):
                ask()
            alone = [_p99(ask) for _ in range(ROUNDS)]
            say(f"alone {min(alone):.1f} ms")
            found = {}
            for kind in FLOODS:
                with _flood(world, kind):
                    time.sleep(0.5)
                    found[kind] = sorted(_p99(ask) for _ in range(ROUNDS))[ROUNDS // 2]
                say(f"{kind}: {found[kind]:.1f} ms")
            world.close()
    busy = found.pop("a busy neighbour")
    told = ", ".join(f"{kind} {value:.1f}" for kind, value in found.items())
    return Row.of(
        "honest_under_floods", list(found.values()), alone, better="lower", choose=max,
        aim=Aim("ratio", 2.0),
        note=f"milliseconds of the slowest of a hundred calls of one honest caller, one after the "
        f"other, during the worst flood; floor: without one; {told}; beside a process that only "
        f"computes {busy:.1f}, since the attacker's own work is done on this machine too",
    )  # fmt: skip


def _asking(world: World) -> Callable[[], None]:
    metadata = (("authorization", f"Bearer {world.token('honest')}"),)

    def ask() -> None:
        request = gateway_pb2.QueryRequest(
            sql="SELECT count(*) FROM people", purpose=PURPOSE, question_id=secrets.token_hex(16)
        )
        world.stub.Query(request, metadata=metadata, timeout=60)

    return ask


def _p99(ask: Callable[[], None]) -> float:
    """In milliseconds."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        ask()
        took.append(1e3 * (time.perf_counter() - began))
    return quantiles(took, n=100)[98]


@contextmanager
def _flood(world: World, kind: str) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.flood", kind, world.address, str(world.running.ca)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(world.token("flood") + "\n")
        process.stdin.flush()
        if not process.stdout.readline():
            raise RowFailed(f"The flood of {kind} did not begin.")
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
