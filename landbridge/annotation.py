"""What a statement says of itself in a comment: `/* purpose=dpv:Research, epsilon=0.5 */`.

SQL has no place for a purpose or an epsilon, and many tools can send nothing but SQL. This is the
one reader of such comments: the gateway applies it to every text, whichever way it came in, and the
SQL interfaces use it to know beforehand. It is closed: a comment that looks like one of these and
is not exactly one is refused, since an epsilon that is overlooked would be the contract's default,
and cost more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from landbridge.errors import LandbridgeError, Position, error

LONGEST: Final = 10_000
"""Characters of a text that the gateway reads."""

_PIECES: Final = re.compile(r"""'[^']*'?|"[^"]*"?|--[^\n]*|/\*""")
_EDGE: Final = re.compile(r"/\*|\*/")
_MEANT: Final = re.compile(r"\s*[A-Za-z_]\w*\s*=|.*\b(?:purpose|epsilon)\s*=", re.IGNORECASE | re.S)
_TERM: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(\S+)\s*")
_PURPOSE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,199}")
_EPSILON: Final = re.compile(r"(\d{1,7})(?:\.(\d{1,6}))?")
_HINT: Final = "Write /* purpose=dpv:ResearchAndDevelopment, epsilon=0.5 */, one or both of them."


@dataclass(frozen=True, slots=True)
class Terms:
    """Purpose and epsilon, in millionths, of a question; empty and 0 where none is stated."""

    purpose: str = ""
    micro_epsilon: int = 0


def annotated(sql: str) -> Terms:
    """The terms in the text's comments; raises INVALID_ARGUMENT or EPSILON_OUT_OF_RANGE.

    None for a text longer than `LONGEST`, which the gateway refuses unread.
    """
    found = Terms()
    for place, body in _comments(sql) if len(sql) <= LONGEST else ():
        if _MEANT.match(body):
            found = _together(found, _terms(body, place), "Two comments of the text", place)
    return found


def agreed(sql: str, stated: Terms) -> Terms:
    """What is stated beside the text and in it, together.

    Raises INVALID_ARGUMENT where both say something else of the same: neither is the right one to
    charge by.
    """
    return _together(stated, annotated(sql), "The text and what was stated beside it", None)


def _together(one: Terms, other: Terms, who: str, place: Position | None) -> Terms:
    for what, first, second in (
        ("purposes", one.purpose, other.purpose),
        ("epsilons", one.micro_epsilon, other.micro_epsilon),
    ):
        if first and second and first != second:
            raise error(
                "INVALID_ARGUMENT",
                f"{who} state two different {what}.",
                hint="State each once.",
                position=place,
            )
    return Terms(one.purpose or other.purpose, one.micro_epsilon or other.micro_epsilon)


def _terms(body: str, place: Position) -> Terms:
    found = Terms()
    for part in body.split(","):
        term = _TERM.fullmatch(part)
        one = stated(term[1], term[2], place) if term else None
        if one is None:
            raise _refusal("A comment states something beside purpose and epsilon.", place)
        found = _together(found, one, "One comment", place)
    return found


def stated(key: str, value: str, place: Position | None = None) -> Terms | None:
    """The term that a key and its value state; None for a key that is none.

    Raises INVALID_ARGUMENT, EPSILON_OUT_OF_RANGE.
    """
    match key:
        case "purpose" if _PURPOSE.fullmatch(value):
            return Terms(purpose=value)
        case "epsilon" if number := _EPSILON.fullmatch(value):
            return Terms(micro_epsilon=_micro(number, place))
        case "purpose" | "epsilon":
            raise _refusal(f"The stated {key} cannot be read.", place)
        case _:
            return None


def _micro(number: re.Match[str], place: Position | None) -> int:
    micro = int(number[1]) * 1_000_000 + int((number[2] or "0").ljust(6, "0"))
    if not 0 < micro <= 1_000_000_000_000:
        raise error(
            "EPSILON_OUT_OF_RANGE",
            "The stated epsilon must be a number from 0.000001 to 1000000.",
            hint="Leave it out for the contract's default.",
            position=place,
        )
    return micro


def _refusal(message: str, place: Position | None) -> LandbridgeError:
    return error("INVALID_ARGUMENT", message, hint=_HINT, position=place)


def _comments(sql: str) -> Iterator[tuple[Position, str]]:
    """Every comment's place and body, outside quoted texts and names; comments can nest."""
    at = 0
    while (piece := _PIECES.search(sql, at)) is not None:
        at = piece.end()
        if piece[0].startswith("--"):
            if _MEANT.match(piece[0][2:]):
                raise _refusal(
                    "Purpose and epsilon stand in a comment of the other kind.",
                    _position(sql, piece.start()),
                )
        elif piece[0] == "/*":
            begin, depth = at, 1
            while depth and (edge := _EDGE.search(sql, at)) is not None:
                depth += 1 if edge[0] == "/*" else -1
                at = edge.end()
            if depth:
                return  # it does not end, and the text is refused for that
            yield _position(sql, piece.start()), sql[begin : at - 2]


def _position(sql: str, offset: int) -> Position:
    before = sql[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
