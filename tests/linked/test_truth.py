"""Without noise a linked answer is what DuckDB says of all tables joined in the clear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nodes import link_compile
from tests.linked.world import BOTH, DEPARTMENTS, Truth, federation, rows, rows_of
from tests.simulator import FederationSimulator

SEEDS = (1, 2)
PRICE = 900.0
"""Dear enough that a handful of dummies is all that there are."""


@dataclass(frozen=True)
class Shape:
    """Departments that are linked, on what, and what can be asked of them."""

    departments: tuple[str, ...]
    key: str
    groups: tuple[str, ...]
    filters: tuple[str, ...]
    measures: tuple[str, ...]


EARNERS = ("earners.band", "earners.town")
OF_EARNERS = (
    "earners.income > 0", "earners.band IN ('low', 'high')", "rent IS NOT NULL",
    "(earners.town = 'A' OR income < 200)",
)  # fmt: skip
OF_PUPILS = ("grade <> 2", "marks BETWEEN 10 AND 90")
OF_VISITS = ("urgent", "cost < 700", "visits.town = 'B'", "kind IS NOT NULL")
COSTS = (
    "count(*)", "sum(cost)", "avg(cost)", "count(kind)", "variance(cost)",
    "sum(CASE WHEN urgent THEN cost ELSE 1 END)",
)  # fmt: skip
SHAPES = (
    Shape(
        ("tax", "school"), "person", (*EARNERS, "grade"), (*OF_EARNERS, *OF_PUPILS),
        ("count(*)", "count(DISTINCT person)", "sum(income)", "avg(income)", "sum(marks)",
         "avg(rent)", "count(marks)", "variance(income)", "corr(income, rent)",
         "regr_slope(income, rent)"),
    ),
    Shape(
        ("tax", "health"), "person", (*EARNERS, "kind"), (*OF_EARNERS, *OF_VISITS), COSTS,
    ),
    Shape(
        ("tax", "health", "school"), "person", ("earners.band", "grade", "urgent"),
        (*OF_EARNERS[:2], *OF_PUPILS, *OF_VISITS[:2]), COSTS,
    ),
    Shape(
        ("tax", "everywhere", "school"), "person", ("earners.band", "grade", "urgent"),
        (*OF_EARNERS[:2], *OF_PUPILS, *OF_VISITS[:2]), COSTS,
    ),
    Shape(
        ("everywhere", "sky"), "town, day", ("rain", "kind"), ("NOT rain", *OF_VISITS), COSTS,
    ),
    Shape(
        ("health", "sky"), "town, day", ("rain", "kind", "width_bucket(wind, 0, 90, 3)"),
        ("wind > 20", "NOT rain", *OF_VISITS), COSTS,
    ),
)  # fmt: skip


TABLES = {**{name: f"{name}.{table}" for name, table in DEPARTMENTS.items()}, "everywhere": BOTH}


@pytest.fixture(scope="module")
def worlds(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[int, tuple[FederationSimulator, Truth]]]:
    """All four departments, twice with other rows, which are read in several ranges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link_compile, "ROWS", 25)
        yield from _worlds(tmp_path_factory)


def _worlds(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[int, tuple[FederationSimulator, Truth]]]:
    made = {}
    for seed in SEEDS:
        place = tmp_path_factory.mktemp(f"world{seed}")
        known = {table: rows(table, seed) for table in DEPARTMENTS.values()}
        truth = Truth(known, rows_of("clinic", seed))
        terms = {"visits": {"landbridgeUnitsSpan": 2}}
        made[seed] = (federation(place, seed=seed, terms=terms), truth)
        truth.rank(made[seed][0])
    yield made
    for simulated, _ in made.values():
        simulated.close()


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[str], int]:
    """A question, its measures, and how many of its columns are keys."""
    shape = draw(st.sampled_from(SHAPES))
    some = st.lists(st.sampled_from(shape.groups), unique=True, max_size=2)
    keys = draw(some)
    kept = draw(st.lists(st.sampled_from(shape.filters), unique=True, max_size=3))
    measures = draw(st.lists(st.sampled_from(shape.measures), min_size=1, max_size=3, unique=True))
    if "count(DISTINCT person)" in measures and keys and shape.departments != ("tax", "school"):
        measures.remove("count(DISTINCT person)")
    order = draw(st.permutations(shape.departments))
    first, *others = (TABLES[name] for name in order)
    source = first + "".join(f" JOIN {other} USING ({shape.key})" for other in others)
    shown = [*(f"{key} AS k{place}" for place, key in enumerate(keys)), *measures]
    text = f"SELECT {', '.join(shown)} FROM {source}"
    if kept:
        text += f" WHERE {' AND '.join(kept)}"
    if keys:
        text += f" GROUP BY {', '.join(keys)}"
    return text, measures, len(keys)


@settings(max_examples=35, phases=(Phase.explicit, Phase.generate))
@given(asked=texts(), seed=st.sampled_from(SEEDS))
def test_a_linked_answer_is_the_truth_in_the_clear(
    worlds: dict[int, tuple[FederationSimulator, Truth]],
    asked: tuple[str, list[str], int],
    seed: int,
) -> None:
    """Two and three departments, filters and groups at any, one row or several for a key."""
    text, measures, keys = asked
    simulated, truth = worlds[seed]
    answer = simulated.query(text.replace(BOTH, "visits"), epsilon=PRICE)
    found = {row[:keys]: row[keys:] for row in answer.rows()}
    expected = {row[:keys]: row[keys:] for row in truth.ask(_in_the_clear(text))}
    voted = None
    if "sky" in text:  # the key is nobody's: persons vote, once at each department
        one = _in_the_clear(text.replace(", ".join(measures), "count(*)", 1))
        least = 2 if BOTH in text else 1
        voted = {row[:keys] for row in truth.votes(one) if row[keys] >= least}
    for cell, numbers in expected.items():
        assert len(found[cell]) == len(numbers)
        if voted is not None and cell not in voted:
            assert not any(found[cell]), (cell, found[cell])
            continue
        if not any(numbers) and not any(found[cell]):
            continue  # nobody is linked there, which is under every minimum
        for measure, ours, theirs in zip(measures, found[cell], numbers, strict=True):
            if ours is None and not measure.startswith(("count", "sum")):
                continue  # too few rows for a ratio to stand out of the noise that is declared
            assert _same(ours, theirs), (cell, found[cell], numbers)
    for cell in found.keys() - expected.keys():
        # What no row is behind is NULL, or a cell of a side whose others are there.
        assert all(number in (None, 0) for number in found[cell]), (cell, found[cell])


def _in_the_clear(text: str) -> str:
    """Buckets as SQL of DuckDB, which has no width_bucket."""
    return text.replace(
        "width_bucket(wind, 0, 90, 3)",
        "CASE WHEN wind < 0 THEN 0 WHEN wind >= 90 THEN 4 ELSE 1 + floor(wind / 30)::INT END",
    )


def _same(ours: object, theirs: object) -> bool:
    """Equal up to what doubles lose; what SQL cannot tell of no row is 0 here."""
    if ours is None or theirs is None:
        return theirs is None
    assert isinstance(ours, int | float)
    return isclose(ours, float(str(theirs)), rel_tol=1e-6, abs_tol=1e-6)


def test_every_shape_is_asked_with_every_measure(
    worlds: dict[int, tuple[FederationSimulator, Truth]],
) -> None:
    """Whatever Hypothesis chooses, each measure of each shape is compared once."""
    simulated, truth = worlds[1]
    for shape in SHAPES:
        first, *others = (TABLES[name] for name in shape.departments)
        source = first + "".join(f" JOIN {other} USING ({shape.key})" for other in others)
        for pair in _threes(shape.measures):
            text = f"SELECT {', '.join(pair)} FROM {source}"
            (ours,) = simulated.query(text.replace(BOTH, "visits"), epsilon=PRICE).rows()
            (theirs,) = truth.ask(text)
            for mine, other in zip(ours, theirs, strict=True):
                assert mine is not None
                assert isclose(float(str(mine)), float(other), rel_tol=1e-6)


def _threes(measures: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for first in range(0, len(measures), 3):
        yield measures[first : first + 3]
