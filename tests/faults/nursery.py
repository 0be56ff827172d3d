"""Servers that start in a moment and suffer what they are told to.

`Nursery.spawn` stands in for `landbridge.federation.process.spawn`. What runs is a process of its
own, forked from one that has loaded gateway and node (`landbridge.federation.forkserver`); before
it runs the server's own `main`, it arranges what the server is to suffer, see `suffering`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from landbridge.federation.forkserver import Forked, ForkServer
from landbridge.federation.process import LOADED, ServerProcess, environment

_PROGRAM: Final = "tests.faults.nursery"
_ALSO: Final = (
    "gateway.cases.database", "nodes.engines.duckdb", "tests.faults.suffering", "grpc._channel",
    "grpc._interceptor", "grpc._server", "importlib.readers", "landbridge.reasons",
    "sqlalchemy.dialects.sqlite", "cryptography.hazmat.backends.openssl.backend",
)  # fmt: skip
"""What they load at their start besides, found by comparing `sys.modules`."""


class Nursery:
    """Where they start. Many threads may use it; ends with `close`."""

    def __init__(self) -> None:
        self._server = ForkServer((*LOADED, *_ALSO), environment())
        self.sufferings: dict[str, Mapping[str, Any]] = {}
        """What the next starts of a server suffer, by its name as `spawn` is told it."""

    def spawn(self, name: str, module: str, settings: Path) -> ServerProcess:
        """As `landbridge.federation.process.spawn`."""
        log = settings.parent / "stderr.log"
        told = json.dumps(dict(self.sufferings.get(name, {})))
        arguments = [module, str(settings), told]
        process: subprocess.Popen[bytes] | Forked
        with log.open("wb") as errors:
            if "clock" in self.sufferings.get(name, {}):
                # Whoever loads `time.time` has to find the moved one there.
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _PROGRAM, *arguments], cwd=settings.parent,
                    env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                )  # fmt: skip
            else:
                process = self._server.start(
                    _PROGRAM, arguments, cwd=settings.parent, env=environment(),
                    stdin=True, stderr=errors.fileno(),
                )  # fmt: skip
        return ServerProcess(name, process, log)

    def close(self) -> None:
        """No more are started."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _serve(module: str, settings: str, told: str) -> int:
    """The server `module`, and what it suffers."""
    import_module("tests.faults.suffering").suffer(json.loads(told))
    run = import_module(f"{module}.__main__").main
    return int(run(["serve", settings, "--with-parent"]))


if __name__ == "__main__":
    sys.exit(_serve(*sys.argv[1:]))
