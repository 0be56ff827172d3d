"""The processes of a federation: started, waited for, ended by their own handle."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
"""For machines that are busy; a process that ends instead is seen at once."""


class ProcessFailed(Exception):
    """A process ended, or did not get ready; one sentence, its own words included."""


@dataclass(slots=True)
class ServerProcess:
    """A running gateway or node; standard error goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
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


def spawn(name: str, module: str, settings: Path, words: str = "stderr.log") -> ServerProcess:
    """Starts `python -m module serve settings`; it ends when this process does.

    Its standard error goes to the file `words` beside the settings.
    """
    log = settings.parent / words
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, "serve", str(settings), "--with-parent"],
            cwd=settings.parent,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    return ServerProcess(name, process, log)


def run_load(settings: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Starts `python -m nodes load`; its report comes on standard output."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "nodes", "load", str(settings), *arguments],
        cwd=settings.parent,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def environment() -> dict[str, str]:
    """This process's environment; the server packages are found in the source tree."""
    if not (ROOT / "nodes").is_dir():
        raise ProcessFailed(
            "The servers are not installed here: install landbridge-server beside landbridge, or "
            "run them from Landbridge's source tree."
        )
    return {**os.environ, "PYTHONPATH": str(ROOT)}
