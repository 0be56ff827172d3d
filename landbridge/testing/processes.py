"""A whole federation as a context manager.

    with landbridge.testing.federation("examples/nyc_flights") as running:
        answer = running.client("alice").query("SELECT count(*) FROM planes", purpose="...")

Real processes, real gRPC, real TLS on loopback; nothing is mocked. Needs the source tree, where the
servers are. In `with landbridge.testing.forking():` (a session's fixture) federations start faster:
their processes are forked from one that has loaded them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from landbridge.federation.process import forking as forking
from landbridge.federation.running import Federation

_running: list[Federation] = []


@contextmanager
def federation(
    folder: str | Path,
    *,
    state: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    console: bool = False,
) -> Iterator[Federation]:
    """Runs the federation in `folder` for the block; see `Federation` for what it can do."""
    with Federation.up(Path(folder), state=state, progress=progress, console=console) as running:
        _running.append(running)
        try:
            yield running
        finally:
            _running.remove(running)


def current() -> Federation:
    """The federation that runs around this script (`landbridge up DIR --once SCRIPT`)."""
    if not _running:
        raise RuntimeError("No federation runs here: start this script with landbridge up --once.")
    return _running[-1]
