"""Several departments' releases become one: step (11). Trusts none of them.

Measures are additive over rows, so cells add up, and so do the variances of independent noise. A
release that does not have exactly the shape, grid and accuracy that the plan demands is rejected
with the department's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from landbridge.errors import error
from landbridge.literals import from_literal
from landbridge.v1 import release_pb2
from policies.contract import Noise
from policies.disclosure import Mechanism, ReleasePlan

GAUSSIAN = 1.959964
"""Half-width of a normal 95 % interval in standard deviations."""
LAPLACE = math.log(20) / math.sqrt(2)
"""The same for one Laplace draw; on the safe side for a sum of several."""


@dataclass(frozen=True, slots=True)
class Combined:
    """One measure over all cells, in grid steps, summed over departments.

    `deviation` is the standard deviation of one cell's noise in grid steps; `factor` turns it into
    a 95 % half-width.
    """

    mechanism: Mechanism
    units: tuple[int, ...]
    deviation: float
    factor: float


def combine(plan: ReleasePlan, releases: Mapping[str, release_pb2.Release]) -> tuple[Combined, ...]:
    """The sum over departments, one entry per measure of the plan; raises ANSWER_REJECTED."""
    for department, release in releases.items():
        _check(plan, department, release)
    found = []
    for place, mechanism in enumerate(plan.mechanisms):
        vectors = [release.measures[place].units for release in releases.values()]
        units = tuple(map(sum, zip(*vectors, strict=True)))
        scale = mechanism.standard_deviation / mechanism.step
        factor = LAPLACE if mechanism.noise is Noise.LAPLACE else GAUSSIAN
        found.append(Combined(mechanism, units, scale * math.sqrt(len(vectors)), factor))
    return tuple(found)


def _check(plan: ReleasePlan, department: str, release: release_pb2.Release) -> None:
    domains = [
        (tuple(from_literal(value) for value in domain.values), domain.null_last)
        for domain in release.domains
    ]
    good = domains == [(axis.values, axis.null_last) for axis in plan.axes]
    good = good and len(release.measures) == len(plan.mechanisms)
    good = good and all(
        len(measure.units) == plan.cells
        and measure.step == mechanism.step
        and measure.centre == mechanism.centre_units * mechanism.step
        and measure.standard_deviation == mechanism.standard_deviation
        for measure, mechanism in zip(release.measures, plan.mechanisms, strict=False)
    )
    if not good:
        raise error(
            "ANSWER_REJECTED",
            f"Department {department} sent an answer that does not fit the question.",
            missing=(department,),
        )
