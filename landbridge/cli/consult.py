"""`landbridge consult`: what policy does not answer, put before an officer of the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.call import pairs, typed
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Page, write_json
from landbridge.cli.query import Epsilon
from landbridge.cli.refusal import about
from landbridge.cli.terminal import say, tell

if TYPE_CHECKING:
    from landbridge.consultation.callers import Consultation

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The consultation, department.number.", show_default=False),
]
Form = Annotated[Page, typer.Option("--format", help="How it is written to standard output.")]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="S", help="Seconds after which following ends."),
]


def open_(
    matter: Annotated[
        str,
        typer.Argument(
            metavar="MATTER",
            help="One SELECT of aggregates, of one department, or department.handler.",
            show_default=False,
        ),
    ],
    purpose: Purpose,
    basis: Annotated[
        str,
        typer.Option(
            "--basis", metavar="TEXT", help="The legal basis on which it is asked, in words."
        ),
    ],
    epsilon: Epsilon = None,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="NAME=VALUE",
            help="An argument of a handler; may be given several times.",
        ),
    ] = None,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Open a consultation: an officer of the owner decides.

    For a question above your clearance, a purpose that the owner does not list, or a budget beyond
    your organisation's allowance, where the owner's policy lets it be considered.
    """
    texts = pairs(arg or [], "--arg")
    with connected(address, ca, token_file) as client, about(matter):
        values = typed(matter, texts, client.directory()) if texts else {}
        found = client.consult(matter, purpose=purpose, basis=basis, epsilon=epsilon, **values)
        _show(found, format_)


def show(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Show how a consultation stands."""
    with connected(address, ca, token_file) as client:
        _show(client.consultation(identifier), format_)


def follow(
    identifier: Id,
    timeout: Timeout = None,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Print what happens, as it happens, until it is closed.

    A connection that is lost is made again; nothing is left out or told twice.
    """
    from landbridge.cli import consultation_page

    with connected(address, ca, token_file) as client:
        found = client.consultation(identifier)
        for event in (*found.view.events, *found.follow(timeout)):
            if format_ is Page.JSON:
                write_json(consultation_page.event_document(event), indent=None)
            else:
                consultation_page.tell(event)
        tell(f"It is {found.state}.")


def reply(
    identifier: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.", show_default=False)],
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Reply to what an officer asked back."""
    with connected(address, ca, token_file) as client:
        found = client.consultation(identifier)
        found.reply(text)
        _show(found, format_)


def accept(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Accept what an officer offered in the place of what was asked."""
    with connected(address, ca, token_file) as client:
        found = client.consultation(identifier)
        found.accept()
        _show(found, format_)


def withdraw(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """End a consultation: it is not wanted any more, or not what is offered."""
    with connected(address, ca, token_file) as client:
        found = client.consultation(identifier)
        found.withdraw()
        _show(found, format_)


def answer(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Ask what was approved, under its grant.

    Where it was approved for once, this is the once.
    """
    from landbridge.answers import Answer
    from landbridge.cli import answer_page, formats

    with connected(address, ca, token_file) as client:
        found = client.consultation(identifier).answer()
    if not isinstance(found, Answer):
        if format_ is Page.JSON:
            write_json({"code": found.code, "version": found.version})
        else:
            say(found.code)
    elif format_ is Page.JSON:
        write_json(formats.answer_document(found))
    else:
        answer_page.show(found)


def _show(found: Consultation, format_: Page) -> None:
    from landbridge.cli import consultation_page

    if format_ is Page.JSON:
        write_json(consultation_page.document(found.view))
    else:
        consultation_page.show(found.view)
