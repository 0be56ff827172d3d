"""The cells of a question on an engine, and whether they are those of another."""

from __future__ import annotations

from typing import Any

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from nodes.compile import compile_histograms, compile_question
from nodes.engines.engine import Engine
from policies.canonical import canonical
from policies.contract import Contract
from policies.disclosure import ReleasePlan, plan_release
from policies.question import Question
from policies.review import review


def planned(question: Question, contract: Contract) -> ReleasePlan | None:
    """How it would be released; None for one that is refused."""
    try:
        known = canonical(question, contract)
        review(known, contract, Level.RESTRICTED)
        return plan_release(known, contract, 0, 1)
    except LandbridgeError:
        return None


def cells(plan: ReleasePlan, contract: Contract, engine: Engine) -> list[list[tuple[Any, ...]]]:
    """Per statement, the cells in order."""
    statements = [compile_question(plan, contract, (), engine.dialect)] if plan.plain else []
    statements += compile_histograms(plan, contract, (), engine.dialect)
    return [
        sorted(
            engine.run(s.sql, s.parameters, timeout=60, maximum_rows=s.rows),
            key=lambda row: [(cell is not None, cell) for cell in row],
        )
        for s in statements
    ]
