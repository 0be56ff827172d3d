"""`log_on`: what is left of our service's request rate when nothing leaves before it is logged."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from bench.log_append import filesystem
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from bench.service import Service, service

CALLERS: Final = 64
CALLS_EACH: Final = 8
ROUNDS: Final = 15
ALONE: Final = 30
"""Calls of a lone caller, or syncs, per sample, which is their median."""
ENTRY_BYTES: Final = 800


def measure(say: Say) -> Row:
    """Calls a second of 64 callers, beside the same service with a log that keeps nothing."""
    with ExitStack() as held:
        # Not in memory: a log that needs no disk would show nothing.
        place = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="landbridge-bench-")))
        kinds = {"both": (True, True), "department": (False, True), "none": (False, False)}
        services = [
            held.enter_context(service(name, place, say, gateway=gateway, node=node))
            for name, (gateway, node) in kinds.items()
        ]
        callers = held.enter_context(ThreadPoolExecutor(CALLERS))
        say(f"{CALLERS} callers, then one, in turn; {ROUNDS} rounds of each")
        used: dict[str, list[float]] = {each.name: [] for each in services}
        rates = in_turn(
            *[_rate(callers, each, used[each.name]) for each in services], rounds=ROUNDS
        )
        *alone, syncs = in_turn(
            *[_alone(each.ask) for each in services], _sync(place / "sync"), rounds=ROUNDS
        )
        disk = filesystem(place)
    whole, beside, none = rates
    busy = [f"{1e3 * median(used[name][1:]):.2f}" for name in kinds]
    return Row.of(
        "log_on",
        whole,
        beside,
        better="higher",
        aim=Aim("ratio", 0.9),
        note=f"calls a second; {CALLERS} callers, remembered answers of one department through the "
        f"gateway, TLS, token, Cedar, plan and ledger, every log durable on {disk}; floor: the "
        "same gateway with a log that keeps nothing, the department's log on in both; round by "
        f"round {_paired(whole, beside)}, and beside the service with neither log "
        f"{_paired(whole, none)}; milliseconds of processor that both servers take for a call: "
        f"both logs {busy[0]}, the department's {busy[1]}, none {busy[2]}; one caller waits "
        f"{median(alone[0]):.2f} ms, {_extra(alone[0], alone[1])} of them for the gateway's log "
        f"and {_extra(alone[0], alone[2])} for both logs, where a write and sync of {ENTRY_BYTES} "
        f"bytes takes {_shown(syncs)} (medians, quartiles); the callers share the machine",
    )


def _rate(callers: ThreadPoolExecutor, asked: Service, used: list[float]) -> Callable[[], float]:
    """Calls a second; adds what the servers' processors were busy for a call, in seconds."""

    def one(_: int) -> None:
        for _ in range(CALLS_EACH):
            asked.ask()

    def sample() -> float:
        before = asked.processor_seconds()
        took = seconds(lambda: list(callers.map(one, range(CALLERS))))
        used.append((asked.processor_seconds() - before) / (CALLERS * CALLS_EACH))
        return CALLERS * CALLS_EACH / took

    return sample


def _alone(work: Callable[[], object]) -> Callable[[], float]:
    """Milliseconds, the median of some."""
    return lambda: median(1e3 * seconds(work) for _ in range(ALONE))


def _sync(path: Path) -> Callable[[], float]:
    """The same for what a log cannot do without: its entry written and on the medium."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)

    def write() -> None:
        os.write(file, bytes(ENTRY_BYTES))
        os.fsync(file)

    return _alone(write)


def _paired(ours: Sequence[float], floor: Sequence[float]) -> str:
    ratios = [a / b for a, b in zip(ours, floor, strict=True)]
    return f"{median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


def _extra(ours: Sequence[float], floor: Sequence[float]) -> str:
    return _shown([a - b for a, b in zip(ours, floor, strict=True)])


def _shown(samples: Sequence[float]) -> str:
    ordered = sorted(samples)
    quarter = len(ordered) // 4
    return f"{median(ordered):.2f} [{ordered[quarter]:.2f}, {ordered[-1 - quarter]:.2f}]"
