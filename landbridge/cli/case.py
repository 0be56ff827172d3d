"""`landbridge case`: cases of procedures, opened, looked at, followed, listed, cancelled."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landbridge.cli.call import pairs
from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Page, write_json
from landbridge.cli.terminal import page, plain, say

if TYPE_CHECKING:
    from landbridge.case import CaseChange, CaseView

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case's id.", show_default=False)]
Format = Annotated[
    Page, typer.Option("--format", help="How the case is written to standard output.")
]


def open_(
    procedure: Annotated[
        str, typer.Argument(metavar="PROCEDURE", help="Its name.", show_default=False)
    ],
    purpose: Purpose,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar="NAME=VALUE",
            help="A field of the form; may be given several times. Sealed before it leaves.",
        ),
    ] = None,
    consent: Annotated[
        str, typer.Option(metavar="REFERENCE", help="The subject's consent, where it is needed.")
    ] = "",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="Wait so long for the decision.")
    ] = 0.0,
    format_: Format = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Open a case of a procedure.

    The form's fields are sealed on this machine to the departments that need them; the gateway
    reads none.
    """
    texts = pairs(field or [], "--field")
    with connected(address, ca, token_file) as client:
        form = client.form_types(procedure, texts)
        fields: dict[str, Any] = dict(form)
        case = client.open_case(procedure, purpose=purpose, consent=consent, **fields)
        if wait > 0:
            case.wait(wait)
        _show(case.view, format_)


def show(
    case_id: CaseId,
    format_: Format = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Show a case as it stands."""
    with connected(address, ca, token_file) as client:
        _show(client.case(case_id).view, format_)


def follow(
    case_id: CaseId,
    after: Annotated[int, typer.Option(metavar="NUMBER", help="Changes after this one.")] = 0,
    format_: Format = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Print every change of a case as it happens, until it is closed."""
    with connected(address, ca, token_file) as client:
        for change in client.case(case_id).changes(after=after):
            if format_ is Page.JSON:
                write_json({**dataclasses.asdict(change), "time": _time(change.time)})
            else:
                say(_line(change))


def list_(
    procedure: Annotated[
        str, typer.Option(metavar="NAME", help="Cases of this procedure alone.")
    ] = "",
    state: Annotated[
        str, typer.Option(metavar="STATE", help="open, approved, refused or cancelled.")
    ] = "",
    *,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Cases with a step past its deadline.")
    ] = False,
    after: Annotated[str, typer.Option(metavar="CASE", help="Cases after this id.")] = "",
    most: Annotated[int, typer.Option(metavar="NUMBER", help="At most so many.")] = 100,
    format_: Format = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List the cases that the caller may see."""
    with connected(address, ca, token_file) as client:
        found = client.cases(procedure, state=state, overdue=overdue, after=after, most=most)
    if format_ is Page.JSON:
        write_json([_document(view) for view in found])
        return
    for view in found:
        steps = ", ".join(
            f"{step.name} {step.state}"
            + (f" (escalated to {step.escalated_to})" if step.escalated_to else "")
            for step in view.steps
        )
        say(plain(f"{view.id}  {view.procedure}  {view.state}  {steps}"))


def cancel(
    case_id: CaseId,
    format_: Format = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """End a case without a decision."""
    with connected(address, ca, token_file) as client:
        _show(client.case(case_id).cancel().view, format_)


def _show(view: CaseView, format_: Page) -> None:
    if format_ is Page.JSON:
        write_json(_document(view))
        return
    from rich.table import Table
    from rich.text import Text

    console = page()
    console.print(plain(f"{view.id}  {view.title}: {view.state}"), soft_wrap=True)
    shown = Table()
    for name in ("step", "department", "state", "code", "reasons", "due", "escalated to"):
        shown.add_column(name, overflow="fold")
    for step in view.steps:
        cells = (
            step.title,
            step.department,
            step.state,
            step.code,
            ", ".join(step.reasons),
            _time(step.due_at) if step.state == "asked" else "",
            step.escalated_to,
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    console.print(shown)


def _document(view: CaseView) -> dict[str, object]:
    found = dataclasses.asdict(view)
    del found["receipt"]
    for name in ("opened_at", "closed_at"):
        found[name] = _time(found[name])
    for step in found["steps"]:
        step["due_at"] = _time(step["due_at"])
    return found


def _line(change: CaseChange) -> str:
    parts = [str(change.sequence), change.step or "case", change.state, change.code]
    parts += [*change.reasons, f"to {change.role}" if change.role else ""]
    return plain("  ".join(part for part in parts if part))


def _time(when: datetime | None) -> str:
    return "" if when is None else when.isoformat()
