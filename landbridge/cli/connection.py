"""Where the gateway is and who asks: the options that every question shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError
from landbridge.errors import LandbridgeError

if TYPE_CHECKING:
    from landbridge.client import Client
    from landbridge.transport import TokenSource

TOKEN_VARIABLE = "LANDBRIDGE_TOKEN"  # noqa: S105 - the name of a variable, no token

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="LANDBRIDGE_ADDRESS",
        metavar="HOST:PORT",
        help="Where the gateway listens.",
        show_default=False,
    ),
]
Authority = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        envvar="LANDBRIDGE_CA",
        metavar="FILE",
        help="PEM of the authority that signs the gateway's certificate; without it, the public "
        "ones.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="LANDBRIDGE_TOKEN_FILE",
        metavar="FILE",
        help="File with the caller's bearer token. Without it the token is taken from the "
        "variable LANDBRIDGE_TOKEN; never from the command line, which others can list.",
    ),
]
Purpose = Annotated[
    str,
    typer.Option(
        "--purpose",
        metavar="PURPOSE",
        help="Why it is asked, for example dpv:ResearchAndDevelopment.",
    ),
]


def connected(address: str, ca: Path | None, token_file: Path | None) -> Client:
    """A client of that gateway; OperatorError for options that can never work."""
    if not address:
        raise OperatorError(
            "No gateway is named: give --address HOST:PORT or set LANDBRIDGE_ADDRESS."
        )
    token = token_source(token_file)
    # gRPC's own words on standard error are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from landbridge.client import connect

    try:
        return connect(address, token=token, ca=ca)
    except LandbridgeError as unusable:
        raise OperatorError(unusable.message) from None


def token_source(file: Path | None) -> TokenSource:
    """Where the caller's token is; raises OperatorError where it is nowhere."""
    if file is not None:
        try:
            file.read_bytes()
        except OSError as problem:
            raise OperatorError(
                f"The token file {file} cannot be read ({problem.strerror})."
            ) from None
        return file
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise OperatorError(
            f"No token is given: set {TOKEN_VARIABLE}, or name a file with --token-file or "
            "LANDBRIDGE_TOKEN_FILE."
        )
    return token
