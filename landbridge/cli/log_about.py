"""`landbridge log about` and `forget-key`: one person's entries, found, or never again."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.formats import Page, write_json
from landbridge.cli.log_reading import Archive
from landbridge.cli.log_selection import chosen, subject_keys
from landbridge.cli.terminal import page, plain, say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from landbridge.evidence.about import Access


def about(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="The person's identifier, as handlers take it.")
    ],
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Published log folders.")],
    key: Annotated[
        list[Path],
        typer.Option(
            "--key",
            metavar="FILE",
            help="A log's subject key, or the folder of its months' keys; several may be given.",
        ),
    ],
    log_key: Annotated[
        list[str] | None,
        typer.Option("--log-key", metavar="VKEY_OR_FILE", help="A log's verifier key."),
    ] = None,
    format_: Annotated[Page, typer.Option("--format")] = Page.TABLE,
    archive: Archive = None,
) -> None:
    """List who asked about a person, when, why, and for what kind of answer.

    Never the answer, and never a person who asked. What a purpose's disclosure delay still covers
    is left out. Months whose key was destroyed cannot be found.
    """
    from landbridge.evidence.about import accesses, digests_of
    from landbridge.evidence.entry import instant
    from landbridge.evidence.selection import Selection

    digests = digests_of(subject, subject_keys(key))
    selection = Selection(subjects=digests)
    _, found = chosen(logs, selection, log_key or (), archive or ())
    listed = list(accesses(found, digests, instant(datetime.now(UTC))))
    if format_ is Page.JSON:
        write_json([dataclasses.asdict(access) for access in listed])
    else:
        page().print(_table(listed))
        for place in key:
            for month in sorted(place.glob("*.forgotten")) if place.is_dir() else ():
                tell(f"The key of {month.stem} was destroyed: its entries cannot be found.")


def forget_key(
    state: Annotated[
        Path, typer.Argument(metavar="STATE", help="A server's state folder.", show_default=False)
    ],
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="A month that is over.")],
) -> None:
    """Destroy a month's subject key: its entries stay, and nobody can say whose they are.

    The log's tree and its receipts are untouched. Backups of the key are yours to destroy too.
    """
    from landbridge.evidence.subject_keys import SubjectKeys

    folder = state / "subjects"
    if not folder.is_dir():
        raise OperatorError(f"{state} holds no folder subjects.")
    SubjectKeys(folder).forget(month, time.time())
    say(f"the subject key of {month} is destroyed")


def _table(listed: Sequence[Access]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("time (UTC)", "log", "organisation", "purpose", "what", "outcome"):
        shown.add_column(name, overflow="fold")
    for access in listed:
        moment = access.time[:19].replace("T", " ")
        what = f"{access.kind} {access.what}".strip()
        where = access.log.rpartition("/")[2]
        cells = (moment, where, access.organisation, access.purpose, what, access.outcome)
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown
