"""`landbridge review`: an officer's queue, on the machine of the department's node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.connection import TokenFile, token_source
from landbridge.cli.ending import OperatorError
from landbridge.cli.formats import Page, write_json

if TYPE_CHECKING:
    from landbridge.consultation.officers import Reviewer
    from landbridge.consultation.view import View

Folder = Annotated[
    Path,
    typer.Option(
        "--socket",
        envvar="LANDBRIDGE_REVIEW",
        metavar="DIR",
        help="The folder with the node's socket: review in its state folder.",
        show_default=False,
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The consultation.", show_default=False)]
Form = Annotated[Page, typer.Option("--format", help="How it is written to standard output.")]
Seen = Annotated[
    int | None,
    typer.Option(
        "--turn",
        min=1,
        metavar="N",
        help="The turn that was looked at; what has moved since is refused. Without it, as it is "
        "now.",
    ),
]
Reusable = Annotated[
    bool,
    typer.Option("--reusable", help="The grant may be used until it expires, not once only."),
]
Hours = Annotated[
    int, typer.Option("--hours", min=1, max=720, metavar="H", help="How long the grant holds.")
]
Office = Annotated[
    bool,
    typer.Option("--organisation", help="For the caller's whole organisation."),
]


def list_(
    folder: Folder,
    *,
    closed: Annotated[
        bool, typer.Option("--closed", help="Those that are closed too, the newest first.")
    ] = False,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List what waits for a decision of yours, the most urgent first."""
    from landbridge.cli import consultation_page

    with _reviewer(folder, token_file) as officer:
        found = officer.list(closed=closed)
    if format_ is Page.JSON:
        write_json([consultation_page.document(view) for view in found])
    else:
        for view in found:
            consultation_page.line(view)


def show(
    identifier: Id, folder: Folder, format_: Form = Page.TABLE, token_file: TokenFile = None
) -> None:
    """Show one: what is asked, by whom, why, what it would release and cost."""
    with _reviewer(folder, token_file) as officer:
        _show(officer.show(identifier), format_)


def approve(
    identifier: Id,
    folder: Folder,
    *,
    turn: Seen = None,
    reusable: Reusable = False,
    hours: Hours = 72,
    organisation: Office = False,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Approve one: a grant for exactly this, once."""
    with _reviewer(folder, token_file) as officer:
        seen = _seen(officer, identifier, turn)
        _show(
            officer.approve(seen, reusable=reusable, hours=hours, organisation=organisation),
            format_,
        )


def narrow(
    identifier: Id,
    folder: Folder,
    *,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="WORDS",
            help="A key or measure to leave out, as the question words it; may be given several "
            "times.",
        ),
    ] = None,
    coarser: Annotated[
        list[str] | None,
        typer.Option(
            "--coarser",
            metavar="KEY=TO",
            help="A key to make coarser: a date to week, month, quarter or year, buckets to a "
            "smaller number that divides theirs.",
        ),
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", metavar="E", help="A lower epsilon.")
    ] = None,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="A remark with it.")] = "",
    turn: Seen = None,
    reusable: Reusable = False,
    hours: Hours = 72,
    organisation: Office = False,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Offer less, which the caller accepts or not."""
    coarse: dict[str, str] = {}
    for each in coarser or []:
        key, equals, to = each.rpartition("=")
        if not equals or not key or not to:
            raise OperatorError("--coarser takes KEY=TO, for example day=month.")
        coarse[key] = to
    with _reviewer(folder, token_file) as officer:
        seen = _seen(officer, identifier, turn)
        view = officer.narrow(
            seen,
            without=without or [],
            coarser=coarse,
            epsilon=epsilon,
            text=text,
            reusable=reusable,
            hours=hours,
            organisation=organisation,
        )
        _show(view, format_)


def ask(
    identifier: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to ask.", show_default=False)],
    folder: Folder,
    turn: Seen = None,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Ask the caller back."""
    with _reviewer(folder, token_file) as officer:
        _show(officer.ask(_seen(officer, identifier, turn), text), format_)


def decline(
    identifier: Id,
    reason: Annotated[
        str, typer.Argument(metavar="REASON", help="Why not; the caller reads it.",
                            show_default=False)
    ],
    folder: Folder,
    turn: Seen = None,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:  # fmt: skip
    """Decline one, with a reason."""
    with _reviewer(folder, token_file) as officer:
        _show(officer.decline(_seen(officer, identifier, turn), reason), format_)


def serve(
    settings: Annotated[
        Path,
        typer.Argument(metavar="SETTINGS", help="The desk's desk.toml.", show_default=False),
    ],
) -> None:
    """Serve the queue as web pages, for officers with a browser (docs/console.md).

    On the machine of the node, as its user: officers sign in at their provider, and the node
    decides what each of them sees and does.
    """
    try:
        from landbridge.desk.__main__ import serve as serve_desk
    except ImportError as missing:
        raise OperatorError(
            f"The desk needs {missing.name}, which is not installed: "
            "pip install 'landbridge[server]'."
        ) from None
    raise typer.Exit(serve_desk(settings, with_parent=False))


def follow(
    folder: Folder,
    after: Annotated[
        int, typer.Option("--after", min=0, metavar="N", help="Go on after this event.")
    ] = 0,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="S", help="Seconds after which it ends."),
    ] = None,
    format_: Form = Page.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Print what happens in your queue, as it happens.

    A node that is restarted is found again; nothing is left out or told twice.
    """
    from landbridge.cli import consultation_page

    with _reviewer(folder, token_file) as officer:
        for event in officer.follow(timeout, after=after):
            if format_ is Page.JSON:
                write_json(consultation_page.event_document(event), indent=None)
            else:
                consultation_page.tell(event)


def _reviewer(folder: Path, token_file: Path | None) -> Reviewer:
    # gRPC's own words on standard error are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from landbridge.consultation.officers import review

    return review(folder, token=token_source(token_file))


def _seen(officer: Reviewer, identifier: str, turn: int | None) -> View:
    from dataclasses import replace

    view = officer.show(identifier)
    return view if turn is None else replace(view, turn=turn)


def _show(view: View, format_: Page) -> None:
    from landbridge.cli import consultation_page

    if format_ is Page.JSON:
        write_json(consultation_page.document(view))
    else:
        consultation_page.show(view)
