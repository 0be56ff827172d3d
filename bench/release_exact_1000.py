"""`release_exact_1000`: the release step of an exact table at its cap, with many small cells."""

from __future__ import annotations

import random
from itertools import product
from math import prod
from typing import Final

from bench.row import Aim, Row, Say
from bench.samples import in_turn, seconds
from landbridge.levels import Level
from policies.contract import Column, Contract, Disclosure, Method, Type
from policies.disclosure import ReleasePlan, plan_release
from policies.protection import Part, TrueCell, protect
from policies.question import Count, Question, Whole
from policies.suppression import TOTAL, Coordinates

ROUNDS: Final = 5
MINIMUM: Final = 5
SHAPE: Final = (10, 10, 10)
OTHERS: Final = ((1_000,), (31, 32), (5, 6, 6, 5), (2, 2, 2, 125))

Cells = dict[Coordinates, TrueCell]


def measure(say: Say) -> Row:
    """Milliseconds for one count by all the columns of the table."""
    plan, cells = _table(SHAPE, small=0.25)
    _, full = _table(SHAPE, small=0.0)
    say(f"withholding in {prod(SHAPE):,} cells {ROUNDS} times")
    ours, floor = in_turn(
        lambda: 1e3 * seconds(lambda: protect(plan, cells)),
        lambda: 1e3 * seconds(lambda: protect(plan, full)),
        rounds=ROUNDS,
        warm_up=1,
    )
    worst: dict[tuple[int, ...], float] = {}
    for shape in (SHAPE, *OTHERS):
        for small in (0.5, 0.9):
            say(f"withholding in {shape} with {small:.0%} small cells")
            other, within = _table(shape, small=small)
            spent = 1e3 * seconds(lambda other=other, within=within: protect(other, within))  # type: ignore[misc]
            worst[shape] = max(spent, worst.get(shape, 0.0))
    others = ", ".join(
        f"{'x'.join(map(str, shape))}: {spent:.0f}" for shape, spent in worst.items()
    )
    return Row.of(
        "release_exact_1000",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 1_000),
        note="milliseconds; one count(*) by the three columns of a table of 1,000 cells, a quarter "
        "of them small, no engine, no wire; the worse of 50 and 90 % small cells by shape: "
        f"{others}; floor: the same table without a small cell",
    )


def _table(shape: tuple[int, ...], small: float) -> tuple[ReleasePlan, Cells]:
    """The plan and the true cells with margins; the same numbers each time."""
    source = random.Random(9)
    names = [f"key_{place}" for place in range(len(shape))]
    columns = (
        Column("person", Type.INTEGER, Level.SEALED, unique=True),
        *(
            Column(name, Type.INTEGER, Level.OPEN, domain=tuple(range(length)))
            for name, length in zip(names, shape, strict=True)
        ),
    )
    terms = Disclosure(Method.EXACT, minimum_units=MINIMUM, exact_by=tuple(names))
    contract = Contract("visits", "1", "", "", columns, "person", frozenset(), terms, "0" * 64)
    question = Question("visits", (Count(),), tuple(map(Whole, names)))
    counts: dict[Coordinates, int] = {}
    for leaf in product(*map(range, shape)):
        few = source.random() < small
        amount = source.randint(0, MINIMUM - 1) if few else source.randint(MINIMUM, 60)
        for cell in product(*((TOTAL, place) for place in leaf)):
            counts[cell] = counts.get(cell, 0) + amount
    return plan_release(question, contract, 0, 1), {
        cell: TrueCell(amount, (Part(amount, amount, 0, 0, amount, amount, (1, 1, 1)),))
        for cell, amount in counts.items()
        if amount
    }
