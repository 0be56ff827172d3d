"""`log_append`: what a server that does nothing else pays for recording each request durably."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Final

from bench.floor import Ask, echo
from bench.row import Row, Say
from bench.samples import in_turn, seconds

CALLERS: Final = 64
CALLS_EACH: Final = 25
ROUNDS: Final = 7
BYTES: Final = 200
"""Of a request and of a reply."""


def measure(say: Say) -> Row:
    """Calls a second that 64 callers get of an echo, each recorded durably before its reply."""
    say(f"{CALLERS} callers with and without the log, {ROUNDS} rounds")
    # Not in memory: a log that needs no disk would show nothing.
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder,
        echo(threads=CALLERS, log=Path(folder) / "whole") as logged,
        echo(threads=CALLERS, log=Path(folder) / "append", same_entry=True) as appending,
        echo(threads=CALLERS) as plain,
        logged.asking() as with_log,
        appending.asking() as with_append,
        plain.asking() as without,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        ours, append_alone, floor = in_turn(
            lambda: _rate(callers, with_log),
            lambda: _rate(callers, with_append),
            lambda: _rate(callers, without),
            rounds=ROUNDS,
        )
        disk = filesystem(Path(folder))
    return Row.of(
        "log_append",
        ours,
        floor,
        better="higher",
        note=f"calls a second; {CALLERS} callers and server threads, {BYTES} bytes each way, one "
        f"entry made, appended and durable on {disk} before each reply; the append of one made "
        f"beforehand keeps {median(append_alone) / median(floor):.2f} of the floor; floor: the "
        "same plain server without a log; the callers share the machine",
    )


def _rate(callers: ThreadPoolExecutor, ask: Ask) -> float:
    """Calls a second."""

    def one(_: int) -> None:
        for _ in range(CALLS_EACH):
            ask(BYTES, BYTES)

    took = seconds(lambda: list(callers.map(one, range(CALLERS))))
    return CALLERS * CALLS_EACH / took


def filesystem(path: Path) -> str:
    """The kind of file system that holds the path, for example "ext4", from proc(5) mounts."""
    held, kind = -1, "an unknown file system"
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, mounted, named, *_ = line.split(" ")
        if path.resolve().is_relative_to(mounted) and len(mounted) >= held:
            held, kind = len(mounted), named
    return kind
