"""Ports for servers that are told theirs before they start."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator

LOWEST, EACH, WORKERS = 11_000, 1_000, 20
"""Below 32768, from where Linux gives out ports by itself: a range for each worker of pytest."""


def _mine() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    first, start = LOWEST + EACH * worker, random.randrange(EACH)
    return (first + (start + step) % EACH for step in itertools.count())


_ports = _mine()


def free_port() -> int:
    """A port of loopback that nobody has now, and that nobody is given before its server starts.

    What the system gives out ("port 0") and gets back at once, it may give to the next who asks.
    """
    for port in itertools.islice(_ports, EACH):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("No port is free.")
