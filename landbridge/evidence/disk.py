"""The file operations that durability rests on, in one place so that tests can make them fail."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landbridge.evidence.finding import EvidenceError

TEMPORARY = ".tmp"


_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


class NoRoom(OSError):
    """The disk is full, a quota is, or no more files can be opened.

    Nothing was lost by it, and it can be tried again.

    Never raised by a sync: what a failed sync lost, a second one may not tell.
    """


@contextmanager
def needing_room() -> Iterator[None]:
    """What a full disk or too many open files stop inside, and no sync is, leaves as NoRoom."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _PASSING:
            raise
        raise NoRoom(problem.errno, problem.strerror, problem.filename) from problem


class Disk:
    """Writes that survive a crash. Every method raises OSError as the system reports it."""

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file for writing; an existing one is an error."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, file: int, content: bytes) -> None:
        """Write all of it; the system may take it in pieces."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]

    def cut(self, file: int, length: int) -> None:
        """Let the file end after `length` bytes, and the next write begin there."""
        os.ftruncate(file, length)
        os.lseek(file, length, os.SEEK_SET)

    def sync(self, file: int) -> None:
        """Return when what was written is on the medium."""
        os.fsync(file)

    def sync_folder(self, folder: Path) -> None:
        """Return when the names in `folder` are on the medium.

        NoRoom when it cannot be opened for want of descriptors: nothing was synced, or lost.
        """
        with needing_room():
            file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(file)
        finally:
            os.close(file)

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`, whole or not at all."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Remove a folder of files."""
        for path in list(folder.iterdir()):
            self.remove(path)
        folder.rmdir()

    def make_folder(self, folder: Path) -> None:
        """Create `folder` and its missing parents, durably. NoRoom when the disk is full."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        with needing_room():
            folder.mkdir(exist_ok=True)
        self.sync_folder(folder.parent)

    def put(self, path: Path, content: bytes) -> None:
        """Write `path` by rename, so that it is never torn.

        The name itself is durable once the caller has synced the folder. NoRoom when the disk is
        full: `path` is then as it was.
        """
        temporary = path.with_name(path.name + TEMPORARY)
        self.remove(temporary)
        with needing_room():
            file = self.create(temporary)
        try:
            try:
                with needing_room():
                    self.write(file, content)
                self.sync(file)
            finally:
                os.close(file)
            with needing_room():
                self.rename(temporary, path)
        except NoRoom:
            with suppress(OSError):
                self.remove(temporary)
            raise

    def probe(self, folder: Path, size: int) -> None:
        """Return if `folder` has room for a file of `size` bytes; NoRoom if it has not."""
        temporary = folder / f"room{TEMPORARY}"
        self.remove(temporary)
        with needing_room():
            file = self.create(temporary)
        try:
            with needing_room():
                self.write(file, bytes(size))
        finally:
            os.close(file)
            self.remove(temporary)


def read_file(path: Path) -> bytes:
    """The whole file; EvidenceError says that it is missing or cannot be read.

    Whoever made the folder may be a stranger: what is no regular file is not read, since a FIFO in
    a tile's place would hold up its reader for ever, and a device has no end.
    """
    try:
        # Not blocking: opening a FIFO would wait for somebody to write.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as content:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise EvidenceError(str(path), "it is no file")
            return content.read()
    except FileNotFoundError:
        raise EvidenceError(str(path), "the file is missing") from None
    except OSError as problem:
        raise EvidenceError(str(path), f"it cannot be read: {problem.strerror}") from None
