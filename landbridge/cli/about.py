"""`landbridge about`: who looked at one person's data, asked of every log through the gateway."""

from __future__ import annotations

import dataclasses
import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli import receipt_file
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.ending import OperatorError
from landbridge.cli.formats import Page, receipt_document, write_json
from landbridge.cli.receipt_file import ReceiptFile
from landbridge.cli.terminal import page, plain, tell
from landbridge.errors import LandbridgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from landbridge.access_list import Access, AccessList

LONGEST = 1_000
"""Replies that one command puts together."""


def about(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="The person's identifier, as handlers take it; - reads it from standard input, "
            "where others on this machine cannot list it.",
            show_default=False,
        ),
    ],
    purpose: Purpose,
    format_: Annotated[
        Page, typer.Option("--format", help="How the list is written to standard output.")
    ] = Page.TABLE,
    receipt: ReceiptFile = None,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List who asked about a person, when, why, and for what kind of answer.

    For a citizens' portal that the gateway's and the departments' policies permit. Never the
    answer, and never a person who asked. What a disclosure delay still covers is left out. The
    look-up itself stands in every log.
    """
    if subject == "-":
        subject = sys.stdin.readline().removesuffix("\n")
    if not subject:
        raise OperatorError("No subject is given.")
    receipt_file.require_place(receipt)
    with connected(address, ca, token_file) as client:
        try:
            pages = [client.about(subject, purpose=purpose)]
            while pages[-1].older:
                if len(pages) == LONGEST:
                    raise OperatorError("There are too many accesses for one list.")
                pages.append(client.about(subject, purpose=purpose, before=pages[-1].older))
        except LandbridgeError as refusal:
            receipt_file.keep_refused(receipt, refusal)
            raise
    accesses = sorted(
        chain.from_iterable(each.accesses for each in pages),
        key=lambda access: access.time,
        reverse=True,
    )
    missing = {name: reason for each in pages for name, reason in each.missing.items()}
    first = pages[0]
    if format_ is Page.JSON:
        write_json(
            {
                "accesses": [dataclasses.asdict(access) for access in accesses],
                "missing": missing,
                "archived": dict(first.archived),
                "forgotten": {name: list(months) for name, months in first.forgotten.items()},
                "receipt": receipt_document(first.receipt),
            }
        )
    else:
        page().print(_table(accesses))
        _say_what_is_missing(missing, first)
    receipt_file.keep(receipt, first.receipt)


def _say_what_is_missing(missing: dict[str, str], found: AccessList) -> None:
    for name, reason in missing.items():
        tell(f"The log of {name} is not in this list: {reason}.")
    for name, count in found.archived.items():
        tell(f"The {count} oldest entries of {name or 'the gateway'} are archived: not looked at.")
    for name, months in found.forgotten.items():
        tell(
            f"The keys of {', '.join(months)} of {name or 'the gateway'} were destroyed: their "
            "entries cannot be found."
        )


def _table(accesses: Sequence[Access]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("time (UTC)", "log", "organisation", "purpose", "what", "outcome"):
        shown.add_column(name, overflow="fold")
    for access in accesses:
        cells = (
            access.time[:19].replace("T", " "),
            access.department or "gateway",
            access.organisation,
            access.purpose,
            f"{access.kind} {access.what}".strip(),
            access.outcome,
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown
