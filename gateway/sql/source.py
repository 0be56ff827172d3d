"""The text before and beside the parser: what is readable, where things stand, how to refuse."""

from __future__ import annotations

from typing import NoReturn

from sqlglot import exp

from landbridge.annotation import LONGEST as MAXIMUM_TEXT
from landbridge.errors import LandbridgeError, Position, error


def require_readable(text: str) -> None:
    """Refuses what no analyst writes before a parser sees it."""
    if not text.strip():
        raise error("INVALID_QUESTION", "The text is empty.", position=Position(1, 1))
    if len(text) > MAXIMUM_TEXT:
        raise error("INVALID_QUESTION", f"The text is longer than {MAXIMUM_TEXT} characters.")
    for offset, character in enumerate(text):
        if not (character.isprintable() or character in "\n\r\t"):
            raise error(
                "INVALID_QUESTION",
                "The text holds a character that cannot be printed.",
                position=position_of(text, offset),
            )


def position_of(text: str, offset: int) -> Position:
    """The 1-based line and column of an offset."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def require_printable(value: str, what: str) -> None:
    """Refuses a value beside the text that could not have been written in it."""
    if len(value) > MAXIMUM_TEXT:
        raise error("INVALID_ARGUMENT", f"{what} is longer than {MAXIMUM_TEXT} characters.")
    if not all(character.isprintable() or character in "\n\r\t" for character in value):
        raise error("INVALID_ARGUMENT", f"{what} holds a character that cannot be printed.")


class Source:
    """One text, for saying where in it something is wrong."""

    def __init__(self, text: str) -> None:
        self._text = text

    def refuse(self, node: exp.Expr, message: str, hint: str) -> NoReturn:
        """Raises INVALID_QUESTION at the node's place."""
        raise error("INVALID_QUESTION", message, hint=hint, position=self.place(node))

    def placed(self, refusal: LandbridgeError, node: exp.Expr) -> LandbridgeError:
        """The refusal, with the node's place where it has none yet."""
        refusal.position = refusal.position or self.place(node)
        return refusal

    def place(self, node: exp.Expr) -> Position:
        """Where the node's first word stands."""
        starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        return position_of(self._text, min(starts, default=0))

    def text_at(self, node: exp.Expr) -> str:
        """The first character of the node's own text; empty where its place is not known."""
        start = node.meta.get("start")
        return "" if start is None else self._text[start : start + 1]

    def closed(self, node: exp.Expr, *allowed: str, hint: str) -> None:
        """Refuses a node that carries anything beside the allowed parts."""
        for name, part in node.args.items():
            if name not in allowed and part not in (None, False, []):
                spot = part if isinstance(part, exp.Expr) else node
                if isinstance(part, list) and part and isinstance(part[0], exp.Expr):
                    spot = part[0]
                word = name.rstrip("_").replace("_", " ").upper()
                self.refuse(spot, f"{word} is not accepted here.", hint)

    def identifier(self, node: exp.Expr) -> str:
        """A name; unquoted ones are lower case, as in DuckDB."""
        if not isinstance(node, exp.Identifier):
            self.refuse(node, "A name is needed here.", "Write a name.")
        name = str(node.this)
        return name if node.args.get("quoted") else name.lower()
