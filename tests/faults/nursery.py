"""Servers that start in a moment and suffer what they are told to.

`Nursery.spawn` stands in for `landbridge.federation.process.spawn`. What runs is a process of its
own, forked from one that has loaded gateway and node (`landbridge.federation.forkserver`); before
it runs the server's own `main`, it arranges what the server is to suffer, see `suffering`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType
from typing import Any, Final, Self

from landbridge.federation.forkserver import Forked, ForkServer
from landbridge.federation.process import LOADED, ServerProcess, environment

_PROGRAM: Final = "tests.faults.nursery"
_WORKERS: Final = ("nodes.engines.worker", "nodes.engines.collector", "nodes.engines.publisher")
_ALSO: Final = (
    "gateway.cases.database", *_WORKERS, "nodes.engines.duckdb",
    "tests.faults.suffering", "grpc._channel", "grpc._interceptor", "grpc._server",
    "importlib.readers", "landbridge.reasons", "sqlalchemy.dialects.sqlite",
    "cryptography.hazmat.backends.openssl.backend",
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
    if module == "nodes":
        _make_workers()
    import_module("tests.faults.suffering").suffer(json.loads(told))
    run = import_module(f"{module}.__main__").main
    return int(run(["serve", settings, "--with-parent"]))


def _make_workers() -> None:
    """A node's first worker, and the processes that keep its records and make tables of them, are
    forked from here, where there are no threads yet.

    Each is a process of its own, with pipes, limits and an end as one that is started, which every
    further one is; it waits for its first frame, and ends with this process.
    """
    process: ModuleType = import_module("nodes.engines.process")
    started = subprocess.Popen
    made = {program: _Worker(program) for program in _WORKERS}

    def popen(command: Sequence[str], **options: Any) -> object:
        if command[-1] in made:
            return made.pop(command[-1])
        return started(command, **options)

    names = {"PIPE": subprocess.PIPE, "DEVNULL": subprocess.DEVNULL, "Popen": popen}
    vars(process)["subprocess"] = SimpleNamespace(**names)


class _Worker:
    """What `nodes.engines.process` uses of `subprocess.Popen`, of a fork."""

    def __init__(self, program: str) -> None:
        given, into = os.pipe()
        out, said = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            nothing = os.open(os.devnull, os.O_WRONLY)
            for descriptor, place in ((given, 0), (said, 1), (nothing, 2)):
                os.dup2(descriptor, place)
            os.closerange(3, 1 << 10)
            os.chdir("/")
            import_module(program).main()
            os._exit(0)
        os.close(given)
        os.close(said)
        self.stdin, self.stdout = os.fdopen(into, "wb", 0), os.fdopen(out, "rb", 0)
        self._status: int | None = None

    def poll(self) -> int | None:
        """As `Popen.poll`."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """As `Popen.wait`."""
        return self._wait(0)

    def kill(self) -> None:
        """As `Popen.kill`."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, how: int) -> int | None:
        if self._status is None:
            found, status = os.waitpid(self.pid, how)
            self._status = os.waitstatus_to_exitcode(status) if found else None
        return self._status


if __name__ == "__main__":
    sys.exit(_serve(*sys.argv[1:]))
