"""What a forked server suffers: a disk that fails at the n-th operation, is full or slow, a clock.

`suffer` is called in the server's own process before its `main`. It puts itself between the server
and the operations that durability rests on: those of Python (`os`, and files opened for writing),
and those of SQLite, whose methods for files are exchanged (https://sqlite.org/vfs.html). Only what
lies under `root` is touched and counted. Processes that the server starts are not reached: DuckDB's
workers read, and the one that keeps records handed in has tests of its own.

- `fail`: `{"at": n, "how": "EIO" | "ENOSPC" | "exit"}`. The n-th operation fails once; of a write
  half is done first. With "exit" the process ends there as by kill -9. SQLite says of all but a
  write that it failed, and not why, so that both errors are one there.
- `full`: a path; while there is a file, nothing under `root` can be written, made or renamed.
- `slow`: a file with the seconds that a sync takes longer, read at every sync.
- `short`: a file with the most bytes that a write of Python's takes at once, read at every write.
- `threads`: a file with the number of processes and threads that its user may have, 0 for the usual
  one, read at SIGUSR1. The system holds that limit against nobody who is root: a server of root's
  gives up what would lift it, and has another real user while there is one.
- `nudged`: true where SIGUSR2 does nothing but interrupt what the process waits for in the kernel.
- `clock`: a file with the seconds that this process's clock is ahead, read at every look at it.
- `told`: a file that says which operation failed, once it did.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import io
import os
import resource
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

KILLED: Final = 137
"""Exit status of a server that ended where it was told to."""

_CODES: Final = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
_IOERR, _FULL, _CANTOPEN = 10, 13, 14
_EXTENDED: Final = {"write": 3 << 8, "sync": 4 << 8, "cut": 6 << 8, "remove": 10 << 8, "open": 0}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_FIRST_USER: Final = 61_000
"""Of those whom nobody is."""
_CAPABILITIES: Final = 0x20080522
_LIFTING: Final = 1 << 21 | 1 << 24
"""CAP_SYS_ADMIN and CAP_SYS_RESOURCE, see fork(2) of RLIMIT_NPROC."""
_ROOMLESS: Final = frozenset({"sync", "remove", "cut"})
"""What a full disk lets be done."""


class _Points:
    """Counts the operations, and says which of them fails."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._root = f"{told['root']}/"
        self._fail: Mapping[str, Any] = told.get("fail") or {}
        self._full: str = told.get("full") or ""
        self._slow: str = told.get("slow") or ""
        self._short: str = told.get("short") or ""
        self._told: str = told.get("told") or ""
        self._lock = threading.Lock()
        self.count = 0
        self.exists = os.path.exists
        self.sleep = time.sleep

    def concerns(self, path: object) -> bool:
        """Whether it lies under the root."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        # Not resolved: that would ask the file system, which fails.
        return os.path.abspath(_text(path)).startswith(self._root)  # noqa: PTH100

    def reached(self, operation: str, path: object, half: Callable[[], object]) -> int:
        """0 where the operation may be done, or the number of its error; `half` is part of it."""
        if operation == "sync" and self._slow:
            self.sleep(_seconds(self._slow))
        if self._full and operation not in _ROOMLESS and self.exists(self._full):
            return errno.ENOSPC
        with self._lock:
            self.count += 1
            mine = self.count == self._fail.get("at")
            if mine:
                self._say(f"{operation} {Path(_text(path)).name}")
        if not mine:
            return 0
        half()
        if self._fail["how"] == "exit":
            os._exit(KILLED)
        return _CODES[self._fail["how"]]

    def piece(self, content: bytes) -> bytes:
        """As much of it as one write takes."""
        most = int(_seconds(self._short)) if self._short else 0
        return content[:most] if most else content

    def _say(self, what: str) -> None:
        if self._told:
            file = _open(self._told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            _write(file, f"{self.count} {what}\n".encode())
            _close(file)


_open, _write, _close = os.open, os.write, os.close


def _text(path: object) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)


def suffer(told: Mapping[str, Any]) -> None:
    """From now on, for the life of this process."""
    if told.get("nudged"):
        signal.signal(signal.SIGUSR2, lambda _number, _frame: None)
    if told.get("threads"):
        _bound_threads(told["threads"])
    if told.get("clock"):
        _move_clock(told["clock"])
    if told.get("root"):
        points = _Points(told)
        _between_python(points)
        _between_sqlite(points)


def _bound_threads(file: str) -> None:
    usual, hard = resource.getrlimit(resource.RLIMIT_NPROC)

    own = os.getuid()
    if own == 0:
        library = ctypes.CDLL(None, use_errno=True)
        head = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITIES, 0))
        held = ctypes.create_string_buffer(24)
        library.capget(head, held)
        sets = list(struct.unpack("<6I", held.raw[:24]))
        sets[:2] = [each & ~_LIFTING for each in sets[:2]]
        if library.capset(head, struct.pack("<6I", *sets)):  # of this thread and of all to come
            raise OSError(ctypes.get_errno(), "capset")

    def bound(_number: int, _frame: object) -> None:
        most = int(_seconds(file))
        if own == 0:
            os.setresuid(_FIRST_USER + os.getpid() % 4_000 if most else 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_NPROC, (most or usual, hard))

    signal.signal(signal.SIGUSR1, bound)


def _move_clock(file: str) -> None:
    now = time.time

    def moved() -> float:
        return now() + _seconds(file)

    # gRPC's core tells deadlines by the system's clock, which is the one that is moved elsewhere:
    # its Python has to agree with it here too.
    system = ModuleType("time")
    vars(system).update(vars(time))
    for name in ("grpc._server", "grpc._channel"):
        import_module(name)
    for name, module in list(sys.modules.items()):
        if name.startswith("grpc") and getattr(module, "time", None) is time:
            vars(module)["time"] = system
    time.time = moved


def _seconds(file: str) -> float:
    with suppress(OSError, ValueError):
        return float(Path(file).read_text("ascii"))
    return 0.0


def _between_python(points: _Points) -> None:
    """Exchanges the functions of `os`, and lets files opened for writing be written by them."""
    paths: dict[int, object] = {}

    def act(operation: str, path: object, do: Callable[[], Any], half: Callable[[], object]) -> Any:
        number = points.reached(operation, path, half)
        if number:
            raise OSError(number, os.strerror(number), _text(path))
        return do()

    def nothing() -> None:
        pass

    real = {name: getattr(os, name) for name in (
        "open", "write", "fsync", "fdatasync", "ftruncate", "close", "replace", "rename", "link",
        "unlink", "remove", "mkdir", "rmdir",
    )}  # fmt: skip

    def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & _WRITING or not points.concerns(path):
            file: int = real["open"](path, flags, mode, dir_fd=dir_fd)
            if points.concerns(path):
                paths[file] = path  # a folder, perhaps, that is synced
            return file
        file = act("open", path, lambda: real["open"](path, flags, mode, dir_fd=dir_fd), nothing)
        paths[file] = path
        return file

    def written(file: int, content: Any) -> int:
        if file not in paths:
            return int(real["write"](file, content))
        whole = bytes(content)
        return int(act(
            "write", paths[file], lambda: real["write"](file, points.piece(whole)),
            lambda: real["write"](file, whole[: len(whole) // 2]),
        ))  # fmt: skip

    def on_file(operation: str, name: str) -> Callable[..., Any]:
        def do(file: Any, *more: Any) -> Any:
            number = file if isinstance(file, int) else file.fileno()
            if number not in paths:
                return real[name](file, *more)
            return act(operation, paths[number], lambda: real[name](file, *more), nothing)

        return do

    def on_path(operation: str, name: str) -> Callable[..., Any]:
        def do(path: Any, *more: Any, **options: Any) -> Any:
            if not points.concerns(path):
                return real[name](path, *more, **options)
            return act(operation, path, lambda: real[name](path, *more, **options), nothing)

        return do

    def closed(fd: int) -> None:
        paths.pop(fd, None)
        real["close"](fd)

    os.open, os.write, os.close = opened, written, closed
    os.fsync, os.fdatasync = on_file("sync", "fsync"), on_file("sync", "fdatasync")
    os.ftruncate = on_file("cut", "ftruncate")
    os.replace, os.rename = on_path("rename", "replace"), on_path("rename", "rename")
    os.link, os.mkdir = on_path("rename", "link"), on_path("make", "mkdir")
    os.unlink, os.remove = on_path("remove", "unlink"), on_path("remove", "remove")
    os.rmdir = on_path("remove", "rmdir")
    plain, by_hand = io.open, import_module("_pyio").open

    def opened_file(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        ours = file in paths if isinstance(file, int) else points.concerns(file)
        if ours and set(mode) & set("wax+"):
            return by_hand(file, mode, *more, **options)  # the same in Python, by `os`
        return plain(file, mode, *more, **options)

    io.open = builtins.open = opened_file


_FILE, _TEXT, _INT, _LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_INT, ctypes.c_void_p, _TEXT, _FILE, _INT, ctypes.c_void_p)
_DELETE = ctypes.CFUNCTYPE(_INT, ctypes.c_void_p, _TEXT, _INT)
_WRITE = ctypes.CFUNCTYPE(_INT, _FILE, ctypes.c_void_p, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _FILE, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _FILE, _INT)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT), ("szOsFile", _INT), ("mxPathname", _INT),
        ("pNext", ctypes.c_void_p), ("zName", _TEXT), ("pAppData", ctypes.c_void_p),
        ("xOpen", _OPEN), ("xDelete", _DELETE),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", _INT), ("xClose", ctypes.c_void_p), ("xRead", ctypes.c_void_p),
        ("xWrite", _WRITE), ("xTruncate", _TRUNCATE), ("xSync", _SYNC),
        ("more", ctypes.c_void_p * 13),
    )  # fmt: skip


_kept: list[object] = []
"""What C points to must not be collected."""


def _between_sqlite(points: _Points) -> None:
    """Exchanges the default file system of the library that Python's `sqlite3` uses."""
    import _sqlite3

    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    opening = _OPEN(ctypes.cast(vfs.xOpen, ctypes.c_void_p).value or 0)
    deleting = _DELETE(ctypes.cast(vfs.xDelete, ctypes.c_void_p).value or 0)
    paths: dict[int, bytes] = {}
    exchanged: dict[int, _Methods] = {}

    def wrong(operation: str, path: bytes, half: Callable[[], object]) -> int:
        # As SQLite's own methods: of all but a write it says that it failed, and not why.
        number = points.reached(operation, path, half)
        if not number:
            return 0
        if operation == "open":
            return _CANTOPEN
        full = number == errno.ENOSPC and operation == "write"
        return _FULL if full else _IOERR | _EXTENDED[operation]

    def methods(of: int) -> _Methods:
        original = _Methods.from_address(of)
        ours = _Methods()
        ctypes.memmove(ctypes.addressof(ours), of, ctypes.sizeof(_Methods))
        # By address: what was read from the structure would change with it.
        write, cut, sync = (
            kind(ctypes.cast(method, ctypes.c_void_p).value or 0)
            for kind, method in (
                (_WRITE, original.xWrite), (_TRUNCATE, original.xTruncate), (_SYNC, original.xSync),
            )
        )  # fmt: skip

        def written(file: int, content: int, size: int, at: int) -> int:
            return wrong(
                "write", paths[file], lambda: write(file, content, size // 2, at)
            ) or write(file, content, size, at)

        def truncated(file: int, size: int) -> int:
            return wrong("cut", paths[file], int) or cut(file, size)

        def synced(file: int, flags: int) -> int:
            return wrong("sync", paths[file], int) or sync(file, flags)

        ours.xWrite, ours.xTruncate = _WRITE(written), _TRUNCATE(truncated)
        ours.xSync = _SYNC(synced)
        _kept.append((ours, original))
        return ours

    def opened(at: int, path: bytes | None, file: int, flags: int, out: int) -> int:
        ours = path is not None and points.concerns(path)
        if ours and (failed := wrong("open", path or b"", int)):
            ctypes.c_void_p.from_address(file).value = None  # nothing to close
            return failed
        done = opening(at, path, file, flags, out)
        table = ctypes.c_void_p.from_address(file)
        if done == 0 and ours and table.value:
            paths[file] = path or b""
            if table.value not in exchanged:
                exchanged[table.value] = methods(table.value)
            table.value = ctypes.addressof(exchanged[table.value])
        return int(done)

    def deleted(at: int, path: bytes, synced: int) -> int:
        failed = wrong("remove", path, int) if points.concerns(path) else 0
        return failed or int(deleting(at, path, synced))

    vfs.xOpen, vfs.xDelete = _OPEN(opened), _DELETE(deleted)
    _kept.append((vfs, opening, deleting, library))
