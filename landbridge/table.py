"""An answer as a table for a terminal, the error bar beside each released number."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from landbridge.answers import Answer, Cell, Column

MOST_ROWS: Final = 40


def answer_table(answer: Answer) -> Group:
    """A rich table of at most `MOST_ROWS` rows, and under it cost, notes and who is missing.

    Whatever a department or the gateway wrote is shown as plain text: neither markup nor terminal
    control sequences work in it.
    """
    table = Table()
    for column in answer.columns:
        table.add_column(_plain(column.name), justify="right" if column.released else "left")
    for row in answer.cells[:MOST_ROWS]:
        table.add_row(
            *(
                _plain(cell_text(column, cell))
                for column, cell in zip(answer.columns, row, strict=True)
            )
        )
    return Group(table, Text("\n").join(_plain(line) for line in underneath(answer)))


def cell_text(column: Column, cell: Cell) -> str:
    """A value, with "± half-width" to two significant digits when it is a released number.

    The value is shown to the digits that its half-width leaves meaning to. "± ?" says that a
    half-width cannot be told; an exact number (half-width 0) stands alone.
    """
    value, half_width = cell.value, cell.half_width
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, float) and half_width == 0:
        return f"{value:.10g}"  # exact, and readable: what follows is the division's own
    if not column.released or half_width == 0 or isinstance(value, bool | str):
        return str(value)
    if half_width is None:
        return f"{value} ± ?"
    decimals = min(15, max(0, 1 - math.floor(math.log10(half_width))))
    # Whole numbers as they are: a format with decimals would pass them through a float.
    shown = f"{value:.{decimals}f}" if isinstance(value, float) else str(value)
    return f"{shown} ± {half_width:.{decimals}f}"


def underneath(answer: Answer) -> list[str]:
    """The lines under a table: what is not shown, who is missing, the cost, the notes."""
    lines = []
    hidden = len(answer.cells) - MOST_ROWS
    if hidden > 0:
        lines.append(f"… {hidden} more rows")
    if answer.missing:
        lines.append(f"PARTIAL, without: {', '.join(answer.missing)}")
    lines.append(
        f"± 95 % half-width; charged epsilon {answer.cost.epsilon:g}, delta {answer.cost.delta:g}"
    )
    lines.extend(f"{note.kind}: {note.text}" for note in answer.notes)
    return lines


def shown(text: str) -> str:
    """The text with everything that a terminal would obey, and lone surrogates, as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _plain(text: str) -> Text:
    return Text(shown(text))
