"""Masked vectors become one total: step (11) of a pooled question. Clamps nothing.

The masks cancel in the sum of all vectors and nowhere else. Totals are whole fractions of the
measure's step; they are rounded to steps, half to even, which is post-processing of a released
number. What a member adds cannot be checked here, since nobody but it sees it: a member that sends
a wrong vector spoils the total, and is not found by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.combine import MOST_ROWS, Combined, expected_noise, is_budget
from gateway.parts import rejected
from landbridge.errors import error
from landbridge.protocols.masks import from_bytes, unmasked
from landbridge.v1 import pooled_pb2
from policies.disclosure import Mechanism
from policies.pooling import PoolingPlan

_BYTES = 8


def total(
    plan: PoolingPlan, replies: Mapping[str, pooled_pb2.PoolResponse]
) -> tuple[Combined, ...]:
    """The total, one entry per measure of the plan; raises ANSWER_REJECTED."""
    for department, reply in replies.items():
        good = (
            len(reply.masked) == _BYTES * plan.numbers
            and reply.charged_micro_rho == (0 if reply.remembered else plan.release.cost_micro_rho)
            and is_budget(reply.recipient_budget)
            and is_budget(reply.overall_budget)
        )
        if not good:
            raise rejected(department, "an answer that does not fit the question")
    fine = unmasked([from_bytes(reply.masked) for reply in replies.values()])
    found, first = [], 0
    for mechanism, share in zip(plan.release.mechanisms, plan.shares, strict=True):
        after = first + plan.release.cells * mechanism.numbers
        units = tuple(_steps(number, share.bits) for number in fine[first:after])
        if any(abs(each) >= _most(mechanism, plan.members) for each in units):
            raise error(
                "ANSWER_REJECTED",
                "The departments' parts do not add up to possible numbers.",
                missing=sorted(replies),
            )
        found.append(Combined(mechanism, units, *expected_noise(mechanism, 1)))
        first = after
    return tuple(found)


def _steps(number: int, bits: int) -> int:
    """The nearest whole step, half to even."""
    if not bits:
        return number
    whole, rest = number >> bits, number & ((1 << bits) - 1)
    half = 1 << (bits - 1)
    return whole + (rest > half or (rest == half and whole & 1))


def _most(mechanism: Mechanism, members: int) -> int:
    """Beyond this no total lies."""
    reach = 1
    if mechanism.span is not None:
        ends = (mechanism.span.low_units, mechanism.span.high_units)
        reach = max(1, *(abs(end - mechanism.centre_units) for end in ends))
    return min(MOST_ROWS * reach * members, 2**62)
