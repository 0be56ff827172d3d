"""`two_workers`: what a second process at the same ports adds to a gateway."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from unittest.mock import patch

import grpc

from bench.handler_rate import children, seconds_of
from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from bench.service import Service, service
from landbridge.transport import CHANNEL_OPTIONS
from landbridge.v1.gateway_pb2_grpc import GatewayStub

CALLERS: Final = 64
CONNECTIONS: Final = 32
"""The system deals connections out, not calls."""
CALLS_EACH: Final = 8
ROUNDS: Final = 7


def measure(say: Say) -> Row:
    """Answers a second."""
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place,
        ExitStack() as held,
        ThreadPoolExecutor(CALLERS) as callers,
    ):
        one = held.enter_context(_service("one", 1, Path(place), say))
        two = held.enter_context(_service("two", 2, Path(place), say))
        used: dict[str, list[float]] = {"one": [], "two": []}
        rates = in_turn(
            *(_rate(callers, asked, stubs, used[asked.name]) for asked, stubs in (two, one)),
            rounds=ROUNDS,
        )
    each = {name: 1e3 * sum(found) / len(found) for name, found in used.items()}
    return Row.of(
        "two_workers",
        rates[0],
        rates[1],
        better="higher",
        aim=Aim("ratio", 1.7),
        note=f"remembered answers a second of `workers = 2`, {CALLERS} callers over {CONNECTIONS} "
        "connections; floor: `workers = 1`; gateway and node take "
        f"{each['two']:.1f} ms of processor an answer beside {each['one']:.1f}; 1.7 needs two "
        f"cores for the gateway alone: here node and callers share {os.cpu_count()} with it",
    )


@contextmanager
def _service(
    name: str, workers: int, place: Path, say: Say
) -> Iterator[tuple[Service, Sequence[GatewayStub]]]:
    with ExitStack() as held:
        with patch.dict(os.environ, {"LANDBRIDGE_GATEWAY__WORKERS": str(workers)}):
            asked = held.enter_context(service(name, place, say, gateway=True, node=True))
        options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        target, credentials = asked.endpoint.target, asked.endpoint.credentials
        yield (
            asked,
            [
                GatewayStub(
                    held.enter_context(grpc.secure_channel(target, credentials, options=options))
                )
                for _ in range(CONNECTIONS)
            ],
        )


def _rate(
    callers: ThreadPoolExecutor,
    asked: Service,
    stubs: Sequence[GatewayStub],
    used: list[float],
) -> Callable[[], float]:
    """Calls a second; adds the processor's seconds for each, of the gateway's workers and node."""

    def one(number: int) -> None:
        stub = stubs[number % CONNECTIONS]
        for _ in range(CALLS_EACH):
            stub.Query(asked.request(), timeout=30, metadata=asked.metadata)

    def spent() -> float:
        gateway = asked.processes[0]
        return asked.processor_seconds() + sum(map(seconds_of, children(gateway)))

    def sample() -> float:
        before = spent()
        took = seconds(lambda: list(callers.map(one, range(CALLERS))))
        used.append((spent() - before) / (CALLERS * CALLS_EACH))
        return CALLERS * CALLS_EACH / took

    return sample
