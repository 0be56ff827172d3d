"""Running the command line: in this process, or as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "from landbridge.cli.app import main; main()")
TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]
"""Takes the words of a command line."""


def environment(**variables: str) -> dict[str, str]:
    """This process's, without what somebody who runs the tests has set for themselves."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("LANDBRIDGE_")}
    return {**ours, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **variables}


def run_apart(*words: str, **variables: str) -> Ended:
    """The command in a process of its own."""
    found = subprocess.run(
        [*PROGRAM, *words],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=120,
        check=False,
    )
    return Ended(found.returncode, found.stdout, found.stderr)
