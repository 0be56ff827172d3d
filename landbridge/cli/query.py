"""`landbridge query`: one question, its computed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from landbridge.cli import receipt_file
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Format
from landbridge.cli.receipt_file import ReceiptFile
from landbridge.cli.refusal import about
from landbridge.errors import LandbridgeError

if TYPE_CHECKING:
    from landbridge.answers import Answer

Sql = Annotated[
    str, typer.Argument(metavar="SQL", help="One SELECT of aggregates.", show_default=False)
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        "--epsilon",
        metavar="E",
        help="Privacy parameter of the whole question; without it, the contract's own.",
    ),
]
MixedDates = Annotated[
    bool, typer.Option("--mixed-dates", help="Accept an answer from data of several days.")
]


def query(
    sql: Sql,
    *,
    purpose: Purpose,
    epsilon: Epsilon = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="Accept an answer without the departments that are missing."
        ),
    ] = False,
    mixed_dates: MixedDates = False,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=86400, metavar="S", help="Seconds to wait at most."),
    ] = 30.0,
    format_: Annotated[
        Format, typer.Option("--format", help="How the answer is written to standard output.")
    ] = Format.TABLE,
    receipt: ReceiptFile = None,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Ask the departments a question.

    The answer goes to standard output, the 95 % half-width beside each released number; cost,
    budgets and notes go to standard error.
    """
    if format_ is Format.ARROW:
        from landbridge.cli.formats import require_arrow_target

        require_arrow_target()
    receipt_file.require_place(receipt)
    with connected(address, ca, token_file) as client, about(sql):
        try:
            answer = client.query(
                sql,
                purpose=purpose,
                epsilon=epsilon,
                partial=partial,
                mixed_dates=mixed_dates,
                timeout=timeout,
            )
        except LandbridgeError as refusal:
            receipt_file.keep_refused(receipt, refusal)
            raise
    write(answer, format_)
    receipt_file.keep(receipt, answer.receipt)


def write(answer: Answer, format_: Format) -> None:
    """The answer on standard output, what belongs to it on standard error."""
    from landbridge.cli import answer_page, formats

    match format_:
        case Format.TABLE:
            answer_page.show(answer)
            return
        case Format.CSV:
            formats.write_csv(answer)
        case Format.JSON:
            formats.write_json(formats.answer_document(answer))
        case Format.ARROW:
            formats.write_arrow(answer)
        case _:
            assert_never(format_)
    answer_page.tell_beside(answer)
