"""A condition on an average, as one on a sum: avg(x) > c where the sum of (x - c) is above 0.

So a watch over averages is the sparse vector technique over one number, as every other: neither
average nor count is ever compared by itself, and nothing more is told. Where few or no rows are the
sum is near 0, which is the very edge of that condition; noise alone would tell every other time. So
it tells from a margin on that a sum of nothing reaches once in a million comparisons.
"""

from __future__ import annotations

from typing import Final

from landbridge.errors import error
from policies.canonical import canonical
from policies.contract import Contract, Method
from policies.question import Arithmetic, Constant, Expression, Operator, Question, Sum
from policies.watch import Condition, half_width, plan_watch

_ONCE: Final = 2e-6
"""Both sides together; a condition has one."""


def of_average(
    question: Question,
    of: Expression,
    contract: Contract,
    condition: Condition,
    micro_epsilon: int,
    alerts: int,
) -> tuple[Question, Condition]:
    """The question and the condition that stand for `avg(of)` being so.

    Raises NOT_SUPPORTED where numbers without noise are compared, and as `plan_watch` does.
    """
    if contract.disclosure.method is not Method.DP:
        raise error(
            "NOT_SUPPORTED",
            f"A watch over an average is for the method dp; contract {contract.id} has "
            f"{contract.disclosure.method}.",
            hint="Watch a count or a sum, or follow a trend of each.",
        )
    distance = Sum(Arithmetic(Operator.SUBTRACT, of, Constant(condition.number)))
    asked = canonical(
        Question(
            question.contract, (distance,), question.group_by, question.where, question.joined
        ),
        contract,
    )
    plan = plan_watch(asked, contract, Condition(condition.relation, 0.0), micro_epsilon, alerts)
    assert plan.sparse is not None  # by dp
    run = plan.sparse
    margin = half_width(run.threshold.scale, run.compared.scale, _ONCE) * run.compared.step
    return asked, Condition(condition.relation, condition.sign * margin)
