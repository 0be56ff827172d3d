"""A number told again and again, for one budget: counting under continual observation.

A unit's rows come once and stay, so what a version of the table has more than the one before is a
stream to which each unit adds once. What is told is the running total, by the binary mechanism: the
stream is summed over intervals of 1, 2, 4, ... evaluations, each of these partial sums gets noise
once, and the total after t evaluations is the sum of as many partial sums as t has binary ones.
Sources: T.-H. H. Chan, E. Shi, D. Song, Private and Continual Release of Statistics (2011),
algorithm 2; C. Dwork, M. Naor, T. Pitassi, G. N. Rothblum, Differential Privacy under Continual
Observation (2010).

One unit is in at most one partial sum of each length, so among T evaluations in h = floor(log2 T) +
1 of them, in one cell each: over all that is told it moves h numbers by at most D, the sensitivity
of one. That is sqrt(h) D in L2 (Gaussian noise) and h D in L1 (Laplace). After t evaluations only
lengths up to t have been told, floor(log2 t) + 1 of h, and so much of the budget is spent.

**The bound is the contract's**: it holds where one unit has one row for ever and nobody can change
it, which only a collection can promise (`one` per unit, no `correct`). A table that is loaded anew
may be any other table each time, and then the sum over intervals bounds nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from landbridge.errors import error
from policies.accounting import MICRO
from policies.contract import Contract, Noise
from policies.disclosure import Mechanism, ReleasePlan

MOST_NUMBERS: Final = 4_096
USUAL_NUMBERS: Final = 64
_GAUSSIAN: Final = 1.959964
_LAPLACE: Final = math.log(20) / math.sqrt(2)
"""95 % half-widths in standard deviations; the second is on the safe side for sums of several."""


@dataclass(frozen=True, slots=True)
class Tree:
    """For so many evaluations; `partial` is the noise of one partial sum, in every cell."""

    numbers: int
    partial: Mechanism

    @property
    def levels(self) -> int:
        """h: how many lengths there are."""
        return self.numbers.bit_length()

    @property
    def half_width(self) -> float:
        """95 % half-width of the least accurate number, in the measure's unit."""
        factor = _LAPLACE if self.partial.noise is Noise.LAPLACE else _GAUSSIAN
        return factor * self.partial.standard_deviation * math.sqrt(self.levels)


def levels_told(evaluations: int) -> int:
    """How many lengths of partial sums were told by then."""
    return evaluations.bit_length()


def require_permanent(contract: Contract) -> None:
    """Raises INVALID_QUESTION where a unit's rows could change from version to version."""
    collection = contract.collection
    if (
        collection is None
        or collection.subject != (contract.unit,)
        or collection.period != "never"
        or collection.correctable
        or contract.disclosure.rows_per_unit != 1
        or contract.parts
    ):
        raise error(
            "INVALID_QUESTION",
            f"Contract {contract.id} does not promise that a {contract.unit} has one row that "
            "never changes, without which a trend's budget bounds nothing.",
            rule="contract.permanent",
            hint="Give the watch a condition (when=), or ask a question when a number is needed.",
        )


def tree_of(release: ReleasePlan, mechanism: Mechanism, sensitivity: int, numbers: int) -> Tree:
    """The tree for a release's whole cost; `sensitivity` of one number, in grid steps."""
    if not 1 <= numbers <= MOST_NUMBERS:
        raise error("INVALID_ARGUMENT", f"A trend has 1 to {MOST_NUMBERS:,} numbers.")
    terms = release.terms
    levels = numbers.bit_length()
    if terms.noise is Noise.LAPLACE:
        reach = float(sensitivity * levels)
        scale = reach * terms.units_span / release.epsilon
    else:
        reach = sensitivity * math.sqrt(levels)
        scale = reach / math.sqrt(2 * release.cost_micro_rho / MICRO / terms.units_span)
    partial = Mechanism(mechanism.measure, terms.noise, scale, reach, mechanism.step, 0)
    return Tree(numbers, partial)
