"""One worker process, seen from the parent: started, asked, killed; it can never hang its asker."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nodes

_ROOT = Path(nodes.__file__).resolve().parent.parent

# The tree comes first on the path, so that worker and parent are of one tree even where another
# is installed.
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
    "import_module(sys.argv[2]).main()"
)

BLOCK, WORD = 16, 8
"""Bytes of a key and of a number in `ask_columns`."""
MAXIMUM_NUMBERS = 100_000

_LARGEST_FRAME = 64 << 20  # bytes; a question's cells take a few hundred kilobytes at most


class WorkerLost(Exception):
    """The worker ended, or said something that is no reply."""


class WorkerLate(Exception):
    """The worker did not reply in time."""


def encode(frame: Mapping[str, Any]) -> bytes:
    """The frame as it crosses the pipe: four bytes of length, big-endian, then JSON."""
    body = json.dumps(frame, separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


class WorkerProcess:
    """A worker behind two pipes. One thread uses it at a time; `kill` may come from any.

    `program` is the module whose `main` it runs.
    """

    def __init__(self, program: str) -> None:
        # A new program, never a fork of this one: threads and their locks do not survive a fork.
        # `-I` keeps PYTHON* variables, the user's site and the working folder out of it.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, str(_ROOT), program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The engine's dying words can quote data.
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            # One arena: every further one would reserve 64 MB of the address space that is capped.
            env={
                "LC_ALL": "C.UTF-8",
                "TZ": "UTC",
                "MALLOC_ARENA_MAX": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            # A terminal's interrupt is for the server, which ends its workers itself.
            start_new_session=True,
        )
        assert self._process.stdin is not None  # PIPE was asked for
        assert self._process.stdout is not None
        self._in = self._process.stdin
        self._out = self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        os.set_blocking(self._out.fileno(), False)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once the process has ended."""
        return self._process.poll() is None

    def ask(self, frame: bytes, deadline: float) -> dict[str, Any]:
        """The reply to an encoded frame; raises WorkerLost, or WorkerLate at `deadline`.

        `deadline` is on `time.monotonic`'s scale. After either exception only `kill` makes sense.
        """
        self._write(frame, deadline)
        size = int.from_bytes(self._read(4, deadline), "big")
        if size > _LARGEST_FRAME:
            raise WorkerLost
        body = self._read(size, deadline)
        try:
            reply = json.loads(body)
        except (ValueError, RecursionError):
            reply = None  # raised below: the decoder's exception holds the whole text
        if not isinstance(reply, dict):
            raise WorkerLost
        return reply

    def ask_columns(self, frame: bytes, deadline: float, maximum_rows: int) -> list[bytes]:
        """The columns that answer an encoded frame; raises as `ask` does."""
        reply = self.ask(frame, deadline)
        rows, numbers = reply.get("columns"), reply.get("numbers")
        if type(rows) is not int or type(numbers) is not int:
            raise WorkerLost
        if not (0 <= rows <= maximum_rows and 0 <= numbers <= MAXIMUM_NUMBERS):
            raise WorkerLost
        sizes = [rows * BLOCK, *([rows * WORD] * numbers)]
        return [self._read(size, deadline) for size in sizes]

    def kill(self) -> None:
        """Ends the process now, whatever it is doing."""
        self._process.kill()

    def reap(self) -> None:
        """Waits for the killed process to be gone and closes the pipes."""
        self._process.wait()
        self._in.close()
        self._out.close()

    def _write(self, frame: bytes, deadline: float) -> None:
        rest = memoryview(frame)
        while rest:
            self._wait(self._in.fileno(), select.POLLOUT, deadline)
            try:
                written = os.write(self._in.fileno(), rest)
            except BrokenPipeError:
                written = 0
            if not written:
                raise WorkerLost
            rest = rest[written:]

    def _read(self, size: int, deadline: float) -> bytes:
        parts = []
        while size:
            self._wait(self._out.fileno(), select.POLLIN, deadline)
            part = os.read(self._out.fileno(), min(size, 1 << 20))
            if not part:
                raise WorkerLost
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    @staticmethod
    def _wait(descriptor: int, event: int, deadline: float) -> None:
        # poll, not select: a busy server's descriptors exceed select's 1,024.
        poll = select.poll()
        poll.register(descriptor, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise WorkerLate
