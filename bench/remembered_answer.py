"""`remembered_answer`: what is left of bare gRPC when a known answer passes the service."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from bench.floor import two_hops
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from bench.service import service

CALLERS: Final = 64
CALLS_EACH: Final = 8
ROUNDS: Final = 9
REQUEST_BYTES, REPLY_BYTES = 1_000, 1_500


def measure(say: Say) -> Row:
    """Answers a second of 64 callers, beside an echo over as many hops."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place,
        service("both", Path(place), say, gateway=True, node=True) as asked,
        two_hops() as echo,
        two_hops(promised=True) as least,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        say(f"{CALLERS} callers, {ROUNDS} rounds of each")
        waits: dict[str, list[float]] = {"ours": [], "echo": [], "least": []}
        ours, floor, promised = in_turn(
            _rate(callers, asked.ask, waits["ours"]),
            _rate(callers, lambda: echo(REQUEST_BYTES, REPLY_BYTES), waits["echo"]),
            _rate(callers, lambda: least(REQUEST_BYTES, REPLY_BYTES), waits["least"]),
            rounds=ROUNDS,
        )
    p99 = {name: 1e3 * quantiles(found, n=100)[98] for name, found in waits.items()}
    return Row.of(
        "remembered_answer",
        ours,
        floor,
        better="higher",
        aim=Aim("ratio", 0.8),
        note=f"answers a second; {CALLERS} callers over TLS, token, Cedar at both ends, plan, "
        "ledger, two durable logs; floor: plain gRPC without TLS over as many hops; of a hundred "
        f"calls the slowest takes {p99['ours']:.0f} ms beside {p99['echo']:.0f} ms "
        f"({p99['ours'] / p99['echo']:.1f}x), half of them "
        f"{1e3 * median(waits['ours']):.0f} beside {1e3 * median(waits['echo']):.0f}; the least "
        "that could be promised (one signature made and one verified at each hop, each entry "
        f"synced in groups, nothing else and no TLS) gives {median(promised):.0f}, of which ours "
        f"is {median(ours) / median(promised):.2f}; the callers share the machine",
    )


def _rate(
    callers: ThreadPoolExecutor, ask: Callable[[], None], waits: list[float]
) -> Callable[[], float]:
    """Calls a second; adds what each call took, in seconds."""

    def one(_: int) -> None:
        for _ in range(CALLS_EACH):
            began = time.perf_counter()
            ask()
            waits.append(time.perf_counter() - began)

    def sample() -> float:
        return CALLERS * CALLS_EACH / seconds(lambda: list(callers.map(one, range(CALLERS))))

    return sample
