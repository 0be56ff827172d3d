"""Several processes of one gateway on one machine: `workers = 2` in its settings.

One Python process uses about one core. The parent starts as many gateways as are asked for, each of
them a replica with a log of its own, at the same ports, among which the system deals connections
out. It listens at nothing itself, starts a worker that ends again, and ends them all together. The
first worker is the gateway as it would be alone: its state, console, enrolment and witnessing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.settings import PREFIX, Settings
from landbridge.edge.process import STOPPED_BY_OPERATOR, without_core
from landbridge.edge.state import log_signer

SHARED: Final = ("signing.key", "subjects.key")
"""What the workers have in common; the rest of a state folder is each one's own."""
QUICK: Final = 10.0
"""Seconds; who ended sooner than that after its start is started again later each time."""
LONGEST: Final = 30.0

Tell = Callable[[str], None]


class WorkerFailed(Exception):
    """A worker did not start; its own words are on standard error."""


class Workers:
    """Those of one gateway, whose settings are the file `path`."""

    def __init__(
        self, settings: Settings, path: Path, environment: Mapping[str, str], tell: Tell
    ) -> None:
        self._settings = settings
        self._path = path
        self._environment = environment
        self._tell = tell
        self._listen = settings.listen
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> dict[str, Any]:
        """Starts all; gives what the first one says when it is ready, and the others' log keys.

        Raises WorkerFailed, and then none is left.
        """
        said = self._begin(1)
        # Before it is dealt out: a port that the system chose is the first one's, then everybody's.
        self._listen = f"{self._listen.rpartition(':')[0]}:{said['port']}"
        keys = []
        for number in range(2, self._settings.workers + 1):
            keys.append(self._prepare(number))
            self._begin(number)
        for number in self._running:
            thread = threading.Thread(target=self._keep, args=(number,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return {**said, "replica_keys": keys}

    def signal(self, number: signal.Signals) -> None:
        """Hands a signal on to all of them."""
        with self._lock:
            for process in self._running.values():
                if process.poll() is None:
                    process.send_signal(number)

    def stop(self) -> None:
        """Ends all in order, together; returns when they have ended."""
        self._stopping.set()
        self.signal(signal.SIGTERM)
        for thread in self._threads:
            thread.join()
        with self._lock:
            running = list(self._running.values())
        for process in running:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _folder(self, number: int) -> Path:
        return self._settings.state / "workers" / str(number)

    def _prepare(self, number: int) -> str:
        """The state folder of a worker after the first; the key that verifies its log."""
        folder = self._folder(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in SHARED:
            source, own = self._settings.state / name, folder / name
            if not own.exists() and source.exists():
                shutil.copy2(source, own)
        settings = self._settings
        return log_signer(folder, f"{settings.federation}/{settings.name}/{_name(number)}").vkey

    def _of(self, number: int) -> dict[str, str]:
        """The environment of a worker: settings that differ from the file's."""
        own = {"WORKERS": "1", "SHARE_PORT": "true", "LISTEN": self._listen}
        if number > 1:
            own |= {
                "STATE": str(self._folder(number).resolve()),
                "REPLICA": _name(number),
                # One console and one door for metrics, at the first.
                "CONSOLE__LISTEN": "",
                "TELEMETRY__PROMETHEUS": "",
            }
        return {**self._environment, **{f"{PREFIX}{name}": value for name, value in own.items()}}

    def _begin(self, number: int) -> dict[str, Any]:
        """Starts one and gives what it says when it is ready; raises WorkerFailed."""
        process = subprocess.Popen(
            [sys.executable, *_MODULE, "serve", str(self._path), "--with-parent"],
            env=self._of(number),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with self._lock:
            self._running[number] = process
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            said = dict(json.loads(line))
            said["port"] = int(said["port"])
        except (ValueError, KeyError, TypeError):
            process.kill()
            process.wait()
            if not self._threads:
                self.stop()
            raise WorkerFailed(f"Worker {number} did not start.") from None
        return said

    def _keep(self, number: int) -> None:
        """Starts it again whenever it ends, until all are to end."""
        wait = 1.0
        while True:
            began = time.monotonic()
            with self._lock:
                process = self._running[number]
            status = process.wait()
            if self._stopping.is_set():
                return
            wait = 1.0 if time.monotonic() - began > QUICK else min(2 * wait, LONGEST)
            self._tell(f"Worker {number} ended with status {status}; it is started again.")
            if self._stopping.wait(wait):
                return
            try:
                self._begin(number)
            except (WorkerFailed, OSError) as failure:
                self._tell(str(failure))
            if self._stopping.is_set():
                self.signal(signal.SIGTERM)  # it came after the others were told


_MODULE: Final = ("-P", "-m", "gateway")


def _name(number: int) -> str:
    return f"worker{number}"


def run(settings: Settings, path: Path, tell: Tell, *, with_parent: bool) -> int:
    """Runs them until told to stop; gives the exit status, as `landbridge.edge.process.run`."""
    without_core()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    workers = Workers(settings, path, os.environ, tell)
    signal.signal(signal.SIGHUP, lambda *_: workers.signal(signal.SIGHUP))
    if settings.cases_url == "":
        tell(
            "Without cases.url a case or a watch is known to the one worker alone that it was "
            "made at."
        )
    try:
        said = workers.start()
    except WorkerFailed as failure:
        tell(str(failure))
        return STOPPED_BY_OPERATOR
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()
    if with_parent:

        def parent() -> None:
            while os.read(0, 1024):
                pass
            stopping.set()

        threading.Thread(target=parent, daemon=True).start()
    stopping.wait()
    workers.stop()
    return 0
