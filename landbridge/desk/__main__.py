"""`python -m landbridge.desk serve desk.toml`, which `landbridge review serve` starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from landbridge.desk import settings
from landbridge.desk.app import start
from landbridge.edge.process import report, run, tell
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.identity.followed import SourceError


def main(arguments: list[str]) -> int:
    """Serves until it is told to stop; 2 where the operator has to mend something."""
    with_parent = "--with-parent" in arguments
    rest = [each for each in arguments if each != "--with-parent"]
    if len(rest) != 2 or rest[0] != "serve":
        tell("It is: python -m landbridge.desk serve desk.toml")
        return 2
    return serve(Path(rest[1]), with_parent=with_parent)


def serve(path: Path, *, with_parent: bool) -> int:
    """Serves the desk of that file."""
    return run(
        lambda: start(settings.read(path, os.environ), report, tell),
        (EvidenceError, SettingsInvalid, SourceError, ValueError, OSError),
        with_parent=with_parent,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
