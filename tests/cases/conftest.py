"""A PostgreSQL server for the tests of cases."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of our own, on a socket in a temporary folder."""
    programs = _programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server on this machine")
    # Not below pytest's folders: those are closed to the user that the server runs as.
    with TemporaryDirectory(prefix="landbridge-pg-", ignore_cleanup_errors=True) as folder:
        yield from _serving(programs, Path(folder))


def _serving(programs: Path, folder: Path) -> Iterator[str]:
    # The server does not run as root.
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    prefix = as_user if os.getuid() == 0 else []
    if prefix:
        shutil.chown(folder, 65534, 65534)
    data = folder / "data"
    quiet = {"check": True, "capture_output": True, "cwd": folder, "timeout": 60}
    subprocess.run(  # type: ignore[call-overload]
        [*prefix, programs / "initdb", "-D", data, "-U", "test", "-A", "trust", "--no-sync"],
        **quiet,
    )
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=20"
    control = [*prefix, programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w"]
    subprocess.run([*control, "start", "-o", options], **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql+psycopg://test@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "stop", "-m", "immediate"], **quiet)  # type: ignore[call-overload]


def _programs() -> Path | None:
    found = [Path("/usr/local/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"))]
    return next((each for each in reversed(found) if (each / "initdb").exists()), None)


@pytest.fixture
def emptied(postgres: str) -> str:
    """The address of a database with nothing in it."""
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres
