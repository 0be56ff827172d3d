"""Files that hold a secret: written once with mode 0600, read only while nobody else can."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from landbridge.evidence.finding import EvidenceError

_LONGEST = 4096
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
"""What file systems say that give a file one name only."""


def write_key(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600, durably; an existing file is never overwritten.

    It has its name only once it is whole: a start that was cut off leaves no key, and the next one
    makes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as out:
            # The process's umask can only take bits away from the mode; say it exactly.
            os.fchmod(out.fileno(), 0o600)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _name(temporary: Path, path: Path) -> None:
    """Gives the file its name, unless that is another's."""
    try:
        path.hardlink_to(temporary)
    except OSError as problem:
        if not path.exists():
            if problem.errno not in _NO_LINKS:
                raise
            temporary.rename(path)
            return
        raise EvidenceError(
            str(path), "a key is there already; move it away before another one is saved"
        ) from None


def read_key(path: Path) -> bytes:
    """The content of a key file; refused when it is missing or others can read or write it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        raise EvidenceError(str(path), f"the key cannot be read: {problem.strerror}") from None
    try:
        # Asked of the open file, so that nobody can swap it between the check and the reading.
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise EvidenceError(str(path), "a key must be an ordinary file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise EvidenceError(
                str(path), "others can read or change this key; allow its owner alone (chmod 600)"
            )
        return os.read(file, _LONGEST)
    finally:
        os.close(file)


def read_secret(path: Path) -> str:
    """The text of such a file, without white space around it; refused likewise."""
    try:
        return read_key(path).decode().strip()
    except UnicodeDecodeError:
        pass
    raise EvidenceError(str(path), "a secret is a text, and this is not UTF-8")
