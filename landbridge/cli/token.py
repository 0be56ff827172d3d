"""`landbridge token`: bearer tokens for development."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.terminal import tell


def issue(
    state: Annotated[
        Path,
        typer.Argument(
            metavar="STATE",
            help="State folder of a federation that landbridge up or landbridge demo runs.",
            show_default=False,
        ),
    ],
    caller: Annotated[
        str,
        typer.Argument(
            metavar="CALLER", help="A name of gateway/callers.toml.", show_default=False
        ),
    ],
) -> None:
    """Print a DEVELOPMENT token for a caller, valid for an hour.

    For example: export LANDBRIDGE_TOKEN=$(landbridge token issue STATE CALLER)
    """
    from landbridge.federation.folder import read
    from landbridge.federation.ground import Ground
    from landbridge.identity.development import DevelopmentAuthority, DevelopmentIssuer

    federation = read(_federation(state))
    try:
        issuer = DevelopmentIssuer.load(state / "issuer")
        authority = DevelopmentAuthority.load(state / "authority")
    except (FileNotFoundError, ValueError) as problem:
        raise OperatorError(f"{state} holds no development issuer ({problem}).") from None
    token = Ground(federation, state, issuer, authority).token(caller)
    tell(f"DEVELOPMENT token of {caller}, valid for an hour.")
    typer.echo(token)


def _federation(state: Path) -> Path:
    """The folder that the state belongs to: its gateway's policy lies in there."""
    settings = state / "gateway" / "gateway.toml"
    try:
        access = tomllib.loads(settings.read_text(encoding="utf-8"))["access"]
        return Path(access).parents[1]
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise OperatorError(
            f"{state} is no state folder of a running federation: it has no usable "
            "gateway/gateway.toml."
        ) from None
