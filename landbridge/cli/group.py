"""`landbridge group`: notices down, reports and ballots up, questions that members may ask."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli.connection import Address, Authority, TokenFile, connected, token_source
from landbridge.cli.ending import Status
from landbridge.cli.formats import Format, Page, write_json
from landbridge.cli.query import Epsilon, write
from landbridge.cli.review import Folder
from landbridge.cli.terminal import say, tell

Name = Annotated[
    str,
    typer.Argument(metavar="GROUP", help="The group, department.group.", show_default=False),
]
Form = Annotated[Page, typer.Option("--format", help="How it is written to standard output.")]
Answered = Annotated[
    Format, typer.Option("--format", help="How the answer is written to standard output.")
]


def list_(
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List the groups in which you take part."""
    with connected(address, ca, token_file) as client:
        found = client.groups()
    if format_ is Page.JSON:
        groups = [{"name": each.name, "title": each.title} for each in found.groups]
        write_json({"groups": groups, "missing": list(found.missing)})
        return
    for each in found.groups:
        say(f"{each.name}  {each.title}")
    for department in found.missing:
        tell(f"Department {department} did not answer; it may have groups of yours.")
    tell(f"{len(found.groups)} groups." if len(found.groups) != 1 else "One group.")


def show(
    name: Name,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Show what there is in a group: notices, reports, polls, questions."""
    from landbridge.cli import group_page

    with connected(address, ca, token_file) as client:
        view = client.group(name).view
    if format_ is Page.JSON:
        write_json(group_page.document(view))
        return
    for line in group_page.lines(view):
        say(line)


def notices(
    name: Name,
    *,
    after: Annotated[
        str,
        typer.Option("--after", metavar="TOKEN", help="Go on behind the notice with this token."),
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, and print notices as they are published.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Keep the last notice's token here, and go on behind it the next time.",
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
    """Print the notices of a group, the oldest first, each signed by its department.

    Each at least once: with --keep, a notice whose printing was cut short comes again.
    """
    from landbridge.cli import group_page
    from landbridge.cli.token_file import keep_token, kept_token

    start = after or (kept_token(keep) if keep else "")
    with connected(address, ca, token_file) as client:
        group = client.group(name)
        for notice in group.follow(timeout, after=start) if follow else group.notices(after=start):
            if format_ is Page.JSON:
                write_json(group_page.notice_document(notice), indent=None)
            else:
                group_page.tell_notice(notice)
            if keep:
                keep_token(keep, notice.token)


def post(
    group: Annotated[
        str,
        typer.Argument(
            metavar="GROUP",
            help="The group, by its name within the department.",
            show_default=False,
        ),
    ],
    title: Annotated[str, typer.Argument(metavar="TITLE", show_default=False)],
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="Without it, standard input.", show_default=False),
    ] = "",
    *,
    folder: Folder,
    token_file: TokenFile = None,
) -> None:
    """Publish a notice, as an officer on the machine of the own node.

    It is signed by the department, and in its log before anybody can read it.
    """
    from landbridge.group.office import publish

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    words = text or sys.stdin.read().strip()
    with publish(folder, token=token_source(token_file)) as office:
        published = office.notice(group, title, words)
    say(f"Notice {published.number} is published.")


def report(
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Records: .csv with a header, .parquet or .jsonl.",
            show_default=False,
        ),
    ],
    contract: Annotated[
        str,
        typer.Option("--contract", metavar="ID", help="The channel, where the group has several."),
    ] = "",
    queue: Annotated[
        Path | None,
        typer.Option(
            "--queue",
            metavar="FILE",
            help="Keep the records there until they are taken; what waits there goes too.",
            show_default=False,
        ),
    ] = None,
    format_: Form = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Hand in the records of a file under a contract of the group, sealed to its department.

    As `landbridge submit` does: the same file again has no effect, and where a record was refused
    the exit status is 3.
    """
    from landbridge.cli import submit

    records = submit.records_of(file, corrects=False)
    with connected(address, ca, token_file) as client:
        receipt = client.group(name).report(
            records, contract=contract, queue=queue, texts=submit.is_text(file)
        )
    submit.show(receipt, format_)
    if receipt.refused_count:
        raise typer.Exit(Status.REFUSED)


def vote(
    name: Name,
    poll: Annotated[str, typer.Argument(metavar="POLL", show_default=False)],
    *,
    change: Annotated[
        bool, typer.Option("--change", help="In the place of the ballot that you cast before.")
    ] = False,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Cast your ballot, sealed to whoever counts.

    The choice is one line of standard input, never a word of the command line, which others on the
    machine can list.
    """
    with connected(address, ca, token_file) as client:
        group = client.group(name)
        found = group.view.poll(poll)
        tell(f"{found.title} ({', '.join(found.options)})")
        if sys.stdin.isatty():
            choice = getpass("Your choice: ").strip()
        else:
            choice = sys.stdin.readline().strip()
        group.vote(poll, choice, change=change)
    say("Your ballot counts.")


def result(
    name: Name,
    poll: Annotated[str, typer.Argument(metavar="POLL", show_default=False)],
    epsilon: Epsilon = None,
    format_: Answered = Format.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """The result of a poll that is over, released under its contract."""
    with connected(address, ca, token_file) as client:
        answer = client.group(name).result(poll, epsilon=epsilon)
    write(answer, format_)


def ask(
    name: Name,
    question: Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)],
    epsilon: Epsilon = None,
    format_: Answered = Format.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Ask a question that the group declares."""
    with connected(address, ca, token_file) as client:
        answer = client.group(name).ask(question, epsilon=epsilon)
    write(answer, format_)
