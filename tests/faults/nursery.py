"""Servers that start in a moment: forked from a process that has imported everything already.

`Nursery.spawn` stands in for `landbridge.federation.process.spawn`. What runs is a process of its
own with the server's own `main`, its own files, threads and sockets, and it can be killed and
stopped like any other; only the reading of modules is shared, which is most of a start. The process
that forks has one thread and no open channel, so that a fork of it is whole.

What a server is to suffer is told before it starts, see `suffering`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

from landbridge.federation.process import ROOT, ServerProcess, environment

_IMPORTED: Final = (
    "gateway.__main__",
    "gateway.app",
    "gateway.cases.database",
    "nodes.__main__",
    "nodes.app",
    "nodes.engines.opening",
    "nodes.engines.duckdb",
    "tests.faults.suffering",
)
_LARGEST: Final = 1 << 16


class Grown:
    """A forked server, with as much of `subprocess.Popen` as a `ServerProcess` needs."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._nursery = nursery
        self.pid = pid
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            poller = select.poll()  # select.select knows small descriptors only
            poller.register(self._handle, select.POLLIN)
            if not poller.poll(None if timeout is None else timeout * 1_000):
                raise subprocess.TimeoutExpired("a grown server", timeout or 0)
            self.returncode = self._nursery.status(self.pid)
            os.close(self._handle)
        return self.returncode

    def kill(self) -> None:
        """Ends it at once; nothing for one that has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


class Nursery:
    """The process that forks. Many threads may use it; ends with `close`."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.faults.nursery", str(theirs.fileno())],
                # numpy's library would start threads while it is imported.
                cwd=ROOT, env={**environment(), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._speaking = threading.Lock()
        self.sufferings: dict[str, Mapping[str, Any]] = {}
        """What the next starts of a server suffer, by its name as `spawn` is told it."""

    def spawn(self, name: str, module: str, settings: Path) -> ServerProcess:
        """As `landbridge.federation.process.spawn`."""
        log = settings.parent / "stderr.log"
        stdin, own_in = os.pipe()
        own_out, stdout = os.pipe()
        stderr = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        order = {
            "module": module,
            "settings": str(settings),
            "suffering": dict(self.sufferings.get(name, {})),
        }
        try:
            pid = int(self._told(order, stdin, stdout, stderr)["pid"])
        finally:
            for theirs in (stdin, stdout, stderr):
                os.close(theirs)
        grown = Grown(self, pid, os.fdopen(own_in, "wb", 0), os.fdopen(own_out, "rb", 0))
        return ServerProcess(name, cast("subprocess.Popen[bytes]", grown), log)

    def status(self, pid: int) -> int:
        """The exit status of a server that has ended; the process forgets it."""
        return int(self._told({"ended": pid})["status"])

    def close(self) -> None:
        """Ends it; servers that still run end when their standard input does."""
        self._line.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _told(self, order: Mapping[str, Any], *handed: int) -> dict[str, Any]:
        with self._speaking:
            socket.send_fds(self._line, [json.dumps(order).encode()], handed)
            content = self._line.recv(_LARGEST)
        if not content:
            raise RuntimeError(f"The nursery ended with status {self._process.wait()}.")
        found: dict[str, Any] = json.loads(content)
        return found


def main(descriptor: int) -> None:
    """Forks as it is told, until nobody speaks to it."""
    for module in _IMPORTED:
        import_module(module)
    threads = list(Path("/proc/self/task").iterdir())
    if len(threads) > 1:
        raise SystemExit(f"{len(threads)} threads after the imports: a fork would lose them")
    gc.collect()
    gc.freeze()  # no child looks at these again, and their pages stay shared
    with socket.socket(fileno=descriptor) as line:
        while True:
            content, handed, _, _ = socket.recv_fds(line, _LARGEST, 3)
            if not content:
                return
            order = json.loads(content)
            if "ended" in order:
                _, status = os.waitpid(order["ended"], 0)
                line.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
                continue
            pid = os.fork()
            if pid == 0:
                line.close()
                _serve(order, handed)
            for each in handed:
                os.close(each)
            line.send(json.dumps({"pid": pid}).encode())


def _serve(order: Mapping[str, Any], handed: list[int]) -> None:
    """What a server's own process does; never returns."""
    status = 70
    try:
        for number, each in enumerate(handed):
            os.dup2(each, number)
            os.close(each)
        settings = Path(order["settings"])
        os.chdir(settings.parent)
        import_module("tests.faults.suffering").suffer(order["suffering"])
        run = import_module(f"{order['module']}.__main__").main
        status = run(["serve", str(settings), "--with-parent"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
        status = 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
