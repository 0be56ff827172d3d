"""Two tables that differ in one planted person, and contracts under which they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.people import TARGET, Row, crowd

World = Callable[[Sequence[Row]], list[Row]]

OTHERS = crowd(40)
DELTA = 1e-6


def absent(others: Sequence[Row]) -> list[Row]:
    """Nobody was planted."""
    return list(others)


def planted(*rows: Row) -> World:
    """The others and the planted person's rows."""
    return lambda others: [*others, *rows]


def target(**changes: Any) -> Row:
    """One row of the planted person."""
    from tests.people import COLUMNS

    row = dict(zip(COLUMNS, TARGET, strict=True))
    return tuple((row | changes).values())


def terms(epsilon: float = 4.0, **changes: Any) -> dict[str, Any]:
    """Custom properties of a contract that allows that epsilon for one question, 10^5 in all."""
    allowance = {"epsilon": 1e5, "delta": DELTA}
    return {
        "landbridgeBudget": {"recipient": allowance, "overall": allowance, "period": "never"},
        "landbridgeEpsilon": {"default": epsilon, "maximum": epsilon},
        **changes,
    }
