"""Interval arithmetic: how large and how small an expression over one row can be.

Source: R. E. Moore, Interval Analysis (1966), chapter 3. Every column stands for its clip
interval, because the compiled SQL clamps it there before it computes. The bounds hold for every
part of an expression, not only for the whole: an overflow half-way would be an error that depends
on data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from landbridge.errors import error
from landbridge.submission.randomised import Clamped
from policies.contract import Contract, Type
from policies.question import Arithmetic, Case, ColumnOf, Constant, Expression, Operator

MAXIMUM_UNITS = 2**31
"""Bound on an expression in steps: 2^31 rows of it still fit a signed 64-bit sum."""
MAXIMUM_PART = 2.0**52
"""Bound on every part of an expression: whole numbers up to here are exact in a double too."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed interval `[low, high]`; `step` is the grid that sums are taken on.

    `whole` is true where every value is an integer by construction, so that no rounding happens.
    """

    low: float
    high: float
    step: float
    whole: bool

    @property
    def low_units(self) -> int:
        """The lower end in whole steps, rounded away from what an engine could round to."""
        return math.floor(self.low / self.step)

    @property
    def high_units(self) -> int:
        """The upper end in whole steps, rounded away from what an engine could round to."""
        return math.ceil(self.high / self.step)


@dataclass(frozen=True, slots=True)
class _Part:
    low: float
    high: float
    step: Fraction
    whole: bool


def interval(expression: Expression, contract: Contract) -> Interval:
    """Where the expression's values lie, and a grid that holds them where that is not too fine.

    Raises InvalidQuestion UNBOUNDED_EXPRESSION, naming the column that lacks bounds, or because
    the expression or a part of it grows too large.
    """
    found = _part(expression, contract)
    reach = max(abs(found.low), abs(found.high))
    if found.whole and reach <= MAXIMUM_UNITS:
        return Interval(found.low, found.high, 1.0, whole=True)
    step = float(found.step)
    if not step > 0:
        raise _too_large()
    while reach / step > MAXIMUM_UNITS:
        step *= 2
    return Interval(found.low, found.high, step, whole=False)


def _part(expression: Expression, contract: Contract) -> _Part:
    match expression:
        case Constant(value):
            # The grid of a decimal number: 2.6 lies on fifths.
            exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
            grid = Fraction(1, exact.denominator)
            found = _Part(value, value, grid, isinstance(value, int))
        case ColumnOf(name):
            found = _column(name, contract)
        case Arithmetic(Operator.MULTIPLY, left, right) if left == right:
            found = _square(_part(left, contract))
        case Arithmetic(operator, left, right):
            found = _combined(operator, _part(left, contract), _part(right, contract))
        case Case(_, then, otherwise):
            found = _either(
                _part(then, contract), None if otherwise is None else _part(otherwise, contract)
            )
        case _:
            assert_never(expression)
    if not (abs(found.low) <= MAXIMUM_PART and abs(found.high) <= MAXIMUM_PART):
        raise _too_large()
    return found


def _too_large() -> Exception:
    return error(
        "UNBOUNDED_EXPRESSION",
        "A part of an aggregated expression grows too large.",
        hint="Aggregate a smaller expression.",
    )


def _column(name: str, contract: Contract) -> _Part:
    column = contract.by_name[name]
    if column.type not in (Type.INTEGER, Type.NUMBER):
        raise error(
            "UNBOUNDED_EXPRESSION",
            f"Column {name} is no number and cannot be summed or averaged.",
            hint="Count it, or group by it where its domain is declared.",
        )
    if column.clip is None:
        raise error(
            "UNBOUNDED_EXPRESSION",
            f"Column {name} has no bounds in the contract, so nothing can be aggregated over it.",
            hint="Its owner can declare a minimum and a maximum.",
        )
    whole = column.type is Type.INTEGER
    if isinstance(column.randomised, Clamped):
        # What a report counts as: beyond the ends where it is at one, see `nodes.compile`.
        low, high = column.randomised.ends
        return _Part(low, high, Fraction(1) if whole else Fraction(repr(column.step)), whole)
    step = Fraction(1) if whole else Fraction(repr(column.step))
    return _Part(column.clip.low, column.clip.high, step, whole)


def _square(side: _Part) -> _Part:
    """A square is never negative, which the product of two unrelated intervals could be."""
    ends = (side.low * side.low, side.high * side.high)
    low = 0.0 if side.low <= 0 <= side.high else min(ends)
    return _Part(low, max(ends), side.step * side.step, side.whole)


def _either(then: _Part, otherwise: _Part | None) -> _Part:
    if otherwise is None:
        return then
    return _Part(
        min(then.low, otherwise.low),
        max(then.high, otherwise.high),
        _common(then.step, otherwise.step),
        then.whole and otherwise.whole,
    )


def _combined(operator: Operator, left: _Part, right: _Part) -> _Part:
    match operator:
        case Operator.ADD:
            low, high = left.low + right.low, left.high + right.high
            step = _common(left.step, right.step)
        case Operator.SUBTRACT:
            low, high = left.low - right.high, left.high - right.low
            step = _common(left.step, right.step)
        case Operator.MULTIPLY:
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            low, high = min(corners), max(corners)
            step = left.step * right.step
        case _:
            assert_never(operator)
    return _Part(low, high, step, left.whole and right.whole)


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The coarsest grid that holds both: the greatest common divisor of two fractions."""
    denominator = one.denominator * other.denominator
    return Fraction(
        math.gcd(one.numerator * other.denominator, other.numerator * one.denominator),
        denominator,
    )
