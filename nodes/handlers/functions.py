"""Python handlers from the server's side: a pool of workers of their own, and what they give back.

The pool is the engine's, with another program: warm, limited, killed by the clock. It is not the
one that answers questions: code of a handler never shares a process with a release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.edge.seats import NOBODY, Seats, Who
from nodes.engines.duckdb import DuckDBEngine, Limits
from nodes.engines.file_key import FileKey
from nodes.engines.shared import KEPT, seated
from policies.handler import Handler
from policies.handler_source import MODULES

Plain = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a function gave back: nothing for an unknown subject; and what it hands over."""

    values: tuple[Plain, ...] | None
    handed: Mapping[str, Plain]


class Functions:
    """The functions of one data version; raises EngineNotStarted, naming one that cannot run.

    `who` says whom this thread works for: one worker, and those that are kept for others.
    """

    def __init__(
        self,
        tables: Mapping[str, Path],
        limits: Limits,
        handlers: Mapping[str, Handler],
        who: Callable[[], Who] = lambda: NOBODY,
        key: FileKey | None = None,
    ) -> None:
        self._who = who
        self._seats = Seats(1, KEPT)
        self._engine = DuckDBEngine(
            tables,
            limits,
            self._seats.all,
            kept=1,
            key=key,
            program="nodes.handlers.worker",
            further={
                "modules": sorted(MODULES),
                "handlers": {
                    name: [handler.source, handler.function] for name, handler in handlers.items()
                },
            },
        )

    def call(self, name: str, arguments: Mapping[str, int | str], *, timeout: float) -> Found:
        """One call; raises DEADLINE and RUN_FAILED as `Engine.run` does."""
        frame = {"handler": name, "arguments": dict(arguments)}
        with seated(self._seats, self._who(), timeout) as left:
            found: Found = self._engine.ask(frame, _found, timeout=left)
        return found

    def close(self) -> None:
        """As `Engine.close`."""
        self._engine.close()


def _found(reply: Mapping[str, Any]) -> Found | None:
    """None for a failure, and for what is no well-formed reply."""
    values, handed = reply.get("found"), reply.get("handed")
    if "found" not in reply or not isinstance(handed, dict):
        return None
    if values is not None and not isinstance(values, list):
        return None
    plain = [*(values or ()), *handed.values()]
    if not all(each is None or isinstance(each, int | float | str) for each in plain):
        return None
    return Found(None if values is None else tuple(values), handed)
