"""Grouping keys: a column, a date cut off to a unit, a number's bucket."""

from __future__ import annotations

from sqlglot import exp

from gateway.sql.literal import number_of
from gateway.sql.row import RowReader
from gateway.sql.source import Source
from policies.question import Bucketed, GroupKey, Span, Truncated, Whole

KEYS = "columns that the directory marks for grouping, date_trunc('month', column) and width_bucket(column, 0, 100, 10)"  # noqa: E501 - one line in a message


def is_key(node: exp.Expr) -> bool:
    """Whether the node could only be a grouping key."""
    return isinstance(node, exp.Column | exp.TimestampTrunc | exp.DateTrunc | exp.WidthBucket)


class KeyReader:
    """Reads what stands behind GROUP BY, and again in SELECT."""

    def __init__(self, source: Source, row: RowReader) -> None:
        self._source = source
        self._row = row

    def key(self, node: exp.Expr) -> GroupKey:
        """One grouping key."""
        match node:
            case exp.Column():
                return Whole(self._row.column(node).name)
            case exp.TimestampTrunc() | exp.DateTrunc():
                self._source.closed(node, "this", "unit", hint=f"Accepted are {KEYS}.")
                name = self._row.column(node.this).name
                word = str(node.args["unit"].this).lower()
                if word not in tuple(Span):
                    self._source.refuse(
                        node, "This is no unit to cut a date off to.",
                        f"Accepted are {', '.join(Span)}.",
                    )  # fmt: skip
                return Truncated(name, Span(word))
            case exp.WidthBucket():
                return self._bucket(node)
            case _:
                self._source.refuse(node, "This is no grouping key.", f"Accepted are {KEYS}.")

    def _bucket(self, node: exp.WidthBucket) -> Bucketed:
        hint = "Write width_bucket(column, 0, 100, 10)."
        self._source.closed(node, "this", "min_value", "max_value", "num_buckets", hint=hint)
        parts = [node.args.get(part) for part in ("min_value", "max_value", "num_buckets")]
        if not all(isinstance(part, exp.Expr) for part in parts):
            self._source.refuse(node, "width_bucket takes a column and three numbers.", hint)
        low, high, count = (
            number_of(self._source, part) for part in parts if isinstance(part, exp.Expr)
        )
        if not isinstance(count, int) or count < 1:
            self._source.refuse(node, "width_bucket makes a whole number of buckets.", hint)
        return Bucketed(self._row.column(node.this).name, float(low), float(high), count)
