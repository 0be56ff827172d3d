"""A process that ends at its n-th operation on files, whatever language makes it.

`main` stands in for that of the process that keeps records handed in, whose files DuckDB and SQLite
write, with nothing of Python in between. It forks: the child runs the real `main` on the same pipes
and is traced by ptrace(2). Every write, sync, cut, rename, removal and creation in the collection's
folder is counted, of all threads; at the n-th the child is killed before the kernel does it, and of
a write half is done. Linux on x86-64 or arm64. What to do stands in `SETTINGS` in that folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from nodes.engines import collector, worker

SETTINGS: Final = "mortal.json"
"""`{"at": n}`."""
TOLD: Final = "mortal.told"
"""Which operation it ended at, once it did."""

_CALLS: Final = {
    "x86_64": {
        1: "write", 18: "pwrite", 20: "write", 296: "write", 74: "sync", 75: "sync", 77: "cut",
        285: "write", 257: "open", 82: "rename", 264: "rename", 316: "rename", 87: "remove",
        263: "remove",
    },
    "aarch64": {
        64: "write", 68: "pwrite", 66: "write", 70: "write", 82: "sync", 83: "sync", 46: "cut",
        47: "write", 56: "open", 38: "rename", 276: "rename", 35: "remove",
    },
}  # fmt: skip
"""Of linux/arch/*/syscall.tbl."""
_AT_PATH: Final = frozenset({257, 264, 316, 263, 56, 38, 276, 35})
"""Whose first argument is a folder's descriptor and the second a path."""
_TRACE_ME, _SYSCALL, _SET_OPTIONS, _CALL_INFO = 0, 24, 0x4200, 0x420E
_OPTIONS: Final = 0x1 | 0x2 | 0x4 | 0x8 | 0x100000  # good stops, forks, clones, and die with me
_WALL: Final = 0x40000000
_ENTRY: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]


def traceable() -> bool:
    """Whether this machine lets one process look at another's calls, and we know its numbers."""
    if platform.machine() not in _CALLS:
        return False
    child = os.fork()
    if not child:
        os._exit(0 if _libc.ptrace(_TRACE_ME, 0, 0, None) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    """As the collector's, until the n-th operation."""
    setup = worker.receive(0)
    worker.die_with(setup["parent"])
    folder = Path(setup["path"]).parent
    at = json.loads((folder / SETTINGS).read_text())["at"]
    child = os.fork()
    if child:
        _Traced(child, folder, at).follow()
        os._exit(0)
    _libc.ptrace(_TRACE_ME, 0, 0, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    receive, first = worker.receive, [setup]

    def received(descriptor: int) -> Any:
        return first.pop() if first else receive(descriptor)

    worker.receive = received
    worker.die_with = lambda parent: None  # noqa: ARG005 - it dies with whoever traces it
    collector.main()
    os._exit(0)


class _Traced:
    """The child, from its first stop to its end."""

    def __init__(self, child: int, folder: Path, at: int) -> None:
        self._child, self._folder, self._at = child, folder, at
        self._calls = _CALLS[platform.machine()]
        self._count = 0

    def follow(self) -> None:
        """Returns when it has ended, by itself or at the n-th operation."""
        os.waitpid(self._child, 0)
        _libc.ptrace(_SET_OPTIONS, self._child, 0, _OPTIONS)
        _libc.ptrace(_SYSCALL, self._child, 0, None)
        while True:
            thread, status = os.waitpid(-1, _WALL)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                if thread == self._child:
                    return
                continue
            stop = os.WSTOPSIG(status)
            passed = 0 if stop in (signal.SIGTRAP | 0x80, signal.SIGTRAP, signal.SIGSTOP) else stop
            if stop == signal.SIGTRAP | 0x80 and self._reached(thread):
                os.kill(self._child, signal.SIGKILL)
                continue
            _libc.ptrace(_SYSCALL, thread, 0, passed or None)

    def _reached(self, thread: int) -> bool:
        """Whether this stop is before the n-th operation."""
        info = ctypes.create_string_buffer(88)
        if _libc.ptrace(_CALL_INFO, thread, 88, ctypes.addressof(info)) <= 0:
            return False
        if info.raw[0] != _ENTRY:
            return False
        number, *given = struct.unpack_from("<7Q", info.raw, 24)
        kind = self._calls.get(number)
        if kind is None or not any(self._ours(each) for each in self._paths(number, kind, given)):
            return False
        if kind == "open" and not given[2] & (os.O_CREAT | os.O_TRUNC):
            return False
        self._count += 1
        if self._count != self._at:
            return False
        if kind in ("write", "pwrite") and number in (1, 18, 64, 68):
            self._half(given, at=given[3] if kind == "pwrite" else None)
        name = next(self._paths(number, kind, given)).name
        (self._folder / TOLD).write_text(f"{self._count} {kind} {name}")
        return True

    def _paths(self, number: int, kind: str, given: list[int]) -> Iterator[Path]:
        if kind in ("write", "pwrite", "sync", "cut"):
            yield Path(os.readlink(f"/proc/{self._child}/fd/{given[0]}"))  # noqa: PTH115
        else:
            yield Path(os.fsdecode(self._text(given[1 if number in _AT_PATH else 0])))

    def _ours(self, path: Path) -> bool:
        return path.is_relative_to(self._folder)

    def _text(self, at: int) -> bytes:
        return self._memory(at, 4096).partition(b"\0")[0]

    def _memory(self, at: int, size: int) -> bytes:
        with open(f"/proc/{self._child}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            memory.seek(at)
            return memory.read(size)

    def _half(self, given: list[int], at: int | None) -> None:
        """Does half of a write in the child's place."""
        descriptor, buffer, size = given[:3]
        content = self._memory(buffer, size)[: size // 2]
        where = f"/proc/{self._child}/fd/{descriptor}"
        about = Path(f"/proc/{self._child}/fdinfo/{descriptor}").read_text()
        added = int(about.split("flags:")[1].split()[0], 8) & os.O_APPEND
        file = os.open(where, os.O_WRONLY | added)  # of such a file no place is heeded
        os.pwrite(file, content, int(about.split("pos:")[1].split()[0]) if at is None else at)
        os.close(file)
