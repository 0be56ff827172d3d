"""`landbridge call`: a department's handler, for one subject."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landbridge.cli import receipt_file
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.ending import OperatorError
from landbridge.cli.formats import Page, receipt_document, write_json
from landbridge.cli.receipt_file import ReceiptFile
from landbridge.cli.terminal import say, tell
from landbridge.errors import LandbridgeError

if TYPE_CHECKING:
    from landbridge.directory import Directory

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,19}")


def call(
    handler: Annotated[
        str, typer.Argument(metavar="HANDLER", help="department.handler", show_default=False)
    ],
    purpose: Purpose,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="NAME=VALUE",
            help="An argument of the handler; may be given several times.",
        ),
    ] = None,
    consent: Annotated[
        str, typer.Option(metavar="REFERENCE", help="The subject's consent, where it is needed.")
    ] = "",
    format_: Annotated[
        Page, typer.Option("--format", help="How the reply is written to standard output.")
    ] = Page.TABLE,
    receipt: ReceiptFile = None,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Ask a department's handler about one subject.

    The reply is one of the handler's declared codes. An argument is sent in the type that the
    directory declares for it, so that an identifier made of digits stays text.
    """
    texts = pairs(arg or [], "--arg")
    receipt_file.require_place(receipt)
    with connected(address, ca, token_file) as client:
        values = typed(handler, texts, client.directory())
        try:
            reply = client.call(handler, purpose=purpose, consent=consent, **values)
        except LandbridgeError as refusal:
            receipt_file.keep_refused(receipt, refusal)
            raise
    if format_ is Page.JSON:
        write_json(
            {
                "handler": handler,
                "code": reply.code,
                "reasons": list(reply.reasons),
                "number": reply.number,
                "version": reply.version,
                "receipt": receipt_document(reply.receipt),
            }
        )
    else:
        say(f"{reply.number:g}" if reply.number is not None else reply.code)
        for reason in reply.reasons:
            say(f"  {reason}")
        tell(f"{handler}, version {reply.version}")
    receipt_file.keep(receipt, reply.receipt)


def pairs(given: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE, each name once; OperatorError otherwise."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier() or name in ("purpose", "consent"):
            raise OperatorError(f"{option} takes NAME=VALUE, for example {option} tailnum=N14228.")
        if name in found:
            raise OperatorError(f"The argument {name} is given twice.")
        found[name] = value
    return found


def typed(handler: str, texts: dict[str, str], directory: Directory) -> dict[str, int | str]:
    """The values in the declared types; a handler that is not listed gets texts, and refuses."""
    declared = dict(
        argument.split(": ", 1)
        for member in directory.members
        for offered in member.handlers
        if offered.name == handler
        for argument in offered.arguments
        if ": " in argument
    )
    return {
        name: _integer(name, text) if declared.get(name) == "integer" else text
        for name, text in texts.items()
    }


def _integer(name: str, text: str) -> int:
    # int() alone would also take 1_000, spaces and other scripts' digits.
    if not _WHOLE.fullmatch(text):
        raise OperatorError(f"The argument {name} must be a whole number.")
    return int(text)
