"""`overload_5x`: what is still answered when five times as much is asked as can be.

The peak is what 64 callers get who wait for their answers. Then five times as many requests a
second are sent without waiting, over several connections of the same caller.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import grpc

from bench.row import Aim, Row, RowFailed, Say
from bench.service import Service, service
from landbridge.errors import LandbridgeError
from landbridge.status import from_rpc_error
from landbridge.transport import CHANNEL_OPTIONS
from landbridge.v1.gateway_pb2_grpc import GatewayStub

CALLERS: Final = 64
TIMES: Final = 5
SECONDS: Final = 4.0
ROUNDS: Final = 3
CONNECTIONS: Final = 8
"""A server serves a hundred calls of one connection at a time."""


@dataclass(slots=True)
class _Flood:
    """What came of it, in seconds since each was sent; `answered` by when it came."""

    offered: int = 0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    late: int = 0
    processor: float = 0.0
    recovered: float = 0.0


def measure(say: Say) -> Row:
    """Answers a second."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place,
        service("both", Path(place), say, gateway=True, node=True) as asked,
        ThreadPoolExecutor(CALLERS) as callers,
        ExitStack() as held,
    ):
        options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        stubs = [
            GatewayStub(
                held.enter_context(
                    grpc.secure_channel(
                        asked.endpoint.target, asked.endpoint.credentials, options=options
                    )
                )
            )
            for _ in range(CONNECTIONS)
        ]
        _peak(callers, asked)
        peaks, floods, each = [], [], []
        for number in range(ROUNDS):
            used = asked.processor_seconds()
            peaks.append(_peak(callers, asked))
            each.append((asked.processor_seconds() - used) / (SECONDS * peaks[-1]))
            say(f"round {number + 1}: {peaks[-1]:.0f} answers a second; {TIMES} times as many")
            floods.append(_flood(stubs, asked, TIMES * peaks[-1]))
    answer = median(each)
    refusal = median(
        (flood.processor - answer * (len(flood.answered) + flood.late)) / max(1, len(flood.refused))
        for flood in floods
    )
    refused = [seconds for flood in floods for seconds in flood.refused]
    reasons = sorted({reason for flood in floods for reason in flood.reasons})
    if len(refused) < 100:
        raise RowFailed("Next to nothing was refused: the machine could not send enough.")
    return Row.of(
        "overload_5x",
        [len(flood.answered) / SECONDS for flood in floods],
        peaks,
        better="higher",
        aim=Aim("ratio", 0.8),
        note=f"remembered answers a second while {TIMES} times the peak are sent, "
        f"{sum(flood.offered for flood in floods) / ROUNDS / SECONDS:.0f} a second of one caller; "
        f"floor: the peak, {CALLERS} callers who wait; a refusal ({', '.join(reasons)}) comes "
        f"after {1e3 * median(refused):.0f} ms, the slowest of a hundred after "
        f"{1e3 * quantiles(refused, n=100)[98]:.0f}, and takes the servers {1e3 * refusal:.2f} ms "
        f"of processor beside {1e3 * answer:.1f} of an answer, so that servers with their cores to "
        f"themselves would keep {answer / (answer + (TIMES - 1) * refusal):.2f}; who asks when "
        f"it is over is answered within {1e3 * max(flood.recovered for flood in floods):.0f} ms; "
        "the callers share the machine",
    )


def _peak(callers: ThreadPoolExecutor, asked: Service) -> float:
    end = time.monotonic() + SECONDS

    def one(_: int) -> int:
        count = 0
        while time.monotonic() < end:
            asked.ask()
            count += 1
        return count

    return sum(callers.map(one, range(CALLERS))) / SECONDS


def _flood(stubs: Sequence[GatewayStub], asked: Service, rate: float) -> _Flood:
    found = _Flood()
    used = asked.processor_seconds()
    began = time.monotonic()
    lock, left = threading.Lock(), threading.Semaphore(0)

    def ended(call: Any, sent: float) -> None:
        now = time.monotonic()
        try:
            call.result()
            reason = ""
        except grpc.RpcError as failure:
            reason = from_rpc_error(failure).reason
        with lock:
            if reason:
                found.reasons.add(reason)
                found.refused.append(now - sent)
            elif now - began <= SECONDS:
                found.answered.append(now)
            else:
                found.late += 1
        left.release()

    while (now := time.monotonic()) - began < SECONDS:
        while found.offered < (now - began) * rate:
            stub = stubs[found.offered % len(stubs)]
            call = stub.Query.future(asked.request(), timeout=30, metadata=asked.metadata)
            call.add_done_callback(lambda done, sent=now: ended(done, sent))  # type: ignore[misc]
            found.offered += 1
        time.sleep(0.002)
    over = time.monotonic()
    while True:
        try:
            asked.ask()
        except (grpc.RpcError, LandbridgeError):
            time.sleep(0.02)
            continue
        break
    found.recovered = time.monotonic() - over
    for _ in range(found.offered):
        left.acquire()
    found.processor = asked.processor_seconds() - used
    return found
