"""`landbridge gateway`, `node` and `policy`: the servers' own programs, run in this one's place."""

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


Folder = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="A department's folder, or a federation's.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def policy_check(folder: Folder, *, as_json: AsJson = False) -> None:
    """Validate contracts and access policies, and show what they let out.

    Who can ask what kind of answer, from which columns, for which purpose, within which budget, and
    by which policies. Works without a running node.
    """
    _become("nodes", "policy-check", str(folder), *(["--json"] if as_json else []))


def policy_diff(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="The policy that is in force.", show_default=False)
    ],
    new: Annotated[
        Path, typer.Argument(metavar="NEW", help="The policy that is proposed.", show_default=False)
    ],
    *,
    as_json: AsJson = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 where more is let out.")
    ] = False,
) -> None:
    """Show what a change of a policy newly lets out, and what no more."""
    options = [*(["--json"] if as_json else []), *(["--strict"] if strict else [])]
    _become("nodes", "policy-diff", str(old), str(new), *options)


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
