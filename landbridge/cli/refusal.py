"""The picture of a refusal: reason, sentence, rule, hint, and the place in the question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from landbridge.cli.terminal import plain
from landbridge.errors import LandbridgeError, Position

SHOWN_BEFORE: Final = 60
SHOWN: Final = 100
"""Characters of a long line that are shown before the place, and in all."""


class Declined(Exception):
    """An error of the SDK, with the text that was asked beside it."""

    def __init__(self, refusal: LandbridgeError, sql: str) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.sql = sql


@contextmanager
def about(sql: str) -> Iterator[None]:
    """Errors of the block are about this text, so that they can point into it."""
    try:
        yield
    except LandbridgeError as refusal:
        raise Declined(refusal, sql) from None


def picture(refusal: LandbridgeError, sql: str = "") -> list[str]:
    """The lines to show. Nothing in them can move a terminal's cursor."""
    lines = [refusal.reason, plain(refusal.message)]
    if refusal.rule:
        lines.append(f"rule: {plain(refusal.rule)}")
    if refusal.hint:
        lines.append(f"hint: {plain(refusal.hint)}")
    if refusal.position is not None:
        lines.append(f"at {refusal.position}")
        lines.extend(_place(refusal.position, sql))
    if refusal.passing is not None:
        lines.append(f"would pass: {plain(refusal.passing.sql)}")
        if refusal.passing.epsilon is not None:
            lines.append(f"  with --epsilon {refusal.passing.epsilon:g}")
    return lines


def _place(position: Position, sql: str) -> list[str]:
    """The line of the question and a caret under the place; nothing if there is no such place."""
    from rich.cells import cell_len  # some characters take two columns

    lines = sql.split("\n")
    if not (1 <= position.line <= len(lines) and position.column >= 1):
        return []
    line, at = lines[position.line - 1], position.column - 1
    if at > len(line):
        return []
    start = max(0, at - SHOWN_BEFORE)
    end = start + SHOWN
    before = ("…" if start else "") + plain(line[start:at])
    after = plain(line[at:end]) + ("…" if end < len(line) else "")
    return [f"  {before}{after}", f"  {' ' * cell_len(before)}^"]
