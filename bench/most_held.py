"""The most memory that servers hold at one moment while something is asked of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from bench.idle_memory import held
from bench.row import RowFailed

SECONDS: Final = 0.25
"""Between two looks."""


@dataclass(slots=True)
class Most:
    """Megabytes (10^6 bytes, PSS, descendants included): of all together, and of each alone."""

    total: float = 0.0
    alone: dict[str, float] = field(default_factory=dict)

    def look(self, servers: Mapping[str, int]) -> None:
        """Takes the figures of this moment."""
        now = {name: held(process_id).shared_out for name, process_id in servers.items()}
        self.total = max(self.total, sum(now.values()))
        for name, megabytes in now.items():
            self.alone[name] = max(self.alone.get(name, 0.0), megabytes)

    def each(self) -> str:
        """Every server's own."""
        return ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in self.alone.items())


@contextmanager
def most_held(servers: Mapping[str, int]) -> Iterator[Most]:
    """Looks at the servers, by name and process id, until the block ends."""
    most, ended = Most(), threading.Event()

    def look() -> None:
        while not ended.wait(SECONDS):
            try:
                most.look(servers)
            except RowFailed:
                continue  # a worker ended in between

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
