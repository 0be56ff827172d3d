"""What may reach a terminal: text from elsewhere without anything that a terminal would obey."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH: Final = 500
"""Columns of a page that no terminal limits: tables are as wide as what is in them."""


def plain(text: str) -> str:
    """The text on one line, every character that a terminal would obey shown as an escape.

    That covers control characters, C1 included, line breaks, and marks that turn the direction of
    writing.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def tell(sentence: str) -> None:
    """One line for a person, on standard error; its words may come from elsewhere."""
    typer.echo(plain(sentence), err=True)


def say(line: str) -> None:
    """One line of a result, on standard output; its words may come from elsewhere."""
    typer.echo(plain(line))


def page(*, err: bool = False, piped_width: int = PIPED_WIDTH) -> Console:
    """A console for tables, on standard output or error. It reads no markup.

    It is as wide as the terminal, or `piped_width` columns where there is none.
    """
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else piped_width,
        markup=False,
        emoji=False,
        highlight=False,
    )
