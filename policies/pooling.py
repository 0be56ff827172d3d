"""How a question over several departments becomes one total: what each of them adds, at what cost.

Section 1 of the protocols. All members add a discrete Gaussian of one scale, and `honest` of them
at least are taken not to work against the others, so that their shares alone must pay for the
answer: whoever studies the total from within knows its own share and takes it off. What a sum of
shares costs is `policies.distributed`, and never the cost of one draw.

One unit is in at most `units_span` departments, with at most m rows in each, so the total moves by
at most `units_span` times what one department's cells move. That holds for a set of fewer members
too: a total that k of a unit's departments take part in then costs it (k / units_span)^2 of what is
charged, which is no more than the k shares that a fan-out would give out for the same charge. So
over all questions, pooled or not and whoever takes part, a unit loses at most what one ledger says.

The bound of a sum of shares is close to that of one draw where a share is wide in steps. So numbers
travel in fractions of the measure's step (fixed point, `bits` binary places) that make every share
at least `SHARE` fractions wide; the gateway rounds the total back to steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from landbridge.errors import error
from policies.contract import Contract, Method, Noise
from policies.disclosure import Mechanism, ReleasePlan, plan_release
from policies.distributed import rho, share_scale
from policies.keys import is_open
from policies.question import Count, Histogram, Question, Sum, Units

FEWEST: Final = 2
"""Of one vector alone there is nobody to mask it towards."""
SHARE: Final = 2.0
LARGEST_TOTAL: Final = 2**61
"""Exact totals stay below this, with as much again for noise: no total leaves 63 bits."""
_ROUNDING: Final = 1 - 1e-12
"""What an allowed rho is cut by, so that no rounding of floats makes it larger."""


@dataclass(frozen=True, slots=True)
class Share:
    """One member's noise on one measure, in fractions of 2^-`bits` steps.

    `scale` is that of the discrete Gaussian; `l2` and `l1` are how far one unit moves the total of
    `dimension` numbers, which may cost `allowed` rho.
    """

    bits: int
    scale: float
    l2: float
    l1: float
    dimension: int
    allowed: float

    def require_paid(self, honest: int) -> None:
        """Raises ValueError where so many such shares cost more than is charged for them."""
        if rho(self.scale, honest, self.l2, self.l1, self.dimension) > self.allowed:
            raise ValueError("A share of noise is smaller than what is charged for it.")


@dataclass(frozen=True, slots=True)
class PoolingPlan:
    """A pooled release: everything about it that does not depend on data.

    `release` describes the total; the scale of its mechanisms is that of all members' noise
    together. `shares` are in its order.
    """

    release: ReleasePlan
    shares: tuple[Share, ...]
    members: int
    honest: int

    @property
    def numbers(self) -> int:
        """How many numbers each member sends, eight bytes each."""
        return self.release.cells * sum(each.numbers for each in self.release.mechanisms)

    @property
    def beside_parts(self) -> float:
        """The total's noise as a share of that in the sum of parts with noise of their own.

        Parts each have 1 / `units_span` of the charge, and there are `members` draws of them.
        """
        return math.sqrt(self.release.terms.units_span / self.honest)


def fewest_members(contract: Contract) -> int:
    """How many departments a total is made of at least."""
    return max(FEWEST, contract.disclosure.pooling.minimum)


def honest_among(contract: Contract, members: int) -> int:
    """H of the protocols: how many members' noise has to suffice.

    All but one where the owners name the members, and one where they do not: who is a member is the
    gateway's word then, and those that it made up would add nothing.
    """
    terms = contract.disclosure.pooling
    chosen = terms.honest or (members - 1 if terms.departments is not None else 1)
    return max(1, min(chosen, members - 1))


def outsiders(contract: Contract, members: Iterable[str]) -> tuple[str, ...]:
    """Those with whom the owners do not pool, where they say with whom they do."""
    named = contract.disclosure.pooling.departments
    return () if named is None else tuple(sorted(set(members) - named))


def obstacle(question: Question, contract: Contract, members: int) -> str:
    """Why so many departments cannot pool the question; empty where they can.

    A sentence about contract and question, never about data.
    """
    terms = contract.disclosure
    if terms.method is not Method.DP:
        return f"the method {terms.method} adds no noise that could be shared"
    if terms.noise is not Noise.GAUSSIAN:
        return f"shares of {terms.noise} noise do not add up to {terms.noise} noise"
    if any(is_open(key, contract) for key in question.group_by):
        return "a key's values are found in the data, and every member needs the same cells"
    if members < fewest_members(contract):
        return f"the owners pool {fewest_members(contract)} departments or more"
    return ""


def pooled(
    question: Question, contract: Contract, micro_epsilon: int, members: int
) -> PoolingPlan | str:
    """The pooled release of a reviewed question, or why there is none (see `obstacle`).

    Raises as `plan_release` does.
    """
    why = obstacle(question, contract, members)
    if why:
        return why
    plan = plan_release(question, contract, micro_epsilon, members)
    honest = honest_among(contract, members)
    shares = tuple(_share(plan, each, honest) for each in plan.mechanisms)
    if any(math.sqrt(members) * share.scale * 64 > LARGEST_TOTAL for share in shares):
        return "its noise does not fit the 64 bits of a masked number"
    total = tuple(
        replace(each, scale=math.sqrt(members) * share.scale / 2**share.bits)
        for each, share in zip(plan.mechanisms, shares, strict=True)
    )
    return PoolingPlan(replace(plan, mechanisms=total), shares, members, honest)


def plan_pooling(
    question: Question, contract: Contract, micro_epsilon: int, members: int
) -> PoolingPlan:
    """What `pooled` gives; raises INVALID_QUESTION, with the reason, where that is no plan."""
    found = pooled(question, contract, micro_epsilon, members)
    if isinstance(found, str):
        raise error(
            "INVALID_QUESTION",
            f"The question cannot be pooled: {found}.",
            hint="Ask one department.",
        )
    return found


def _share(plan: ReleasePlan, mechanism: Mechanism, honest: int) -> Share:
    span = plan.terms.units_span
    # What `plan_release` gave each of `units_span` departments, together.
    allowed = span * (mechanism.sensitivity / mechanism.scale) ** 2 / 2 * _ROUNDING
    l2, l1 = span * mechanism.sensitivity, span * _l1(mechanism)
    ideal = l2 / math.sqrt(2 * allowed * honest)
    bits = max(0, math.ceil(math.log2(SHARE / ideal)))
    l2, l1 = l2 * 2**bits, l1 * 2**bits
    dimension = plan.cells * mechanism.numbers
    scale = share_scale(allowed, honest, l2, l1, dimension)
    return Share(bits, scale, l2, l1, dimension, allowed)


def _l1(mechanism: Mechanism) -> float:
    """How far one unit moves one department's cells in L1, in steps; see `policies.disclosure`."""
    l2 = mechanism.sensitivity
    match mechanism.measure:
        case Count() | Sum():
            return l2  # all rows in one cell is the worst in either norm
        case Units():
            return l2 * l2
        case Histogram():
            assert mechanism.layout is not None  # every histogram has one
            return l2 * math.sqrt(len(mechanism.layout.levels))
        case _:
            assert_never(mechanism.measure)
