"""A PostgreSQL server for tests, of the machine's own packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@dataclass(frozen=True)
class Server:
    """A server that runs, on a socket in `folder`; `pid` is its first process."""

    folder: Path
    pid: int

    def conninfo(self, user: str = "test", database: str = "postgres") -> str:
        """For libpq."""
        return f"host={self.folder} user={user} dbname={database}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server of our own; skips the test where the machine has no server's programs."""
    programs = _programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server on this machine")
    # Not below pytest's folders: those are closed to the user that the server runs as.
    with TemporaryDirectory(prefix="landbridge-pg-", ignore_cleanup_errors=True) as folder:
        yield from _serving(programs, Path(folder))


def _serving(programs: Path, folder: Path) -> Iterator[Server]:
    # The server does not run as root.
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    prefix = as_user if os.getuid() == 0 else []
    if prefix:
        shutil.chown(folder, 65534, 65534)
    data = folder / "data"
    quiet = {"check": True, "capture_output": True, "cwd": folder, "timeout": 60}
    subprocess.run(  # type: ignore[call-overload]
        [*prefix, programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8",
         "--no-sync"],
        **quiet,
    )  # fmt: skip
    options = (
        f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=20 "
        "-c fsync=off"
    )
    control = [*prefix, programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w"]
    subprocess.run([*control, "start", "-o", options], **quiet)  # type: ignore[call-overload]
    try:
        yield Server(folder, int((data / "postmaster.pid").read_text().split()[0]))
    finally:
        subprocess.run([*control, "stop", "-m", "immediate"], **quiet)  # type: ignore[call-overload]


def _programs() -> Path | None:
    found = [Path("/usr/local/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return next((each for each in reversed(found) if (each / "initdb").exists()), None)
