"""Several departments' releases become one: step (11). Trusts none of them.

Measures are additive over rows, so cells add up, and so do the variances of independent noise. A
release that does not have exactly the shape, grid and accuracy that the plan demands is rejected
with the department's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from landbridge.errors import error
from landbridge.literals import from_literal
from landbridge.v1 import node_pb2, release_pb2
from policies.contract import Noise
from policies.disclosure import Mechanism, ReleasePlan
from policies.question import Sum

GAUSSIAN = 1.959964
"""Half-width of a normal 95 % interval in standard deviations."""
LAPLACE = math.log(20) / math.sqrt(2)
"""The same for one Laplace draw; on the safe side for a sum of several."""


@dataclass(frozen=True, slots=True)
class Combined:
    """One measure over all cells, in grid steps, summed over departments.

    A histogram has the numbers of its trees cell by cell, see `policies.quantiles.Layout`.

    `deviation` is the standard deviation of one cell's noise in grid steps; `factor` turns it into
    a 95 % half-width, None where none is known. `withheld` are the places of cells that some
    department does not tell. `estimates` stand in the place of `units` where those count reports
    that were randomised at their source, and `sampled` is the 95 % half-width of what that does to
    each cell, in the measure's own unit; see `gateway.unbiased`.
    """

    mechanism: Mechanism
    units: tuple[int, ...]
    deviation: float
    factor: float | None
    withheld: frozenset[int] = frozenset()
    estimates: tuple[float, ...] | None = None
    sampled: tuple[float, ...] | None = None


MOST_ROWS = 10**11
"""More rows than this no department has; a count beyond it is no count."""


def combine(
    plan: ReleasePlan, replies: Mapping[str, node_pb2.AnswerResponse]
) -> tuple[Combined, ...]:
    """The sum over departments, one entry per measure of the plan; raises ANSWER_REJECTED."""
    for department, reply in replies.items():
        _check(plan, department, reply)
    return tuple(
        Combined(
            mechanism,
            tuple(
                map(sum, zip(*(r.release.measures[p].units for r in replies.values()), strict=True))
            ),
            *expected_noise(mechanism, len(replies)),
            frozenset().union(*(r.release.measures[p].withheld for r in replies.values())),
        )
        for p, mechanism in enumerate(plan.mechanisms)
    )


def suppressed(combined: Iterable[Combined]) -> int:
    """How many cells have a number that is withheld."""
    return len({place for part in combined for place in part.withheld})


def expected_noise(mechanism: Mechanism, departments: int) -> tuple[float, float | None]:
    """Standard deviation in grid steps over so many departments, and its 95 % factor."""
    alone = mechanism.standard_deviation / mechanism.step
    deviation = alone * math.sqrt(departments)
    if mechanism.table is not None:
        if not isinstance(mechanism.measure, Sum):
            return deviation, mechanism.table.half_width(departments) / deviation
        if not mechanism.reach:
            return deviation, None
        return deviation, mechanism.table.half_width_of_sum() * mechanism.reach / alone
    if mechanism.base > 1:
        return deviation, departments * (mechanism.base // 2) / deviation
    return deviation, LAPLACE if mechanism.noise is Noise.LAPLACE else GAUSSIAN


def require_budgets(department: str, estimate: node_pb2.EstimateResponse) -> None:
    """The budgets of an estimate can be shown; raises ANSWER_REJECTED."""
    if not all(map(is_budget, (estimate.recipient_budget, estimate.overall_budget))):
        raise error(
            "ANSWER_REJECTED",
            f"Department {department} sent an estimate that does not fit the question.",
            missing=(department,),
        )


def _check(plan: ReleasePlan, department: str, reply: node_pb2.AnswerResponse) -> None:
    release = reply.release
    domains = [
        (tuple(from_literal(value) for value in domain.values), domain.null_last)
        for domain in release.domains
    ]
    good = (
        domains == [(axis.values, axis.null_last) for axis in plan.axes]
        and len(release.measures) == len(plan.mechanisms)
        and all(map(_fits, release.measures, plan.mechanisms, [plan] * len(release.measures)))
        and all(map(is_budget, (reply.recipient_budget, reply.overall_budget)))
        and reply.charged_micro_rho == (0 if release.remembered else plan.cost_micro_rho)
    )
    if not good:
        raise error(
            "ANSWER_REJECTED",
            f"Department {department} sent an answer that does not fit the question.",
            missing=(department,),
        )


def _fits(measure: release_pb2.ReleasedMeasure, mechanism: Mechanism, plan: ReleasePlan) -> bool:
    """The grid, the centre and the accuracy that the plan demands, and possible numbers."""
    reach = 1
    if mechanism.span is not None:  # a sum's
        centre = mechanism.centre_units
        ends = (mechanism.span.low_units - centre, mechanism.span.high_units - centre)
        reach = max(1, *map(abs, ends))
    most = min(MOST_ROWS * reach, 2**62)
    return (
        len(measure.units) == plan.cells * mechanism.numbers
        and measure.step == mechanism.step
        and measure.centre == mechanism.centre_units * mechanism.step
        and math.isclose(measure.standard_deviation, mechanism.standard_deviation, rel_tol=1e-9)
        and measure.noise == mechanism.kind
        and _may_withhold(measure, plan)
        and all(abs(units) < most for units in measure.units)
    )


def _may_withhold(measure: release_pb2.ReleasedMeasure, plan: ReleasePlan) -> bool:
    """Only where the method does so, each cell once, and then as 0."""
    places = list(measure.withheld)
    return not places or (
        plan.terms.tabular
        and all(before < after for before, after in pairwise(places))
        and places[-1] < plan.cells
        and not any(measure.units[place] for place in places)
    )


def is_budget(budget: release_pb2.Budget) -> bool:
    """A budget that can be shown; all zero for data that protects nobody."""
    if not budget.limit_micro_rho:
        return not budget.spent_micro_rho
    return 0 < budget.delta < 1 and budget.limit_micro_rho < 2**53 > budget.spent_micro_rho
