"""Servers of a development federation that start at once, forked from what has loaded them.

Loading a gateway or a node costs a second of a processor, and a suite of tests starts hundreds. A
`ForkServer` loads the programs once and forks for each; what is forked is a process of its own that
runs `python -m program` from its first line, with the arguments, folder and environment of now.
For tests and development: a deployed server is started by itself. Linux only (pidfd).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NoReturn

_LARGEST: Final = 1 << 20


class ForkServer:
    """Forks `python -m program` after loading `modules`; ends when this process does."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._control = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), *modules],
                # Threads do not survive a fork, and this library starts one for each core.
                env={**environment, "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: bool,
        stderr: int,
    ) -> Forked:
        """A new process; its standard output is a pipe, its standard input one or nothing.

        Raises OSError when the fork server has ended.
        """
        order = {"program": program, "arguments": [*arguments], "cwd": str(cwd), "env": {**env}}
        message = json.dumps(order).encode()
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        out, their_out = os.pipe()
        their_in, into = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), -1)
        try:
            with self._lock:
                given = [their_in, their_out, stderr, theirs.fileno()]
                socket.send_fds(self._control, [message], given)
        except BaseException:
            for each in (out, *([into] if stdin else [])):
                os.close(each)
            status.close()
            raise
        finally:
            theirs.close()
            os.close(their_in)
            os.close(their_out)
        return Forked(status, os.fdopen(into, "wb", 0) if stdin else None, os.fdopen(out, "rb", 0))

    def close(self) -> None:
        """No more are started; those that run go on."""
        self._control.close()
        self._process.wait()


class Forked:
    """One of its processes, with the part of `subprocess.Popen` that a federation uses."""

    def __init__(self, status: socket.socket, stdin: IO[bytes] | None, stdout: IO[bytes]) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()
        said, descriptors, _, _ = socket.recv_fds(status, _LARGEST, 1)
        if not said:
            raise OSError("The process that servers are forked from has ended.")
        self.pid = int(said)
        # A number can be another process's by now; this is the process itself.
        self._descriptor = descriptors[0]

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status as `subprocess` has it; raises `subprocess.TimeoutExpired`."""
        with self._lock:
            if self.returncode is None:
                with selectors.DefaultSelector() as selector:
                    selector.register(self._status, selectors.EVENT_READ)
                    if not selector.select(timeout):
                        raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
                said = self._status.recv(_LARGEST)
                # Whoever forked it has ended first, and nobody knows how this one did.
                self.returncode = int(said) if said else -signal.SIGKILL
                self._status.close()
                os.close(self._descriptor)
            return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                self.poll()

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)


def _serve(control: socket.socket) -> dict[str, object] | None:
    """Forks for each order. Returns the order in a child, and None in the parent, at its end."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    _ended(key.fd, *running.pop(key.fd))
                    continue
                message, given, _, _ = socket.recv_fds(control, _LARGEST, 4)
                if not message:
                    return None
                pid = os.fork()
                if not pid:
                    for each in (0, 1, 2):
                        os.dup2(given[each], each)
                    for descriptor, (_, status) in running.items():
                        os.close(descriptor)
                        status.close()
                    for each in (*given, control.detach()):
                        os.close(each)
                    order: dict[str, object] = json.loads(message)
                    return order
                descriptor = os.pidfd_open(pid)
                status = socket.socket(fileno=given[3])
                for each in given[:3]:
                    os.close(each)
                socket.send_fds(status, [str(pid).encode()], [descriptor])
                running[descriptor] = (pid, status)
                selector.register(descriptor, selectors.EVENT_READ)


def _ended(descriptor: int, pid: int, status: socket.socket) -> None:
    found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(descriptor)
    # Who started it may have ended by now.
    with status, contextlib.suppress(OSError):
        status.send(str(found).encode())


def main(arguments: list[str]) -> None:
    """Loads the modules, then forks until the other end of its socket is closed."""
    descriptor, *modules = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's interrupt is for the servers
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    order = _serve(socket.socket(fileno=int(descriptor)))
    if order is not None:
        _become(order)


def _become(order: Mapping[str, object]) -> NoReturn:
    """Runs the program and ends with it.

    What was loaded before the fork stays frozen and is not taken apart at the end: to look at all
    of it would cost each process more than most of them do, and a copy of the pages they share.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(str(order["cwd"]))
    os.environ.clear()
    env, words = order["env"], order["arguments"]
    assert isinstance(env, dict)
    assert isinstance(words, list)
    os.environ.update(env)
    tempfile.tempdir = None  # where that is, is in the environment
    time.tzset()
    program = str(order["program"])
    sys.argv = [program, *words]
    sys.modules.pop(f"{program}.__main__", None)  # it runs now, and what it loads is there
    status = _ran(program)
    with contextlib.suppress(OSError, ValueError):  # their reader may have ended
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _ran(program: str) -> int:
    """Its exit status, once its threads and what it registered for its end are done."""
    status: object = 0
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 - nothing is above it that could tell
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined] # as multiprocessing's forked children do
    atexit._run_exitfuncs()
    if status is None or isinstance(status, int):
        return status or 0
    sys.stderr.write(f"{status}\n")
    return 1


if __name__ == "__main__":
    main(sys.argv[1:])
