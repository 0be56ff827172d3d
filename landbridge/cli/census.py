"""`landbridge contribute` and `collect`: a value in two shares, and everybody's total."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import receipt_file
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Format
from landbridge.cli.query import Epsilon, write
from landbridge.cli.receipt_file import ReceiptFile
from landbridge.cli.terminal import say
from landbridge.errors import LandbridgeError

Contract = Annotated[
    str, typer.Argument(metavar="CONTRACT", help="The contract's id.", show_default=False)
]
Column = Annotated[
    str, typer.Argument(metavar="COLUMN", help="A column that it measures.", show_default=False)
]


def contribute(
    contract: Contract,
    column: Column,
    purpose: Purpose,
    queue: Annotated[
        Path | None,
        typer.Option(
            "--queue",
            metavar="FILE",
            help="Keep the sealed shares there until both departments have them; what waits goes "
            "too, also without a value.",
            show_default=False,
        ),
    ] = None,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Hand in a value that nobody reads: one share of it for each of two departments.

    The value is one line of standard input (text, a whole number, true or false), never a word of
    the command line, which others can list.
    """
    value = _line()
    values = [value] if value or queue is None else []
    with connected(address, ca, token_file) as client:
        found = client.contribute_text(contract, column, *values, purpose=purpose, queue=queue)
    if found.waiting:
        say(f"{found.waiting:,} wait in the queue; run it again to send them.")
    found.require_all()
    if found.accepted:
        say("Both departments hold their share.")


def _line() -> str:
    if sys.stdin.isatty():
        return getpass("Your value: ").strip()
    return sys.stdin.readline().strip()


def collect(
    contract: Contract,
    column: Column,
    purpose: Purpose,
    epsilon: Epsilon = None,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=86400, metavar="S", help="Seconds to wait at most."),
    ] = 60.0,
    format_: Annotated[
        Format, typer.Option("--format", help="How the answer is written to standard output.")
    ] = Format.TABLE,
    receipt: ReceiptFile = None,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """The total of a measured column, of every report that no earlier batch has."""
    receipt_file.require_place(receipt)
    with connected(address, ca, token_file) as client:
        try:
            answer = client.collect(
                contract, column, purpose=purpose, epsilon=epsilon, timeout=timeout
            )
        except LandbridgeError as refusal:
            receipt_file.keep_refused(receipt, refusal)
            raise
    write(answer, format_)
    receipt_file.keep(receipt, answer.receipt)
