"""`landbridge directory`: who there is to ask, and what."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.connection import Address, Authority, TokenFile, connected
from landbridge.cli.formats import Page, write_json
from landbridge.cli.terminal import page, plain

if TYPE_CHECKING:
    from rich.console import Console

    from landbridge.directory import Directory, Member, OfferedContract


def directory(
    format_: Annotated[
        Page, typer.Option("--format", help="How the directory is written to standard output.")
    ] = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List the departments, their contracts and handlers.

    As far as the caller may use them.
    """
    with connected(address, ca, token_file) as client:
        found = client.directory()
    if format_ is Page.JSON:
        write_json(dataclasses.asdict(found))
    else:
        _show(found)


def _show(found: Directory) -> None:
    console = page()
    for member in found.members:
        _line(console, f"{member.department}: {member.title}" + _absence(member))
        for contract in member.contracts:
            _line(
                console,
                f"  contract {contract.id}: {contract.description} "
                f"[{contract.method}{f', protects {contract.unit}' if contract.unit else ''}; "
                f"{', '.join(contract.purposes)}]",
            )
            _columns(console, contract)
        for handler in member.handlers:
            _line(
                console,
                f"  handler {handler.name}({', '.join(handler.arguments)}): {handler.description}; "
                f"one of {', '.join(handler.codes)} [{', '.join(handler.purposes)}]",
            )


def _absence(member: Member) -> str:
    return "" if member.reachable else " (does not answer)"


def _columns(console: Console, contract: OfferedContract) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = Table()
    for name in ("column", "type", "level", "GROUP BY", "description"):
        shown.add_column(name, overflow="fold")
    for column in contract.columns:
        cells = (
            column.name,
            column.type,
            column.level,
            "yes" if column.grouping else "",
            column.description,
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    console.print(Padding(shown, (0, 0, 0, 4), expand=False))


def _line(console: Console, text: str) -> None:
    console.print(plain(text), soft_wrap=True)
