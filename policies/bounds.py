"""Interval arithmetic: how large and how small an expression over one row can be.

Source: R. E. Moore, Interval Analysis (1966), chapter 3. Every column stands for its clip
interval, because the compiled SQL clamps it there before it computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import assert_never

from landbridge.errors import error
from policies.contract import Contract, Type
from policies.question import Arithmetic, ColumnOf, Constant, Expression, Operator

MAXIMUM_UNITS = 2**31
"""Bound on an expression in steps: 2^31 rows of it still fit a signed 64-bit sum."""


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


def interval(expression: Expression, contract: Contract) -> Interval:
    """Where the expression's values lie.

    Raises InvalidQuestion UNBOUNDED_EXPRESSION, naming the column that lacks bounds.
    """
    found = _interval(expression, contract)
    if not (math.isfinite(found.low) and math.isfinite(found.high) and found.step > 0):
        raise error("UNBOUNDED_EXPRESSION", "An aggregated expression grows without finite bounds.")
    step = found.step
    while max(abs(found.low), abs(found.high)) / step > MAXIMUM_UNITS:
        step *= 2
    if found.whole and step != 1.0:
        raise error(
            "UNBOUNDED_EXPRESSION",
            f"An aggregated expression reaches {max(abs(found.low), abs(found.high)):.3g}, more "
            f"than {MAXIMUM_UNITS}.",
            hint="Aggregate a smaller expression.",
        )
    return Interval(found.low, found.high, step, found.whole)


def _interval(expression: Expression, contract: Contract) -> Interval:
    match expression:
        case Constant(value):
            step = 1.0 if isinstance(value, int) or value == 0 else abs(value)
            return Interval(value, value, step, isinstance(value, int))
        case ColumnOf(name):
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
                    f"Column {name} has no bounds in the contract, so nothing can be aggregated "
                    "over it.",
                    hint="Its owner can declare a minimum and a maximum.",
                )
            whole = column.type is Type.INTEGER
            return Interval(column.clip.low, column.clip.high, 1.0 if whole else column.step, whole)
        case Arithmetic(operator, left, right):
            return _combined(operator, _interval(left, contract), _interval(right, contract))
        case _:
            assert_never(expression)


def _combined(operator: Operator, left: Interval, right: Interval) -> Interval:
    whole = left.whole and right.whole
    match operator:
        case Operator.ADD:
            low, high = left.low + right.low, left.high + right.high
            step = min(left.step, right.step)
        case Operator.SUBTRACT:
            low, high = left.low - right.high, left.high - right.low
            step = min(left.step, right.step)
        case Operator.MULTIPLY:
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            low, high = min(corners), max(corners)
            step = left.step * right.step
        case _:
            assert_never(operator)
    return Interval(low, high, 1.0 if whole else step, whole)
