"""Places (`?`) in a text, and the values that go there: as literals of the text, never as text.

A place becomes the words that its value would be written with, before anything is checked or
parsed. So whatever holds for a literal holds for a value, and a value can be nothing but a literal:
it is one word, however it reads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from gateway.sql.source import position_of, require_printable
from landbridge.errors import Position, error
from landbridge.literals import Value

MAXIMUM_PLACES = 200


def filled(text: str, words: list[Token], values: Sequence[Value]) -> list[Token]:
    """The words with every place filled, in the order of the text.

    Raises INVALID_ARGUMENT where there are more or fewer values than places, or where one is not a
    finite number or holds what no text may hold.
    """
    places = [word for word in words if word.token_type is TokenType.PLACEHOLDER]
    if len(places) != len(values) or len(values) > MAXIMUM_PLACES:
        raise error(
            "INVALID_ARGUMENT",
            f"The text has {len(places)} places (?) and {len(values)} values came with it.",
            hint=f"Give one value for each place, {MAXIMUM_PLACES} at the most.",
            position=position_of(text, places[0].start) if places else None,
        )
    if not places:
        return words
    left = iter(values)
    found: list[Token] = []
    for word in words:
        if word.token_type is TokenType.PLACEHOLDER:
            found += _written(word, next(left))
        else:
            found.append(word)
    return found


def places_in(text: str) -> int:
    """How many places a text has; raises INVALID_QUESTION for one that is no SQL."""
    return sum(word.token_type is TokenType.PLACEHOLDER for word in words_of(text))


def words_of(text: str) -> list[Token]:
    """The words of a text, as sqlglot's linear tokenizer sees them; raises INVALID_QUESTION."""
    try:
        return sqlglot.tokenize(text, read="duckdb")
    except (SqlglotError, ValueError):
        raise error(
            "INVALID_QUESTION",
            "A quoted text or name does not end.",
            hint="Close it with the quote that it begins with.",
            position=Position(1, 1),
        ) from None


def _written(place: Token, value: Value) -> list[Token]:
    match value:
        case bool():
            return [_word(place, TokenType.TRUE if value else TokenType.FALSE, str(value).upper())]
        case int() | float():
            if not math.isfinite(value):
                raise error("INVALID_ARGUMENT", "A value for a place (?) is no finite number.")
            number = _word(place, TokenType.NUMBER, repr(abs(value)))
            if math.copysign(1, value) > 0:
                return [number]
            return [
                _word(place, TokenType.L_PAREN, "("),
                _word(place, TokenType.DASH, "-"),
                number,
                _word(place, TokenType.R_PAREN, ")"),
            ]
        case str():
            require_printable(value, "A value for a place (?)")
            return [_word(place, TokenType.STRING, value)]
        case datetime():
            moment = value.isoformat(sep=" ")
            return [
                _word(place, TokenType.TIMESTAMP, "TIMESTAMP"),
                _word(place, TokenType.STRING, moment),
            ]
        case date():
            return [
                _word(place, TokenType.DATE, "DATE"),
                _word(place, TokenType.STRING, value.isoformat()),
            ]


def _word(place: Token, kind: TokenType, text: str) -> Token:
    """A word that stands where the place stands."""
    return Token(kind, text, place.line, place.col, place.start, place.end)
