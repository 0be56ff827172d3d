"""Apache Spark's words, where they differ from DuckDB's in spelling or, spelt alike, in meaning.

A session has `spark.sql.ansi.enabled`, so that what overflows fails instead of wrapping around, and
`spark.sql.ansi.doubleQuotedIdentifiers`, so that names are quoted as everywhere else; its time zone
is UTC, and moments are `TIMESTAMP_NTZ`, which none of Spark's time zones touches. Source: Spark SQL
reference, "ANSI Compliance" and the built-in functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from nodes.dialects.dialect import Bindable
from nodes.dialects.standard import Standard
from policies.contract import Type
from policies.question import Span

_BELOW_HALF: Final = "0.49999999999999994D"
"""The largest double below a half: with it a value just below one half is rounded to zero."""


class Spark(Standard):
    """Spark 4, over Spark Connect."""

    name = "spark"
    types: ClassVar[dict[Type, str]] = {
        Type.INTEGER: "BIGINT",
        Type.NUMBER: "DOUBLE",
        Type.TEXT: "STRING",
        Type.BOOLEAN: "BOOLEAN",
        Type.DATE: "DATE",
        Type.TIMESTAMP: "TIMESTAMP_NTZ",
    }

    def place(self, number: int, value: Bindable) -> str:
        """Named, so that one value can stand in several places, and of a stated type."""
        match value:
            case bool():
                kind = "BOOLEAN"
            case int():
                kind = "BIGINT"
            case float():
                kind = "DOUBLE"
            case str():
                kind = "STRING"
        return f"CAST(:p{number} AS {kind})"

    def days(self, first: str, last: str) -> str:
        """The later one first."""
        return f"datediff({last}, {first})"

    def spans(self, span: Span, first: str, last: str) -> str:
        """Counted from the year 0."""
        return f"({self._since_zero(span, last)} - {self._since_zero(span, first)})"

    @staticmethod
    def _since_zero(span: Span, day: str) -> str:
        if span is Span.YEAR:
            return f"year({day})"
        return f"(year({day}) * {12 if span is Span.MONTH else 4} + {span}({day}))"

    def quotient(self, value: str, by: str) -> str:
        """`/` would be a decimal's."""
        return f"{value} DIV {by}"

    def steps(self, value: str, step: str) -> str:
        """`round` goes over the decimal text of each value, which is slow."""
        steps = f"{value} / {step}"
        return (
            f"CASE WHEN {value} < 0 THEN ceil({steps} - {_BELOW_HALF}) "
            f"ELSE floor({steps} + {_BELOW_HALF}) END"
        )

    def element(self, values: Sequence[str], index: str) -> str:
        """Of an array."""
        return f"element_at(array({', '.join(values)}), {index} + 1)"

    def starts_with(self, value: str, prefix: str) -> str:
        """Without the underscore."""
        return f"startswith({value}, {prefix})"

    def grouping(self, keys: Sequence[str]) -> str:
        """Of one key each."""
        bits = (f"CAST(grouping({key}) AS INT) * {1 << n}" for n, key in enumerate(reversed(keys)))
        return " + ".join(bits)

    def spread(self, text: str) -> str:
        """By a hash that any text has."""
        return f"xxhash64({text})"

    def day(self, value: str) -> str:
        """By this pattern."""
        return f"date_format({value}, 'yyyy-MM-dd')"

    def moment(self, value: str) -> str:
        """By this pattern."""
        return rf"date_format({value}, 'yyyy-MM-dd\'T\'HH:mm:ss.SSSSSS')"

    def block(self, key: str) -> str:
        """In bytes."""
        octets, digest = f"encode({key}, 'UTF-8')", f"sha2(encode({key}, 'UTF-8'), 256)"
        length = f"octet_length({key})"
        return (
            f"CASE WHEN {length} <= 15 THEN concat({octets}, unhex(concat("
            f"repeat('00', 15 - {length}), lpad(hex({length}), 2, '0')))) "
            f"ELSE unhex(concat(substr({digest}, 1, 30), "
            f"translate(substr({digest}, 31, 1), '02468ace', '13579bdf'), "
            f"substr({digest}, 32, 1))) END"
        )


SPARK: Final = Spark()
