"""Medians, quantiles, and minima and maxima as quantiles that the owner bounds."""

from __future__ import annotations

from sqlglot import exp

from gateway.scalar import Quantile
from gateway.sql.literal import number_of
from gateway.sql.row import RowReader
from gateway.sql.source import Source
from policies.canonical import canonical_expression
from policies.contract import Contract
from policies.question import ColumnOf, Expression, Histogram

QUANTILES = "Write median(x), quantile_cont(x, 0.9) or quantile_disc(x, 0.9)."


class OrderReader:
    """Reads aggregates of order, for one table and one caller."""

    def __init__(self, source: Source, contract: Contract, row: RowReader) -> None:
        self._source = source
        self._contract = contract
        self._row = row

    def quantile(self, node: exp.Expr) -> Quantile:
        """One quantile; `quantile` is `quantile_disc`, as in DuckDB."""
        match node:
            case exp.Median():
                self._source.closed(node, "this", hint=QUANTILES)
                return self._of(self._row.expression(self._argument(node)), 0.5, discrete=False)
            case exp.Min() | exp.Max():
                return self._extreme(node)
            case _:
                part = "quantile" if isinstance(node, exp.Quantile) else "expression"
                self._source.closed(node, "this", part, hint=QUANTILES)
                share = self._share(node, node.args.get(part))
                of = self._row.expression(self._argument(node))
                return self._of(of, share, discrete=not isinstance(node, exp.PercentileCont))

    def _of(self, of: Expression, share: float, *, discrete: bool) -> Quantile:
        return Quantile(Histogram(canonical_expression(of, self._contract)), share, discrete)

    def _argument(self, node: exp.Expr) -> exp.Expr:
        if not isinstance(node.this, exp.Expr):
            self._source.refuse(node, "An aggregate takes something.", QUANTILES)
        return node.this

    def _share(self, node: exp.Expr, given: object) -> float:
        if not isinstance(given, exp.Expr):
            self._source.refuse(node, "A quantile takes a column and a share.", QUANTILES)
        share = float(number_of(self._source, given))
        if not 0 <= share <= 1:
            self._source.refuse(given, "A quantile's share is from 0 to 1.", QUANTILES)
        return share

    def _extreme(self, node: exp.Min | exp.Max) -> Quantile:
        word = "min" if isinstance(node, exp.Min) else "max"
        hint = f"{word} takes one column; quantile_cont(x, 0.99) takes arithmetic too."
        self._source.closed(node, "this", hint=hint)
        inner = self._argument(node)
        if not isinstance(inner, exp.Column):
            self._source.refuse(node, f"{word} takes a column.", hint)
        of = self._row.expression(inner)
        assert isinstance(of, ColumnOf)
        bound = self._contract.by_name[of.column].extremes
        if bound is None:
            self._source.refuse(
                node,
                f"{word}({of.column}) would be the value of one row, and the owner of "
                f"{self._contract.id} allows no minimum or maximum of column {of.column}.",
                f"Write quantile_cont({of.column}, {0.01 if word == 'min' else 0.99}).",
            )
        share = bound if word == "min" else 1 - bound
        return Quantile(Histogram(of), share, discrete=True, extreme=True)
