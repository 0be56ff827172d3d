"""PostgreSQL's words, where they differ from DuckDB's in spelling or, spelt alike, in meaning.

Three of PostgreSQL's functions mean something else: `round(double precision)` takes halves to the
even number, `*` and `/` of doubles raise where a result is too small for one, and text is ordered
by a locale (loading gives every text column the collation "C"). Source: PostgreSQL 15, sections 9.3
and 24.2, and `float8_mul` in its `float.h`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from nodes.dialects.dialect import Bindable
from nodes.dialects.standard import Standard
from policies.contract import Type
from policies.question import Span

_BELOW_HALF: Final = "0.49999999999999994::double precision"
"""The largest double below a half: with it a value just below one half is rounded to zero."""
_SAFE: Final = "1e-150"
"""The product of two doubles of at least this size is a double that is not zero."""
_SMALLEST: Final = -744
"""The natural logarithm of about the smallest double over zero."""
_REPEATED: Final = 160
"""Characters of an operand that may be written twice; a longer one is named, so that the text
grows with the expression and not with a power of it."""


class PostgreSQL(Standard):
    """PostgreSQL 14 or newer."""

    name = "postgresql"
    types: ClassVar[dict[Type, str]] = {
        Type.INTEGER: "bigint",
        Type.NUMBER: "double precision",
        Type.TEXT: "text",
        Type.BOOLEAN: "boolean",
        Type.DATE: "date",
        Type.TIMESTAMP: "timestamp",
    }

    def place(self, number: int, value: Bindable) -> str:
        """Numbered, so that one value can stand in several places, and of a stated type."""
        match value:
            case bool():
                kind = "boolean"
            case int():
                kind = "bigint"
            case float():
                kind = "double precision"
            case str():
                kind = "text"
        return f"${number}::{kind}"

    def any_of(self, value: str) -> str:
        """any_value is newer than 14."""
        return f"min({value})"

    def days(self, first: str, last: str) -> str:
        """A difference of dates is an integer."""
        return f"({last} - {first})"

    def spans(self, span: Span, first: str, last: str) -> str:
        """Counted from the year 0."""
        return f"({self._since_zero(span, last)} - {self._since_zero(span, first)})"

    @staticmethod
    def _since_zero(span: Span, day: str) -> str:
        years = f"CAST(EXTRACT(YEAR FROM {day}) AS INTEGER)"
        if span is Span.YEAR:
            return years
        each = 12 if span is Span.MONTH else 4
        return f"({years} * {each} + CAST(EXTRACT({span.upper()} FROM {day}) AS INTEGER))"

    def quotient(self, value: str, by: str) -> str:
        """Of integers `/` is whole."""
        return f"{value} / {by}"

    def product(self, left: str, right: str, *, whole: bool) -> str:
        """Too small for a double is zero, as everywhere else, and no error."""
        if whole:
            return f"({left} * {right})"
        if len(left) + len(right) > _REPEATED:
            inner = self._product('"l"', '"r"')
            # OFFSET 0 keeps the planner from writing the operands in again.
            named = f'SELECT {left} AS "l", {right} AS "r" OFFSET 0'
            return f'(SELECT {inner} FROM ({named}) AS "operands")'
        return self._product(left, right)

    @staticmethod
    def _product(left: str, right: str) -> str:
        return (
            f"(CASE WHEN abs({left}) >= {_SAFE} AND abs({right}) >= {_SAFE} THEN {left} * {right} "
            f"WHEN {left} IS NULL OR {right} IS NULL THEN NULL "
            f"WHEN {left} = 0 OR {right} = 0 THEN 0 "
            f"WHEN ln(abs({left})) + ln(abs({right})) < {_SMALLEST} THEN 0 "
            f"ELSE {left} * {right} END)"
        )

    def steps(self, value: str, step: str) -> str:
        """Less than a quarter of a step is none, which a division might raise for."""
        if len(value) > _REPEATED:
            named = f'SELECT {value} AS "v" OFFSET 0'
            return (
                f'(SELECT {self._steps(chr(34) + "v" + chr(34), step)} FROM ({named}) AS "value")'
            )
        return self._steps(value, step)

    @staticmethod
    def _steps(value: str, step: str) -> str:
        return (
            f"CASE WHEN abs({value}) * 4 < {step} THEN 0 ELSE trunc({value} / {step} + "
            f"CASE WHEN {value} < 0 THEN -{_BELOW_HALF} ELSE {_BELOW_HALF} END) END"
        )

    def element(self, values: Sequence[str], index: str) -> str:
        """Of an array."""
        return f"(ARRAY[{', '.join(values)}])[{index} + 1]"

    def spread(self, text: str) -> str:
        """By a hash that any text has."""
        return f"hashtextextended({text}, 0)"

    def day(self, value: str) -> str:
        """By this pattern."""
        return f"to_char({value}, 'YYYY-MM-DD')"

    def moment(self, value: str) -> str:
        """By this pattern."""
        return f"""to_char({value}, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""

    def block(self, key: str) -> str:
        """In bytes, because a text has no zero in it here."""
        octets, digest = f"convert_to({key}, 'UTF8')", f"sha256(convert_to({key}, 'UTF8'))"
        length = f"octet_length({key})"
        return (
            f"CASE WHEN {length} <= 15 THEN {octets} || decode(repeat('00', 15 - {length}) || "
            f"lpad(to_hex({length}), 2, '0'), 'hex') ELSE set_byte(substr({digest}, 1, 16), 15, "
            f"get_byte({digest}, 15) | 16) END"
        )


POSTGRESQL: Final = PostgreSQL()
