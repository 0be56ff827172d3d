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


Department = Annotated[
    str, typer.Argument(metavar="DEPARTMENT", help="Its name.", show_default=False)
]


def gateway_invite(
    config: Settings,
    department: Department,
    address: Annotated[
        str, typer.Option(help="Where the department reaches the gateway; else as it listens.")
    ] = "",
) -> None:
    """Print a join code for a department: good once, for fifteen minutes."""
    _become("gateway", "invite", str(config), department, "--address", address)


def gateway_members(config: Settings) -> None:
    """List members and those who wait, one JSON line each, with their fingerprints."""
    _become("gateway", "members", str(config))


def gateway_approve(
    config: Settings,
    department: Department,
    fingerprint: Annotated[
        str, typer.Option(help="What `landbridge node join` shows.", show_default=False)
    ],
) -> None:
    """Let a department in that waits: certify it and put it into the manifest."""
    _become("gateway", "approve", str(config), department, "--fingerprint", fingerprint)


def gateway_reject(config: Settings, department: Department) -> None:
    """Refuse a department that waits."""
    _become("gateway", "reject", str(config), department)


def gateway_revoke(config: Settings, department: Department) -> None:
    """Take a member out; a running gateway and the other departments follow in seconds."""
    _become("gateway", "revoke", str(config), department)


def gateway_grant(
    config: Settings,
    department: Department,
    contract: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A contract; may be repeated.")
    ] = None,
    handler: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A handler; may be repeated.")
    ] = None,
) -> None:
    """Ask a member for further contracts or handlers, which it began to serve after it joined."""
    named = [part for each in contract or () for part in ("--contract", each)]
    named += [part for each in handler or () for part in ("--handler", each)]
    _become("gateway", "grant", str(config), department, *named)


def node_join(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="From the gateway's operator; - reads it from standard input.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where node.toml is, as `init node` writes it.", show_default=False
        ),
    ],
    address: Annotated[
        str, typer.Option(help="Where the gateway reaches this node; else as it listens.")
    ] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="The fingerprint was compared.")] = False,
) -> None:
    """Become a member: make keys, apply with a join code, and wait for the operator's yes.

    Shows the gateway's fingerprint and asks before anything is sent.
    """
    _become("nodes", "join", code, str(folder), "--address", address, *(["--yes"] if yes else []))


def node_accept(
    config: Settings,
    version: Annotated[int, typer.Option(help="The version to accept; else only shown.")] = 0,
) -> None:
    """Show a manifest that waits for this department's yes, and accept it."""
    _become("nodes", "accept", str(config), "--version", str(version))


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
        str,
        typer.Argument(
            metavar="SOURCE",
            help="CSV, Parquet or DuckDB; a table, where an engine has it.",
            show_default=False,
        ),
    ],
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="DAY",
            help="The day that the data are of, as in 2026-10-31; every answer says it.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Load a file or an engine's table as the table of a contract.

    Every row is checked against the contract first. Prints one JSON line with counts; a source that
    breaks the contract loads nothing, and every violation is named.
    """
    _become("nodes", "load", str(config), contract, file, *(["--as-of", as_of] if as_of else ()))


def doctor(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="gateway.toml, node.toml, or their folder.", show_default=False
        ),
    ],
    gateway: Annotated[
        str,
        typer.Option(help="A node's gateway, host:port; else where the department joined."),
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only what is not well.")] = False,
) -> None:
    """Say what is wrong with a gateway or a node, and what to do.

    Looks at settings, certificates, file modes, disk, token keys, policy, data, members, clocks,
    the port and the log; changes nothing. Exits with status 2 where there is a problem.
    """
    found = next((place / f for f in ("gateway.toml", "node.toml") if (place / f).is_file()), place)
    options = [*(["--json"] if as_json else []), *(["--quiet"] if quiet else [])]
    if found.name == "gateway.toml" or (found.is_file() and not _is_nodes(found)):
        _become("gateway", "doctor", str(found), *options)
    _become("nodes", "doctor", str(found), "--gateway", gateway, *options)


def _is_nodes(config: Path) -> bool:
    return any(
        line.lstrip().startswith("department") for line in config.read_text("utf-8").splitlines()
    )


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


def procedure_check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A federation's folder.", show_default=False)
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show the flow of every procedure, and what no department's policy lets flow.

    Exit status 1 where a procedure would not be loaded.
    """
    _become("gateway", "procedure-check", str(folder), *(["--json"] if as_json else []))


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
