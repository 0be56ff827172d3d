"""Averages, spreads and regressions as arithmetic on sums and counts.

The measures are additive, so they can be released by several departments and added up; what is
computed of them afterwards costs nothing more. Spreads are taken around the middle of the clip
interval, which changes neither them nor correlations and keeps the sums, and so the noise, small.
"""

from __future__ import annotations

from gateway.scalar import Combination, Fixed, Number, Root, Scalar, Sign, Within
from landbridge.errors import error
from policies.bounds import interval
from policies.canonical import canonical_measure
from policies.contract import Contract
from policies.question import (
    Arithmetic,
    Case,
    Constant,
    Count,
    Expression,
    IsNull,
    Not,
    Operator,
    Sum,
    cases_of,
    columns_of,
)


class Moments:
    """Formulas over one contract's columns."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def mean(self, x: Expression) -> Scalar:
        """Sum / count."""
        return _over(self._sum(x), self._count(x))

    def variance(self, x: Expression) -> Scalar:
        """Of the sample, as SQL's `variance`: (Sxx - Sx Sx / n) / (n - 1)."""
        x = self._centred(x)
        n, sx, sxx = self._count(x), self._sum(x), self._sum(_times(x, x))
        return _over(_minus(sxx, _over(_product(sx, sx), n)), _minus(n, Fixed(1)))

    def deviation(self, x: Expression) -> Scalar:
        """The square root of the variance."""
        return Root(self.variance(x))

    def correlation(self, y: Expression, x: Expression) -> Scalar:
        """Pearson's, over rows in which both have a value."""
        n, sx, sy, sxx, syy, sxy = self._pairs(y, x)
        spread_x = _minus(_product(n, sxx), _product(sx, sx))
        spread_y = _minus(_product(n, syy), _product(sy, sy))
        common = _minus(_product(n, sxy), _product(sx, sy))
        # One after the other, so that each spread must stand out of its own noise.
        return Within(_over(_over(common, Root(spread_x)), Root(spread_y)), -1.0, 1.0)

    def slope(self, y: Expression, x: Expression) -> Scalar:
        """Of y on x by least squares, SQL's `regr_slope(y, x)`."""
        n, sx, sy, sxx, _, sxy = self._pairs(y, x, both_spreads=False)
        common = _minus(_product(n, sxy), _product(sx, sy))
        return _over(common, _minus(_product(n, sxx), _product(sx, sx)))

    def intercept(self, y: Expression, x: Expression) -> Scalar:
        """Of y on x by least squares, SQL's `regr_intercept(y, x)`."""
        n, sx, sy, *_ = self._pairs(y, x, both_spreads=False)
        slope = self.slope(y, x)
        at_x = Combination(Sign.ADD, Fixed(self._middle(x)), _over(sx, n))
        at_y = Combination(Sign.ADD, Fixed(self._middle(y)), _over(sy, n))
        return _minus(at_y, _product(slope, at_x))

    def _pairs(
        self, y: Expression, x: Expression, *, both_spreads: bool = True
    ) -> tuple[Scalar, Scalar, Scalar, Scalar, Scalar, Scalar]:
        """n, Sx, Sy, Sxx, Syy, Sxy around the middles, over rows in which both have a value."""
        if any(True for side in (x, y) for _ in cases_of(side)):
            # Which rows both sides have a value in would take the conditions of both.
            raise error(
                "INVALID_QUESTION",
                "corr and the regr functions take columns and arithmetic, without CASE.",
                hint="Put the condition behind WHERE.",
            )
        x_alone, y_alone = self._centred(x), self._centred(y)
        x, y = self._where_present(x_alone, y), self._where_present(y_alone, x)
        product = _times(x_alone, y_alone)  # NULL where either is, by itself
        return (
            self._count(product),
            self._sum(x),
            self._sum(y),
            self._sum(_times(x, x)),
            self._sum(_times(y, y)) if both_spreads else Fixed(0),
            self._sum(product),
        )

    def _where_present(self, value: Expression, other: Expression) -> Expression:
        """The value in rows in which the other one is not NULL too."""
        for name in sorted(set(columns_of(other)) - set(columns_of(value))):
            if self._contract.by_name[name].nullable:
                value = Case(Not(IsNull(name)), value)
        return value

    def _middle(self, x: Expression) -> int | float:
        found = interval(x, self._contract)
        middle = (found.low + found.high) / 2
        return int(middle) if found.whole else round(middle / found.step) * found.step

    def _centred(self, x: Expression) -> Expression:
        middle = self._middle(x)
        return x if not middle else Arithmetic(Operator.SUBTRACT, x, Constant(middle))

    def _sum(self, x: Expression) -> Scalar:
        return Number(canonical_measure(Sum(x), self._contract))

    def _count(self, x: Expression) -> Scalar:
        return Number(canonical_measure(Count(x), self._contract))


def _times(x: Expression, y: Expression) -> Expression:
    return Arithmetic(Operator.MULTIPLY, x, y)


def _over(x: Scalar, y: Scalar) -> Scalar:
    return Combination(Sign.DIVIDE, x, y)


def _minus(x: Scalar, y: Scalar) -> Scalar:
    return Combination(Sign.SUBTRACT, x, y)


def _product(x: Scalar, y: Scalar) -> Scalar:
    return Combination(Sign.MULTIPLY, x, y)
