"""`landbridge directory`: who there is to ask, and what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from landbridge.cli.connection import Address, Authority, TokenFile, connected
from landbridge.cli.formats import Listing, write_json
from landbridge.cli.terminal import page, plain

if TYPE_CHECKING:
    from rich.console import Console

    from landbridge.directory import Directory, Member, OfferedContract


def directory(
    format_: Annotated[
        Listing,
        typer.Option(
            "--format",
            help="How the directory is written to standard output; dcat is DCAT-AP in JSON-LD, for "
            "other catalogues.",
        ),
    ] = Listing.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """List the departments, their contracts, handlers and procedures.

    As far as the caller may use them, or have them considered by an officer of their owner; with
    who answers for them and how to reach them.
    """
    with connected(address, ca, token_file) as client:
        found = client.directory()
    match format_:
        case Listing.JSON:
            write_json(dataclasses.asdict(found))
        case Listing.DCAT:
            from landbridge.dcat import catalogue

            write_json(catalogue(found, address))
        case Listing.TABLE:
            _show(found)
        case _:
            assert_never(format_)


def _show(found: Directory) -> None:
    console = page()
    for member in found.members:
        _line(console, f"{member.department}: {member.title}" + _absence(member))
        for contract in member.contracts:
            _line(
                console,
                f"  contract {contract.id}: {contract.description} "
                f"[{contract.method}{f', protects {contract.unit}' if contract.unit else ''}; "
                f"{', '.join(contract.purposes)}]" + _uses(contract),
            )
            if contract.submittable:
                _line(console, f"    you may hand in: {contract.collects}")
            if contract.columns:
                _columns(console, contract)
            for responsible in _responsible(contract):
                _line(console, f"    {responsible}")
        for handler in member.handlers:
            _line(
                console,
                f"  handler {handler.name}({', '.join(handler.arguments)}): {handler.description}; "
                f"one of {', '.join(handler.codes)} [{', '.join(handler.purposes)}]"
                + _officers(consultable=handler.consultable, queryable=handler.queryable),
            )
    for procedure in found.procedures:
        _line(
            console,
            f"procedure {procedure.name}: {procedure.title or procedure.description} "
            f"({', '.join(procedure.departments)}) [{', '.join(procedure.purposes)}]",
        )
    for group in found.groups:
        _line(console, f"group {group.name}: {group.title}")


def _absence(member: Member) -> str:
    return "" if member.reachable else " (does not answer)"


def _uses(contract: OfferedContract) -> str:
    """What this caller may do with it."""
    if not contract.queryable and not contract.consultable:
        return "; for handing in only"
    day = f"; data as of {contract.as_of}" if contract.as_of else ""
    watches = "; may be watched" if contract.watchable else ""
    return day + watches + _officers(consultable=contract.consultable, queryable=contract.queryable)


def _officers(*, consultable: bool, queryable: bool) -> str:
    """What officers have to do with it."""
    if not queryable:
        return "; by consultation only"
    return "; more by consultation" if consultable else ""


def _responsible(contract: OfferedContract) -> Iterator[str]:
    """Who answers for it, a line each."""
    for role in contract.roles:
        words = [each for each in (role.who, contract.team, role.description) if each]
        yield f"{role.role}: {', '.join(words)}"
    for channel in contract.channels:
        said = f" ({channel.description})" if channel.description else ""
        yield f"{channel.name}: {channel.url}{said}"


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
