"""An answer as HTML for a notebook: released numbers with error bars, drawn and in digits."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from landbridge.answers import Answer, Cell, Column
from landbridge.table import MOST_ROWS, cell_text, shown, underneath

_WIDTH: Final = 96
_HEIGHT: Final = 12


def answer_html(answer: Answer) -> str:
    """A table of at most `MOST_ROWS` rows, and under it cost, notes and who is missing.

    Whatever a department or the gateway wrote is text in it, never markup.
    """
    scales = [_scale(answer, place) for place in range(len(answer.columns))]
    heads = "".join(
        f'<th style="text-align:{_side(column)}">{_text(column.name)}</th>'
        for column in answer.columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{_side(column)};white-space:nowrap">'
            f"{_text(cell_text(column, cell))}{_bar(cell, scale)}</td>"
            for column, cell, scale in zip(answer.columns, row, scales, strict=True)
        )
        + "</tr>"
        for row in answer.cells[:MOST_ROWS]
    )
    notes = "<br>".join(_text(line) for line in underneath(answer))
    return (
        f'<div class="landbridge-answer"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table><small>{notes}</small></div>"
    )


def _side(column: Column) -> str:
    return "right" if column.released else "left"


def _text(text: str) -> str:
    return escape(shown(text))


def _ends(cell: Cell) -> tuple[float, float, float] | None:
    """Low end, value and high end; None for what has no error bar."""
    if (
        isinstance(cell.value, bool)
        or not isinstance(cell.value, int | float)
        or not cell.half_width
    ):
        return None
    value = float(cell.value)
    return value - cell.half_width, value, value + cell.half_width


def _scale(answer: Answer, place: int) -> tuple[float, float] | None:
    """The range of a column's drawing, over all rows that are shown; 0 lies in it."""
    ends = [found for row in answer.cells[:MOST_ROWS] if (found := _ends(row[place]))]
    if not ends:
        return None
    low, high = min(0.0, *(e[0] for e in ends)), max(0.0, *(e[2] for e in ends))
    return (low, high) if high > low else None


def _bar(cell: Cell, scale: tuple[float, float] | None) -> str:
    ends = _ends(cell)
    if ends is None or scale is None:
        return ""
    low, value, high = _places(ends, scale)
    middle = _HEIGHT / 2
    return (
        f' <svg width="{_WIDTH}" height="{_HEIGHT}" style="vertical-align:middle">'
        f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="currentColor"/>'
        f'<line x1="{low}" x2="{low}" y1="3" y2="{_HEIGHT - 3}" stroke="currentColor"/>'
        f'<line x1="{high}" x2="{high}" y1="3" y2="{_HEIGHT - 3}" stroke="currentColor"/>'
        f'<circle cx="{value}" cy="{middle}" r="3" fill="currentColor"/></svg>'
    )


def _places(numbers: Sequence[float], scale: tuple[float, float]) -> list[str]:
    low, high = scale
    return [f"{4 + (_WIDTH - 8) * (number - low) / (high - low):.1f}" for number in numbers]
