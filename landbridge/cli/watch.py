"""`landbridge watch`: standing questions, and what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Page, write_json
from landbridge.cli.query import Epsilon, Sql
from landbridge.cli.refusal import about
from landbridge.cli.terminal import say, tell
from landbridge.cli.token_file import keep_token, kept_token

if TYPE_CHECKING:
    from landbridge.watch import WatchView

Id = Annotated[
    str, typer.Argument(metavar="ID", help="The watch's id, 32 digits.", show_default=False)
]
Form = Annotated[Page, typer.Option("--format", help="How it is written to standard output.")]


def create(
    sql: Sql,
    purpose: Purpose,
    when: Annotated[
        str,
        typer.Option(
            "--when",
            metavar="CONDITION",
            help='What is told, for example "n >= 100"; without it the number, every time.',
            show_default=False,
        ),
    ] = "",
    every: Annotated[
        float | None,
        typer.Option(
            "--every",
            min=1,
            metavar="S",
            help="Seconds between evaluations; without it, whenever there is new data.",
        ),
    ] = None,
    epsilon: Epsilon = None,
    alerts: Annotated[
        int | None,
        typer.Option(
            "--alerts",
            min=1,
            metavar="N",
            help="How many alerts the budget is for (3 without it), or numbers of a trend (64).",
        ),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", min=0.05, metavar="D", help="How long it lives; 30 without it."),
    ] = None,
    rest: Annotated[
        float,
        typer.Option(
            "--rest", min=0, metavar="S", help="Seconds without another alert of the same cell."
        ),
    ] = 86_400.0,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Make a standing question: one count or sum of one department, and a condition on it.

    Without a condition it is a trend: every evaluation tells the number. Its budget is set aside at
    once, for its whole life; silence costs nothing.
    """
    with connected(address, ca, token_file) as client, about(sql):
        made = client.watch(
            sql, purpose=purpose, when=when, every=every, epsilon=epsilon, alerts=alerts, days=days,
            rest=rest,
        )  # fmt: skip
        _show(made.view, format_)


def list_(
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, too.")] = False,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List the watches of your organisation."""
    from landbridge.cli import watch_page

    with connected(address, ca, token_file) as client:
        found = client.watches(ended=ended)
    if format_ is Page.JSON:
        write_json([watch_page.document(view) for view in found])
        return
    for view in found:
        watch_page.line(view)
    tell(f"{len(found)} watches." if len(found) != 1 else "One watch.")


def show(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Show how a watch stands and what it has spent."""
    with connected(address, ca, token_file) as client:
        _show(client.watching(identifier).view, format_)


def follow(
    identifier: Id,
    after: Annotated[
        str,
        typer.Option("--after", metavar="TOKEN", help="Go on behind the event with this token."),
    ] = "",
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Keep the last event's token here, and go on behind it the next time.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="S", help="Seconds after which following ends."),
    ] = None,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Print what a watch tells, as it tells it, until it has ended.

    Each event at least once: with --keep, an event whose printing was cut short comes again.
    """
    from landbridge.cli import watch_page

    start = after or (kept_token(keep) if keep else "")
    with connected(address, ca, token_file) as client:
        found = client.watching(identifier)
        for event in found.follow(timeout, after=start):
            if format_ is Page.JSON:
                write_json(watch_page.event_document(event), indent=None)
            else:
                watch_page.tell(event)
            if keep:
                keep_token(keep, event.token)


def stop(
    identifier: Id,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """End a watch; what it did not spend goes back to the budget."""
    with connected(address, ca, token_file) as client:
        _show(client.watching(identifier).stop(), format_)


def _show(view: WatchView, format_: Page) -> None:
    from landbridge.cli import watch_page

    if format_ is Page.JSON:
        write_json(watch_page.document(view))
    else:
        for name, value in watch_page.fields(view):
            say(f"{name + ':':<13} {value}")
