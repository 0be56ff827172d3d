"""Made-up people in random tables, counted by plain Python: what `exact` starts from."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from landbridge.levels import Level
from policies.contract import Bounds, Column, Contract, Disclosure, Dominance, Method, Type
from policies.disclosure import ReleasePlan, plan_release
from policies.protection import Part, TrueCell, largest_needed
from policies.question import ColumnOf, Count, Measure, Question, Sum, Units, Whole
from policies.suppression import Coordinates
from tests.disclosure.programme import cube_of, within

MINIMUM: Final = 5
KEYS: Final = "abc"
MEASURES: Final[tuple[Measure, ...]] = (
    Count(),
    Units(),
    Count(ColumnOf("x")),
    Sum(ColumnOf("x")),
)


@dataclass(frozen=True)
class Row:
    """One row: its finest cell, whose it is, and its value or None."""

    leaf: Coordinates
    unit: int
    x: int | None


@dataclass(frozen=True)
class Survey:
    """A table with its contract."""

    seed: int
    shape: tuple[int, ...]
    rows: tuple[Row, ...]
    contract: Contract
    low: int
    high: int

    def plan(self, keys: Sequence[int] | None = None) -> ReleasePlan:
        """Everything that is measured, by all keys or by these."""
        chosen = range(len(self.shape)) if keys is None else keys
        question = Question("survey", MEASURES, tuple(Whole(KEYS[key]) for key in chosen))
        return plan_release(question, self.contract, 0, 1)

    @cached_property
    def cells(self) -> dict[Coordinates, TrueCell]:
        """What the engine finds: every cell and margin with rows."""
        most = largest_needed(self.contract.disclosure)
        found = {}
        for cell in cube_of(self.shape):
            rows = [row for row in self.rows if within(cell, row.leaf)]
            if rows:
                has = [row for row in rows if row.x is not None]
                units = {row.unit for row in rows}
                every = _part(rows, units, lambda _: 1, most)
                each = _part(rows, units, lambda _: 1, most, total=len(units))
                counted = _part(has, units, lambda _: 1, most)
                summed = _part(has, units, lambda row: row.x, most)
                found[cell] = TrueCell(len(units), (every, each, counted, summed))
        return found


def _part(
    rows: Sequence[Row],
    units: set[int],
    value: Callable[[Row], Any],
    most: int,
    total: int | None = None,
) -> Part:
    of: Counter[int] = Counter()
    here = {row.unit for row in rows}
    for row in rows:
        of[row.unit] += value(row)
    largest = sorted((abs(amount) for amount in of.values()), reverse=True)
    return Part(
        len(here),
        sum(of.values()) if total is None else total,
        0,
        len(units - here),
        sum(largest),
        len(rows),
        tuple([*largest, *[0] * most][:most]),
    )


def survey(seed: int, *, several: bool = False) -> Survey:
    """Random: 1 to 3 keys, one of them maybe of one value or with NULLs, dense to empty.

    `several`: a unit can have several rows.
    """
    source = random.Random(seed)
    keys = source.choice([1, 2, 2, 3, 3])
    most = {1: 9, 2: 5, 3: 4}[keys]
    lengths = [source.randint(2, most) for _ in range(keys)]
    if source.random() < 0.2:
        lengths[source.randrange(keys)] = 1
    nullable = [length > 1 and source.random() < 0.4 for length in lengths]
    low, high = source.choice([(0, 1), (0, 100), (-50, 50), (10, 90), (0, 1_000)])
    picks: dict[str, Callable[[], int]] = {
        "dense": lambda: source.randint(6, 25) if source.random() > 0.1 else source.randint(0, 4),
        "middle": lambda: source.choice([0, 2, 7, 12, 30]),
        "sparse": lambda: source.choice([0, 0, 0, 1, 2, 9, 20]),
        "skewed": lambda: min(60, int(source.paretovariate(0.8))),
    }
    pick = picks[source.choice(["dense", "middle", "sparse", "skewed"])]
    values: Callable[[], int] = source.choice(
        [
            lambda: source.randint(low, high),
            lambda: source.choice([low, high]),
            lambda: max(low, min(high, low + int(source.paretovariate(0.7)))),
        ]
    )
    missing = source.choice([0.0, 0.0, 0.1, 0.5])
    rows: list[Row] = []
    for leaf in [cell for cell in cube_of(lengths) if -1 not in cell]:
        for _ in range(pick()):
            unit = source.randrange(40) if several else len(rows)
            rows.append(Row(leaf, unit, None if source.random() < missing else values()))
    columns = [
        Column(
            KEYS[place],
            Type.INTEGER,
            Level.OPEN,
            domain=tuple(range(length - nullable[place])),
            nullable=nullable[place],
        )
        for place, length in enumerate(lengths)
    ]
    bounds = Bounds(low, high)
    contract = Contract(
        id="survey",
        version="1",
        title="",
        description="",
        columns=(
            Column("person", Type.INTEGER, Level.SEALED, unique=not several),
            Column("x", Type.INTEGER, Level.OPEN, nullable=True, bounds=bounds, clip=bounds),
            *columns,
        ),
        unit="person",
        purposes=frozenset(),
        disclosure=Disclosure(
            Method.EXACT,
            rows_per_unit=0 if several else 1,
            minimum_units=MINIMUM,
            dominance=source.choice([None, Dominance(1, 70), Dominance(2, 85)]),
            p_percent=source.choice([0.0, 10.0, 30.0]),
            rounding=source.choice([1, 1, 3, 10]),
            exact_by=tuple(KEYS[: len(lengths)]),
        ),
        digest="",
    )
    return Survey(seed, tuple(lengths), tuple(rows), contract, low, high)
