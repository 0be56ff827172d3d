"""A column that is measured by two servers, neither of which sees a value: Prio3 of its type.

A boolean is counted, a whole number within bounds is added up, a value of a declared domain is
counted by value. What the contributors' shares are split for, and what both nodes must agree on,
are the measurement's terms; `plan_measurement` says what its total costs and how it is protected.

Adjacent are two collections of reports of which one unit's reports say something else: how many
took part is not hidden, so a unit moves a sum by at most its whole range, and two buckets by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from landbridge.errors import error
from policies.accounting import MICRO, charge, limit, question_rho
from policies.contract import Column, Contract, Measurement, Noise, Type, Value
from policies.disclosure import Mechanism, chosen_epsilon
from policies.question import Count

Kind = Literal["count", "sum", "histogram"]
MOST_REPORTS: Final = 100_000
"""In one batch; more wait for the next."""
LARGEST_RANGE: Final = 2**40
"""Of an added number: a batch of the most reports stays far below half of the field."""
MOST_BUCKETS: Final = 1_000


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """Everything about a total that does not depend on data.

    `labels` are the buckets of a histogram in order, empty otherwise; a sum is that of the numbers
    less `low`, each up to `high - low`. Both departments add noise of `mechanism` in full, so that
    either's is enough against the other.
    """

    measurement: Measurement
    contract: Contract
    kind: Kind
    low: int
    high: int
    labels: tuple[Value, ...]
    mechanism: Mechanism
    cost_micro_rho: int
    epsilon: float
    delta: float

    @property
    def cells(self) -> int:
        """How many numbers a total has."""
        return len(self.labels) or 1


def measured(contract: Contract, column: str) -> Measurement | None:
    """The measurement of that column."""
    return next((each for each in contract.measurements if each.column == column), None)


def kind_of(column: Column) -> Kind | None:
    """How a column is measured; None where it cannot be."""
    if column.type is Type.BOOLEAN:
        return "count"
    if column.domain and len(column.domain) <= MOST_BUCKETS:
        return "histogram"
    if column.type is Type.INTEGER and column.clip is not None:
        low, high = column.clip.low, column.clip.high
        return "sum" if low < high and high - low <= LARGEST_RANGE else None
    return None


def plan_measurement(
    contract: Contract, measurement: Measurement, micro_epsilon: int
) -> MeasurementPlan:
    """The plan of a total; raises EPSILON_OUT_OF_RANGE."""
    column = contract.by_name[measurement.column]
    kind = kind_of(column)
    if kind is None:
        raise error("FAULT")  # a contract with such a column is not read
    terms = contract.disclosure
    epsilon = chosen_epsilon(contract, micro_epsilon)
    rho = question_rho(epsilon, terms.recipient.converting, terms.noise)
    # As `policies.disclosure.plan_release`: the budget's own epsilon must fit its rounded limit.
    cost = charge(rho)
    if terms.noise is Noise.GAUSSIAN:
        cost = min(cost, max(1, limit(terms.recipient)))
        rho = min(rho, cost / MICRO)
    low, high = 0, 1
    labels: tuple[Value, ...] = ()
    one: float = 1
    if kind == "sum" and column.clip is not None:
        low, high = math.ceil(column.clip.low), math.floor(column.clip.high)
        one = high - low
    elif kind == "histogram":
        labels = column.domain
        # One report leaves a bucket and enters another.
        one = 2 if terms.noise is Noise.LAPLACE else math.sqrt(2)
    sensitivity = float(terms.rows_per_unit * one)
    if terms.noise is Noise.LAPLACE:
        scale = sensitivity / (epsilon / terms.units_span)
    else:
        scale = sensitivity / math.sqrt(2 * rho / terms.units_span)
    mechanism = Mechanism(Count(None), terms.noise, scale, sensitivity, 1.0, 0)
    return MeasurementPlan(
        measurement, contract, kind, low, high, labels, mechanism, cost, epsilon,
        terms.recipient.delta,
    )  # fmt: skip


def chunk_of(buckets: int) -> int:
    """How many buckets one call of the proof's gadget looks at; all must use the same."""
    return max(1, math.isqrt(buckets))
