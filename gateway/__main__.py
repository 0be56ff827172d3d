"""The gateway as a process: `python -m gateway serve FILE`.

`landbridge gateway` is the same with help for people.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway import settings
from gateway.app import start
from landbridge.edge.process import report, run, tell
from landbridge.edge.server import CannotListen
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.identity.keys import KeySetError
from policies.access import PolicyInvalid

OPERATOR_ERRORS = (
    CannotListen,
    EvidenceError,
    KeySetError,
    OSError,
    PolicyInvalid,
    SettingsInvalid,
)


def main(arguments: list[str]) -> int:
    """Runs one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    serve = commands.add_parser("serve", help="serve until told to stop")
    serve.add_argument("settings", type=Path)
    serve.add_argument("--with-parent", action="store_true", help="stop when stdin closes")
    chosen = parser.parse_args(arguments)
    return run(
        lambda: start(settings.read(chosen.settings), report, tell),
        OPERATOR_ERRORS,
        with_parent=chosen.with_parent,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
