"""`landbridge attend`: cases that the own department's handler watches named, for one role."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landbridge.cli.connection import TokenFile, token_source
from landbridge.cli.formats import Page, write_json
from landbridge.cli.review import Folder
from landbridge.cli.terminal import say, tell

if TYPE_CHECKING:
    from landbridge.attending import Attendant, Concern

Form = Annotated[Page, typer.Option("--format", help="How it is written to standard output.")]


def list_(folder: Folder, token_file: TokenFile = None, format_: Form = Page.TABLE) -> None:
    """List the open cases that you are responsible for."""
    with _attendant(folder, token_file) as attendant:
        found = attendant.list()
    if format_ is Page.JSON:
        write_json([_document(each) for each in found])
        return
    for each in found:
        _tell(each)
    tell(f"{len(found)} cases." if len(found) != 1 else "One case.")


def follow(
    folder: Folder,
    after: Annotated[
        int, typer.Option("--after", min=0, metavar="N", help="Go on behind the case N.")
    ] = 0,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="S", help="Seconds after which following ends."),
    ] = None,
    token_file: TokenFile = None,
    format_: Form = Page.TABLE,
) -> None:
    """Print cases as they are named."""
    with _attendant(folder, token_file) as attendant:
        for each in attendant.follow(timeout, after=after):
            if format_ is Page.JSON:
                write_json(_document(each), indent=None)
            else:
                _tell(each)


def done(
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="The case's number.", show_default=False)
    ],
    folder: Folder,
    token_file: TokenFile = None,
) -> None:
    """Say that you have looked after a case."""
    with _attendant(folder, token_file) as attendant:
        attendant.done(number)
    tell(f"Case {number} is attended to.")


def _attendant(folder: Path, token_file: Path | None) -> Attendant:
    # gRPC's own words on standard error are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from landbridge.attending import attend

    return attend(folder, token=token_source(token_file))


def _tell(each: Concern) -> None:
    reasons = f" ({', '.join(each.reasons)})" if each.reasons else ""
    say(f"{each.number:>5}  {each.opened:%Y-%m-%d %H:%M}Z  {each.subject}  {each.code}{reasons}")


def _document(each: Concern) -> dict[str, Any]:
    return {
        "number": each.number,
        "handler": each.handler,
        "role": each.role,
        "subject": each.subject,
        "code": each.code,
        "reasons": list(each.reasons),
        "opened": each.opened.isoformat(),
    }
