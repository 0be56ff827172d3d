"""What is computed of cells: aggregates, arithmetic between them, and conditions on them."""

from __future__ import annotations

from sqlglot import exp

from gateway.moments import Moments
from gateway.presentation import Both, Either, Having, Holds, Neither
from gateway.scalar import Combination, Fixed, Number, Scalar, Sign
from gateway.sql.literal import number_of
from gateway.sql.order import OrderReader
from gateway.sql.row import RELATIONS, RowReader
from gateway.sql.source import Source
from policies.canonical import canonical_measure
from policies.contract import Contract
from policies.question import ColumnOf, Count, Measure, Sum, Units
from policies.review import MAXIMUM_DEPTH

AGGREGATES = (
    "count(*), count(column), count(DISTINCT unit), sum, avg, stddev, variance, corr, regr_slope, "
    "regr_intercept, median, quantile_cont(x, 0.9), quantile_disc, min and max of columns whose "
    "owner allows it, and + - * / between them"
)
_SIGNS: dict[type[exp.Expr], Sign] = {
    exp.Add: Sign.ADD,
    exp.Sub: Sign.SUBTRACT,
    exp.Mul: Sign.MULTIPLY,
    exp.Div: Sign.DIVIDE,
}


class ScalarReader:
    """Reads what stands in SELECT beside the keys, and behind HAVING."""

    def __init__(self, source: Source, contract: Contract, row: RowReader) -> None:
        self._source = source
        self._contract = contract
        self._row = row
        self._moments = Moments(contract)
        self._orders = OrderReader(source, contract, row)

    def scalar(self, node: exp.Expr, depth: int = 1) -> Scalar:
        """An aggregate, or arithmetic between aggregates and numbers."""
        if depth > MAXIMUM_DEPTH:
            self._source.refuse(
                node, f"Arithmetic is nested more than {MAXIMUM_DEPTH} deep.", "Ask for less."
            )
        sign = _SIGNS.get(type(node))
        if sign is not None:
            self._source.closed(
                node, "this", "expression", "typed", "safe", hint=f"Accepted are {AGGREGATES}."
            )
            return Combination(
                sign,
                self.scalar(node.this, depth + 1),
                self.scalar(node.args["expression"], depth + 1),
            )
        match node:
            case exp.Paren():
                return self.scalar(node.this, depth + 1)
            case exp.Neg() if not isinstance(node.this, exp.Literal):
                return Combination(Sign.MULTIPLY, Fixed(-1), self.scalar(node.this, depth + 1))
            case exp.Literal() | exp.Neg():
                return Fixed(number_of(self._source, node))
            case _:
                return self._aggregate(node)

    def having(self, node: exp.Expr) -> Having:
        """A condition on released numbers."""
        match node:
            case exp.And():
                return Both(self.having(node.this), self.having(node.expression))
            case exp.Or():
                return Either(self.having(node.this), self.having(node.expression))
            case exp.Not():
                return Neither(self.having(node.this))
            case exp.Paren():
                return self.having(node.this)
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._holds(node)
            case _:
                self._source.refuse(
                    node,
                    "HAVING compares released numbers with literals.",
                    "Write HAVING count(*) > 100; conditions on rows stand behind WHERE.",
                )

    def _holds(self, node: exp.Binary) -> Holds:
        straight, mirrored = RELATIONS[type(node)]
        left, right = node.this, node.expression
        if isinstance(right, exp.Literal | exp.Neg):
            return Holds(self.scalar(left), straight, number_of(self._source, right))
        if isinstance(left, exp.Literal | exp.Neg):
            return Holds(self.scalar(right), mirrored, number_of(self._source, left))
        # Two released numbers: their difference is one.
        difference = Combination(Sign.SUBTRACT, self.scalar(left), self.scalar(right))
        return Holds(difference, straight, 0)

    def _aggregate(self, node: exp.Expr) -> Scalar:
        match node:
            case exp.Count():
                return self._number(self._count(node))
            case exp.Sum():
                return self._number(Sum(self._row.expression(self._argument(node))))
            case exp.Avg():
                return self._moments.mean(self._row.expression(self._argument(node)))
            case exp.Variance():
                return self._moments.variance(self._row.expression(self._argument(node)))
            case exp.Stddev() | exp.StddevSamp():
                return self._moments.deviation(self._row.expression(self._argument(node)))
            case exp.Corr() | exp.RegrSlope() | exp.RegrIntercept():
                self._source.closed(node, "this", "expression", hint=f"Accepted are {AGGREGATES}.")
                y = self._row.expression(node.this)
                x = self._row.expression(node.args["expression"])
                if isinstance(node, exp.Corr):
                    return self._moments.correlation(y, x)
                if isinstance(node, exp.RegrSlope):
                    return self._moments.slope(y, x)
                return self._moments.intercept(y, x)
            case (
                exp.Median() | exp.Quantile() | exp.PercentileCont() | exp.PercentileDisc()
                | exp.Min() | exp.Max()
            ):  # fmt: skip
                return self._orders.quantile(node)
            case exp.Column():
                name = self._row.column(node).name
                self._source.refuse(
                    node,
                    f"Column {name} is selected but neither aggregated nor grouped by; rows never "
                    "leave a department.",
                    f"Accepted are grouping keys and {AGGREGATES}.",
                )
            case _:
                self._source.refuse(
                    node,
                    "This is no aggregate of the question algebra.",
                    f"Accepted are grouping keys and {AGGREGATES}.",
                )

    def _argument(self, node: exp.Expr) -> exp.Expr:
        self._source.closed(node, "this", hint=f"Accepted are {AGGREGATES}.")
        if not isinstance(node.this, exp.Expr):
            self._source.refuse(node, "An aggregate takes something.", "Name a column.")
        return node.this

    def _number(self, measure: Measure) -> Number:
        return Number(canonical_measure(measure, self._contract))

    def _count(self, node: exp.Count) -> Measure:
        self._source.closed(node, "this", "big_int", hint=f"Accepted are {AGGREGATES}.")
        inner = node.this
        if inner is None:
            self._source.refuse(node, "count() counts nothing.", "Write count(*).")
        if isinstance(inner, exp.Star):
            self._source.closed(inner, hint="count(*) takes the bare star.")
            return Count()
        if isinstance(inner, exp.Distinct):
            return self._distinct(inner)
        if isinstance(inner, exp.Column):
            return Count(ColumnOf(self._row.column(inner).name))
        return Count(self._row.expression(inner))

    def _distinct(self, inner: exp.Distinct) -> Measure:
        self._source.closed(inner, "expressions", hint="count(DISTINCT unit) takes one column.")
        counted = inner.expressions
        unit = self._contract.unit
        bare = len(counted) == 1 and isinstance(counted[0], exp.Column)
        if not bare or unit is None or self._row.name(counted[0]) != unit:
            self._source.refuse(
                inner,
                "count(DISTINCT ...) counts protected units only.",
                f"Write count(DISTINCT {unit})." if unit else "This table protects nobody.",
            )
        return Units()
