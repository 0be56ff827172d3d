"""`landbridge gateway` and `landbridge node`: the servers, run in this command's place."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="Its TOML file.", show_default=False)
]


def gateway_serve(config: Settings) -> None:
    """Run a gateway until it is told to stop.

    Prints one JSON line with its port and its log's key when it listens.
    """
    _become("gateway", "serve", str(config))


def node_serve(config: Settings) -> None:
    """Run a department's node until it is told to stop.

    Prints one JSON line with its port and its log's key when it listens.
    """
    _become("nodes", "serve", str(config))


def node_load(
    config: Settings,
    contract: Annotated[
        str,
        typer.Argument(metavar="CONTRACT", help="Id of one of its contracts.", show_default=False),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or Parquet.", show_default=False)
    ],
) -> None:
    """Load a file as the table of a contract.

    Every row is checked against the contract first. Prints one JSON line with counts; a file that
    breaks the contract loads nothing, and every violation is named.
    """
    _become("nodes", "load", str(config), contract, str(file))


def _become(module: str, *arguments: str) -> None:
    """Replaces this process, so that signals and the exit status are the server's own."""
    from landbridge.federation.process import environment

    variables = environment()
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder named `nodes` where the operator stands must not be taken for the program.
    os.execve(  # noqa: S606 - no shell is meant
        sys.executable, [sys.executable, "-P", "-m", module, *arguments], variables
    )
