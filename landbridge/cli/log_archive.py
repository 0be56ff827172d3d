"""`landbridge log archive`: the old part of a log to cold storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.log_reading import fields, verified
from landbridge.cli.log_selection import moment
from landbridge.cli.terminal import say

if TYPE_CHECKING:
    from landbridge.evidence import Verification


def archive(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A published log folder.")],
    to: Annotated[
        Path, typer.Argument(metavar="TO_DIR", help="Where to; the same folder every time.")
    ],
    before: Annotated[
        str | None, typer.Option("--before", metavar="DATE", help="Entries before it; UTC.")
    ] = None,
    entries: Annotated[
        int | None, typer.Option("--entries", min=1, metavar="N", help="The first N entries.")
    ] = None,
) -> None:
    """Move the entries of full bundles (256 each) away; their hashes stay.

    The log is verified first. The server may run meanwhile, and starts without the archive;
    verify, search and show take it with --archive. The last start stays, since the next one is
    compared with it.
    """
    from landbridge.edge.life import last_start_index
    from landbridge.evidence.archive import archive as move
    from landbridge.evidence.disk import Disk

    if (before is None) == (entries is None):
        raise OperatorError("Give one of --before and --entries.")
    found = verified(log, None, archives=[to])
    wanted = entries if entries is not None else _before(found, moment(before, "--before"))
    start = last_start_index(log, found.size)
    moved = move(log, to, min(wanted, found.size if start is None else start), Disk())
    say(f"{moved} of {found.size} entries are in {to}")


def _before(log: Verification, moment_: str) -> int:
    """Index of the first entry that is not before that moment."""
    for index, content in log.entries():
        if str(fields(content).get("time", "")) >= moment_:
            return index
    return log.size
