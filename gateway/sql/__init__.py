"""SQL in, typed question out: step (2) of a question's life. The owner of sqlglot.

The text is never run and never "checked": it is read into the closed algebra of
`policies.question`, node by node from a closed list, and what is not on the list is refused with
its line and column. What runs later is the node's own rendering of the typed question.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from typing import Final

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from gateway.presentation import Reading
from gateway.sql.places import places_in
from gateway.sql.source import Source, require_readable
from gateway.sql.statement import StatementReader
from gateway.sql.table import Link, Resolve, never
from gateway.sql.words import require_words
from landbridge.errors import Position, error
from landbridge.levels import Level
from landbridge.literals import Value

__all__ = ["Link", "Resolve", "places", "read", "silence"]

_DUCKDB: Final = Dialect.get_or_raise("duckdb")


def silence() -> None:
    """Keeps sqlglot's own warnings, which quote the text, out of the process's output."""
    logging.getLogger("sqlglot").disabled = True


def places(text: str) -> int:
    """How many places (?) for values the text has; raises INVALID_QUESTION."""
    require_readable(text)
    return places_in(text)


def read(
    text: str,
    resolve: Resolve,
    clearance: Level,
    names: Container[str] = frozenset(),
    values: Sequence[Value] = (),
    link: Link = never,
) -> Reading:
    """The question that the text asks, with `values` in its places (?); `names` are those that this
    caller may use, `link` decides about tables of several departments.

    Raises InvalidQuestion with a position for anything outside the algebra, and NOT_AVAILABLE or
    LEVEL_FORBIDS for tables and columns that this caller may not use.
    """
    require_readable(text)
    words = require_words(text, names, values)
    try:
        statements = _DUCKDB.parser().parse(words, text)
    except ParseError as failure:
        place = failure.errors[0] if failure.errors else {}
        line, column = int(place.get("line") or 1), int(place.get("col") or 1)
        raise error(
            "INVALID_QUESTION",
            "The text is not SQL that can be read.",
            hint="Write one SELECT of aggregates.",
            position=Position(line, column),
        ) from None
    except (SqlglotError, RecursionError, ValueError):
        raise error(
            "INVALID_QUESTION",
            "The text is not SQL that can be read.",
            hint="Write one SELECT of aggregates.",
            position=Position(1, 1),
        ) from None
    found = [statement for statement in statements if statement is not None]
    if len(found) != 1:
        raise error(
            "INVALID_QUESTION",
            f"The text holds {len(found)} statements.",
            hint="Write one SELECT of aggregates.",
            position=Position(1, 1),
        )
    try:
        return StatementReader(Source(text), resolve, clearance, link).reading(found[0])
    except RecursionError:
        raise error(
            "INVALID_QUESTION", "The text is nested too deeply.", position=Position(1, 1)
        ) from None
