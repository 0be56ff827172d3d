"""Contracts in which the values of a column are found in the data."""

from __future__ import annotations

import math
from typing import Any

from policies import odcs
from policies.contract import Contract, Noise
from policies.disclosure import ReleasePlan, Selection, plan_release
from policies.question import Count, Question, Whole
from tests.people import document

BY_DIAGNOSIS = Question("people", (Count(),), (Whole("diagnosis"),))


def found(*columns: str, **changes: Any) -> Contract:
    """People, with these columns' values found in the data."""
    return odcs.read(document(found=columns or ("diagnosis",), **changes), "people")


def whole_budget(noise: Noise, epsilon: float, **changes: Any) -> dict[str, Any]:
    """Terms under which one question takes all of its recipient's budget, and a large delta."""
    budget = epsilon
    if noise is Noise.LAPLACE:
        rho = epsilon**2 / 2
        budget = rho + 2 * math.sqrt(rho * math.log(2_000)) + 1e-5
    allowance = {"epsilon": budget, "delta": 1e-3}
    return {
        "landbridgeNoise": noise.value,
        "landbridgeBudget": {"recipient": allowance, "overall": allowance, "period": "never"},
        "landbridgeEpsilon": {"default": epsilon, "maximum": epsilon},
        **changes,
    }


def planned(contract: Contract, question: Question = BY_DIAGNOSIS) -> tuple[ReleasePlan, Selection]:
    """The plan of a question at the default epsilon, and how its values are found."""
    plan = plan_release(question, contract, 0, 1)
    assert plan.selection is not None
    return plan, plan.selection
