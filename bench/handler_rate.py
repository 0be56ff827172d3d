"""`handler_rate`: handler calls for each second of one core, both logs durable.

Counted in the processor time of gateway, node and the node's workers together, so that other work
on the machine makes little difference.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from bench.demo import FOLDER, LAW
from bench.floor import two_hops
from bench.handler_path import HANDLER, SUBJECT
from bench.row import Aim, Row, RowFailed, Say
from landbridge.federation.running import Federation
from landbridge.testing import federation

CALLERS: Final = 16
SECONDS: Final = 4.0
ROUNDS: Final = 3


def measure(say: Say) -> Row:
    """Calls a second."""
    with federation(FOLDER, progress=say) as running, two_hops() as ask:
        say(f"{CALLERS} callers for {SECONDS:.0f} s, {ROUNDS} times")
        ours = [_rate(running) for _ in range(ROUNDS)]
        floor = [_echoes(lambda: ask(1_000, 1_500)) for _ in range(ROUNDS)]
    return Row.of(
        "handler_rate",
        ours,
        floor,
        better="higher",
        aim=Aim("value", 200.0),
        note=f"calls for a second of one core's time; {HANDLER}, {CALLERS} callers, gateway, node "
        "and worker together, two durable log entries and a durable count each; floor: two plain "
        "gRPC hops a second of the wall, one caller",
    )


def _used(running: Federation) -> float:
    """Seconds of processor time of gateway, node and workers."""
    parents = [running.process_id(department) for department in (None, "faa")]
    return sum(seconds_of(pid) for parent in parents for pid in (parent, *children(parent)))


def seconds_of(pid: int) -> float:
    """Seconds of processor time of a process, user and system (proc(5) stat)."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - /proc
        ticks = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def children(parent: int) -> list[int]:
    """The processes that it started."""
    found = []
    for thread in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208 - names only
        with open(f"/proc/{parent}/task/{thread}/children") as file:  # noqa: PTH123 - /proc
            found += [int(each) for each in file.read().split()]
    return found


def _rate(running: Federation) -> float:
    before = _used(running)
    end = time.monotonic() + SECONDS
    counts = [0] * CALLERS

    def call(number: int) -> None:
        with running.client("carol") as client:
            while time.monotonic() < end:
                client.call(HANDLER, purpose=LAW, tailnum=SUBJECT)
                counts[number] += 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(counts):
        raise RowFailed("A caller had no answer; the gateway's and the node's words say why.")
    return sum(counts) / (_used(running) - before)


def _echoes(ask: object) -> float:
    end = time.monotonic() + 1.0
    count = 0
    while time.monotonic() < end:
        ask()  # type: ignore[operator]
        count += 1
    return float(count)
