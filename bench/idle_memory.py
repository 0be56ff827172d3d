"""`idle_memory`: what a node holds when it has answered one question and waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.demo import FOLDER, ONE_EACH, RESEARCH
from bench.floor import echo
from bench.row import Aim, Row, RowFailed, Say
from landbridge.testing import federation

SETTLE_SECONDS: Final = 3.0
"""Workers that a question made start in the meantime, and count."""


@dataclass(frozen=True, slots=True)
class Held:
    """Memory in megabytes (10^6 bytes), proc(5) smaps_rollup.

    `shared_out` (PSS) divides a page among the processes that map it; `mapped` (RSS) counts it in
    each of them.
    """

    shared_out: float
    mapped: float


def measure(say: Say) -> Row:
    """PSS of the largest of the demo's five nodes, workers included."""
    with federation(FOLDER, progress=say) as running, echo() as plain, plain.asking() as ask:
        ask(200, 200)
        with running.client("alice") as client:
            for question in ONE_EACH.values():
                client.query(question, purpose=RESEARCH)
        say("asked every node one question; looking at memory")
        time.sleep(SETTLE_SECONDS)
        nodes = {name: held(running.process_id(name)) for name in ONE_EACH}
        gateway = held(running.process_id())
        floor = held(plain.process_id)
    each = ", ".join(f"{name} {found.shared_out:.0f}" for name, found in nodes.items())
    largest = max(found.mapped for found in nodes.values())
    return Row.of(
        "idle_memory",
        [found.shared_out for found in nodes.values()],
        [floor.shared_out],
        better="lower",
        aim=Aim("value", 150),
        choose=max,
        note=f"megabytes; PSS of server and workers after one question each, the largest of five "
        f"nodes ({each}; gateway {gateway.shared_out:.0f}); with every shared page counted in each "
        f"process (RSS) at most {largest:.0f}; floor: a plain gRPC server after one call",
    )


def held(process_id: int) -> Held:
    """What a process and all its descendants hold; raises RowFailed when it is gone."""
    parents = _parents()
    if process_id not in parents:
        raise RowFailed(f"Process {process_id} ended before its memory could be read.")
    family = [one for one in parents if _descends(one, process_id, parents)]
    rollups = [_rollup(one) for one in family]
    return Held(
        sum(found["Pss"] for found in rollups) * 1024 / 1e6,
        sum(found["Rss"] for found in rollups) * 1024 / 1e6,
    )


def _parents() -> dict[int, int]:
    """The parent of every process, by process id."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name may hold spaces and parentheses; the fields begin after its last one.
            fields = status.read_text("utf-8", "replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended in between
        found[int(status.parent.name)] = int(fields[1])
    return found


def _descends(process_id: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while process_id in parents:
        if process_id == ancestor:
            return True
        process_id = parents[process_id]
    return False


def _rollup(process_id: int) -> dict[str, int]:
    """The figures of smaps_rollup, in units of 1,024 bytes."""
    try:
        text = Path(f"/proc/{process_id}/smaps_rollup").read_text("utf-8")
    except OSError:
        raise RowFailed(
            f"The memory of process {process_id} cannot be read: this needs Linux 4.14 or newer "
            "and the same user."
        ) from None
    lines = (line.split() for line in text.splitlines()[1:])
    return {name.rstrip(":"): int(kilobytes) for name, kilobytes, *_ in lines}
