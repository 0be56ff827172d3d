"""Disks for tests: one that counts, fails and waits on demand, one that forgets like a crash."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from landbridge.evidence.disk import Disk


class FaultyDisk(Disk):
    """Counts the syncs per path and asks `fault` before every operation.

    `fault(operation, path)` may raise, or return a number of bytes after which a write stops with
    a full disk; `hold`, once set to an event, keeps the published checkpoint back until it is set.
    """

    def __init__(self) -> None:
        self.syncs: Counter[str] = Counter()
        self.fault: Callable[[str, Path], int | None] = lambda _operation, _path: None
        self.hold: threading.Event | None = None
        self._paths: dict[int, Path] = {}

    def create(self, path: Path) -> int:
        self.fault("create", path)
        file = super().create(path)
        self._paths[file] = path
        return file

    def write(self, file: int, content: bytes) -> None:
        path = self._paths[file]
        most = self.fault("write", path)
        if most is not None:
            super().write(file, content[:most])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        super().write(file, content)

    def cut(self, file: int, length: int) -> None:
        self.fault("cut", self._paths[file])
        super().cut(file, length)

    def sync(self, file: int) -> None:
        path = self._paths[file]
        self.syncs[path.parent.name] += 1
        self.fault("sync", path)

    def sync_folder(self, folder: Path) -> None:
        self.fault("sync_folder", folder)

    def rename(self, source: Path, target: Path) -> None:
        if self.hold is not None and target.name == "checkpoint":
            self.hold.wait()
        self.fault("rename", target)
        super().rename(source, target)


@dataclass
class _Inode:
    data: bytes = b""
    synced: bytes = b""


@dataclass
class CrashDisk(Disk):
    """Remembers every operation under `root`, and can say what a crash after any may leave.

    With `room`, a write to the journal stops with a full disk after so many bytes.
    """

    root: Path
    room: int | None = None
    events: list[tuple[str, Path, Path | bytes | None]] = field(default_factory=list)
    _paths: dict[int, Path] = field(default_factory=dict)

    def create(self, path: Path) -> int:
        file = super().create(path)
        self._paths[file] = path
        self.events.append(("create", path, None))
        return file

    def write(self, file: int, content: bytes) -> None:
        path = self._paths[file]
        room = self.room if path.parent.name == "journal" else None
        super().write(file, content[:room])
        self.events.append(("write", path, bytes(content[:room])))
        if room is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def cut(self, file: int, length: int) -> None:
        super().cut(file, length)
        self.events.append(("cut", self._paths[file], str(length).encode()))

    def sync(self, file: int) -> None:
        self.events.append(("sync", self._paths[file], None))

    def sync_folder(self, folder: Path) -> None:
        self.events.append(("sync_folder", folder, None))

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        for file, path in self._paths.items():
            if path == source:
                self._paths[file] = target
        self.events.append(("rename", source, target))

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.events.append(("remove", path, None))

    def after(self, count: int, *, names: bool, data: bool) -> dict[Path, bytes]:
        """The files, by path under `root`, that a crash after `count` events leaves.

        `names` and `data` say whether names, and file contents, that were not synced survive.
        """
        volatile: dict[Path, _Inode] = {}
        durable: dict[Path, _Inode] = {}
        for operation, path, more in self.events[:count]:
            if operation == "create":
                volatile[path] = _Inode()
            elif operation == "write":
                assert isinstance(more, bytes)
                volatile[path].data += more
            elif operation == "cut":
                assert isinstance(more, bytes)
                volatile[path].data = volatile[path].data[: int(more)]
            elif operation == "sync":
                volatile[path].synced = volatile[path].data
            elif operation == "rename":
                assert isinstance(more, Path)
                volatile[more] = volatile.pop(path)
            elif operation == "remove":
                volatile.pop(path, None)
            elif operation == "sync_folder":
                for known in [known for known in durable if known.parent == path]:
                    del durable[known]
                durable |= {known: node for known, node in volatile.items() if known.parent == path}
        return {
            path.relative_to(self.root): node.data if data else node.synced
            for path, node in (volatile if names else durable).items()
        }
