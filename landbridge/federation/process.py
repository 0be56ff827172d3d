"""The processes of a federation: started, waited for, ended by their own handle."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from landbridge.federation.forkserver import Forked, ForkServer

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
"""For machines that are busy; a process that ends instead is seen at once."""

PRODUCT: Final = ("gateway", "nodes")
"""The programs that a federation is made of."""

LOADED: Final = (
    "gateway.__main__", "gateway.app", "nodes.__main__", "nodes.app",
    "alembic.command", "alembic.config",
)  # fmt: skip
"""What they load before their first line of work, and what a gateway makes its tables with."""


class ProcessFailed(Exception):
    """A process ended, or did not get ready; one sentence, its own words included."""


@dataclass(slots=True)
class ServerProcess:
    """A running gateway or node; standard error goes to `log`."""

    name: str
    process: subprocess.Popen[bytes] | Forked
    log: Path
    port: int = 0
    log_key: str = ""
    flight_port: int = 0
    console_port: int = 0

    def await_ready(self) -> None:
        """Returns when it listens; raises ProcessFailed with what it said."""
        stdout = self.process.stdout
        assert stdout is not None
        end = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            ready = selector.select(max(0.0, end - time.monotonic()))
        line = stdout.readline() if ready else b""
        try:
            said = json.loads(line)
            self.port, self.log_key = int(said["port"]), str(said["log_key"])
            self.flight_port = int(said.get("flight_port", 0))
            self.console_port = int(said.get("console_port", 0))
        except (ValueError, KeyError, TypeError):
            self.kill()
            raise ProcessFailed(f"{self.name} did not start: {self.last_words()}") from None

    def last_words(self) -> str:
        """The last line of its standard error."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """Asks it to end and waits; kills it when it takes longer than ten seconds."""
        self.ask_to_stop()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._let_go()

    def ask_to_stop(self) -> None:
        """Closes its standard input, upon which it ends in order."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.kill()
        self.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@dataclass(slots=True)
class Load:
    """A loader at work."""

    process: subprocess.Popen[bytes] | Forked
    errors: IO[bytes]

    def result(self) -> tuple[int, bytes, bytes]:
        """Exit status, standard output and standard error, once it has ended."""
        assert self.process.stdout is not None
        with self.process.stdout, self.errors:
            said = self.process.stdout.read()
            status = self.process.wait()
            self.errors.seek(0)
            return status, said, self.errors.read()


@contextmanager
def forking() -> Iterator[None]:
    """Servers and loaders that start in the block are forked from one that has loaded them."""
    global _forks
    if _forks is not None:
        raise RuntimeError("forking() is in use already.")
    _forks = used = _Forks()
    try:
        yield
    finally:
        _forks = None
        used.close()


@contextmanager
def loaded_anew() -> Iterator[None]:
    """What starts in the block is not forked: its arguments and environment are its own to see."""
    global _forks
    kept, _forks = _forks, None
    try:
        yield
    finally:
        _forks = kept


def spawn(name: str, module: str, settings: Path, words: str = "stderr.log") -> ServerProcess:
    """Starts `python -m module serve settings`; it ends when this process does.

    Its standard error goes to the file `words` beside the settings.
    """
    log = settings.parent / words
    with log.open("wb") as errors:
        arguments = ["serve", str(settings), "--with-parent"]
        process = _begin(module, arguments, settings.parent, errors, stdin=True)
    return ServerProcess(name, process, log)


def run_load(settings: Path, arguments: list[str]) -> Load:
    """Starts `python -m nodes load`; its report comes on standard output."""
    errors = TemporaryFile()  # noqa: SIM115 - Load.result closes it
    process = _begin("nodes", ["load", str(settings), *arguments], settings.parent, errors)
    return Load(process, errors)


def _begin(
    module: str, arguments: list[str], folder: Path, errors: IO[bytes], *, stdin: bool = False
) -> subprocess.Popen[bytes] | Forked:
    if _forks is not None and module in PRODUCT:
        return _forks.start(module, arguments, folder, errors, stdin=stdin)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
    )


class _Forks:
    """The fork server, from the first process that is asked of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ForkServer | None = None

    def start(
        self, module: str, arguments: list[str], folder: Path, errors: IO[bytes], *, stdin: bool
    ) -> Forked:
        with self._lock:
            if self._server is None:
                self._server = ForkServer(LOADED, environment())
        return self._server.start(
            module, arguments, cwd=folder, env=environment(), stdin=stdin, stderr=errors.fileno()
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


_forks: _Forks | None = None


def environment() -> dict[str, str]:
    """This process's environment; the server packages are found in the source tree."""
    if not (ROOT / "nodes").is_dir():
        raise ProcessFailed(
            "The servers are not installed here: install landbridge-server beside landbridge, or "
            "run them from Landbridge's source tree."
        )
    return {**os.environ, "PYTHONPATH": str(ROOT)}
