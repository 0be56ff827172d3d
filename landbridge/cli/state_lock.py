"""A state folder is for one federation at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landbridge.cli.ending import OperatorError


@contextmanager
def alone(state: Path | None) -> Iterator[None]:
    """Keeps the folder for this process; OperatorError where another one has it.

    The system lets go of it when the process ends, however it ends. None is a temporary folder,
    which nobody else knows.
    """
    if state is None:
        yield
        return
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(state / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError(
                f"Another landbridge runs on the state folder {state}: stop it, or give this one "
                "another --state."
            ) from None
        yield
    finally:
        os.close(file)
