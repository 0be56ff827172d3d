"""The words of SQL that engines spell differently: DuckDB's, from which the others depart.

The node writes its SQL itself and word by word, so that every function has one meaning that was
looked up; a transpiler keeps the syntax and lets rounding, division or overflow change (0059).
Every word here gives the same value on every engine, and none can fail on data that was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from policies.contract import Type
from policies.question import Span

Bindable = int | float | str | bool


@dataclass(frozen=True, slots=True)
class Part:
    """One of `parts` in which a table is read, numbered from 0: its rows from `first` up to `end`.

    The last one's `end` is None.
    """

    number: int
    parts: int
    first: int
    end: int | None


class Dialect:
    """DuckDB's words. A further engine overrides what it spells in another way."""

    name = "duckdb"
    positional = True
    """Whether places stand for values by their order in the text, so that none can be repeated."""
    looks_up = True
    """Whether one text key is found in its domain once it is grouped, not row by row."""
    derived = ""
    """What follows a SELECT that is selected from."""
    ranks = False
    """Whether the largest of a group are told by a rank beside each, made by a window."""
    types: ClassVar[dict[Type, str]] = {
        Type.INTEGER: "BIGINT",
        Type.NUMBER: "DOUBLE",
        Type.TEXT: "VARCHAR",
        Type.BOOLEAN: "BOOLEAN",
        Type.DATE: "DATE",
        Type.TIMESTAMP: "TIMESTAMP",
    }

    def place(self, number: int, value: Bindable) -> str:
        """The place of the parameter of that number, from 1."""
        del number, value
        return "?"

    def any_of(self, value: str) -> str:
        """One of a group's values, which are all the same."""
        return f"any_value({value})"

    def days(self, first: str, last: str) -> str:
        """Days between two dates."""
        return f"date_diff('day', {first}, {last})"

    def spans(self, span: Span, first: str, last: str) -> str:
        """How many months, quarters or years begin after one date and up to another."""
        return f"date_diff('{span}', {first}, {last})"

    def quotient(self, value: str, by: str) -> str:
        """Of whole numbers that are not negative, the whole part."""
        return f"{value} // {by}"

    def product(self, left: str, right: str, *, whole: bool) -> str:
        """Of whole numbers, or of doubles, where one that is too small is zero."""
        del whole
        return f"({left} * {right})"

    def steps(self, value: str, step: str) -> str:
        """A double in steps, to the nearest; halves away from zero."""
        return f"round({value} / {step})"

    def element(self, values: Sequence[str], index: str) -> str:
        """One of the values, by a whole number from 0."""
        return f"[{', '.join(values)}][{index} + 1]"

    def starts_with(self, value: str, prefix: str) -> str:
        """Whether a text begins with another, byte by byte."""
        return f"starts_with({value}, {prefix})"

    def grouping(self, keys: Sequence[str]) -> str:
        """Which of the keys are summed over, the last one as bit 0."""
        return f"GROUPING({', '.join(keys)})"

    def nth_largest(self, value: str, rank: int, most: int, place: str) -> str:
        """The largest value of a group, the second, ...; `place` is the rank beside it."""
        del place
        return f"max({value}, {most})[{rank}]"

    def first_of(self, columns: Sequence[str], rest: str, unit: str, order: str, most: str) -> str:
        """A grouped SELECT, of which each unit keeps its first rows."""
        return (
            f"SELECT {', '.join(columns)} {rest} QUALIFY row_number() OVER "
            f"(PARTITION BY {unit} ORDER BY {order}) <= {most}"
        )

    # For linked questions.

    def part(self, text: str, part: Part, bound: Callable[[int], str]) -> tuple[str, ...]:
        """The conditions for one of the parts in which a table is read: a range of its rows.

        `text` is a row's key; `bound` gives a number its place.
        """
        del text
        first = f'"__row" >= {bound(part.first)}'
        return (first,) if part.end is None else (first, f'"__row" < {bound(part.end)}')

    def octets(self, text: str) -> str:
        """The length of a text in bytes of UTF-8."""
        return f"strlen({text})"

    def text(self, value: str, kind: Type) -> str:
        """A value's canonical text, as `landbridge.protocols.pseudonyms` says."""
        match kind:
            case Type.TEXT:
                return value
            case Type.INTEGER:
                return f"CAST({value} AS {self.types[Type.TEXT]})"
            case Type.BOOLEAN:
                return f"CASE WHEN {value} THEN 'true' ELSE 'false' END"
            case Type.DATE:
                return self.day(value)
            case Type.TIMESTAMP:
                return self.moment(value)
            case Type.NUMBER:
                raise AssertionError("no contract links on numbers")

    def day(self, value: str) -> str:
        """2013-01-31."""
        return f"strftime({value}, '%Y-%m-%d')"

    def moment(self, value: str) -> str:
        """2013-01-31T05:00:00.000000."""
        return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%f')"

    def block(self, key: str) -> str:
        """A text's 16 bytes, as `landbridge.protocols.pseudonyms.blocks` makes them."""
        return (
            f"CASE WHEN strlen({key}) <= 15 THEN encode({key} || repeat(chr(0), 15 - "
            f"strlen({key})) || chr(CAST(strlen({key}) AS INTEGER))) "
            f"ELSE unhex(substr(sha256({key}), 1, 30) || "
            f"translate(substr(sha256({key}), 31, 1), '02468ace', '13579bdf') || "
            f"substr(sha256({key}), 32, 1)) END"
        )


DUCKDB: Final = Dialect()
