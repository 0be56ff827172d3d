"""An attacker with a linear programme, bounds and everything that anybody can be shown."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations, product

import pytest

from policies import suppression
from policies.protection import Part, dominated, protect, whole_table
from policies.question import Sum
from policies.suppression import TOTAL, UNBOUNDED, Coordinates, Room, withheld
from tests.disclosure.programme import INFINITE, Programme, cube_of, programme
from tests.disclosure.survey import MEASURES, MINIMUM, Survey, survey
from tests.disclosure.test_suppression import counts, cube

ROWS, UNITS, VALUES, TOTALS = range(4)
NEARLY = 1e-6
SEEDS = range(100)

Interval = tuple[float, float]


def told(made: Survey) -> tuple[dict[Coordinates, Interval], ...]:
    """Per measure what all tables together say, rounded numbers as intervals."""
    plan = made.plan()
    return tuple(
        {
            cell: (
                value - mechanism.base // 2,
                value + (mechanism.base - 1) // 2,
            )
            for cell, value in table.items()
        }
        for mechanism, table in zip(plan.mechanisms, whole_table(plan, made.cells), strict=True)
    )


def part(made: Survey, cell: Coordinates, measure: int) -> Part:
    """The truth about a cell."""
    found = made.cells.get(cell)
    return Part(0, 0, 0, 0, 0, 0, (0,) * 5) if found is None else found.parts[measure]


def few(made: Survey) -> list[Coordinates]:
    """Cells and margins with fewer people than the minimum."""
    cells = made.cells
    return [
        cell for cell in cube_of(made.shape) if cell not in cells or cells[cell].units < MINIMUM
    ]


@pytest.mark.parametrize("measure", [ROWS, UNITS])
@pytest.mark.parametrize("several", [False, True], ids=["one row each", "several rows each"])
def test_no_number_of_people_is_narrowed(measure: int, several: bool) -> None:
    """Numbers that are not negative, every level, rounding: the minimum's range is left.

    Distinct people who are in several cells do not add up, so only their rows are sums.
    """
    if several and measure == UNITS:
        pytest.skip("not sums")
    cells = 0
    for seed in SEEDS:
        made = survey(seed, several=several)
        attacker = programme(made.shape, told(made)[measure])
        for cell in few(made):
            cells += 1
            assert attacker.width(cell) >= MINIMUM - NEARLY, (seed, cell)
    assert cells > 500  # otherwise nothing was attacked


@pytest.mark.parametrize("measure", [VALUES, TOTALS])
@pytest.mark.parametrize("several", [False, True], ids=["one row each", "several rows each"])
def test_no_sensitive_value_is_narrowed(measure: int, several: bool) -> None:
    """Counts of values and sums, for one who knows how many rows each cell has and the bounds.

    What bounds and rows leave of a cell can be less than its rule asks for; then all of it is left.
    """
    cells = 0
    for seed in SEEDS:
        made = survey(seed, several=several)
        terms = made.contract.disclosure
        low, high = (made.low, made.high) if measure == TOTALS else (0, 1)
        without = set(few(made))
        room = {}
        for leaf in product(*map(range, made.shape)):
            rows = part(made, leaf, ROWS if measure == VALUES else TOTALS)
            # People without a value may have several rows each, one of them without.
            most = rows.rows if measure == TOTALS else part(made, leaf, VALUES).value
            if measure == VALUES:
                most += part(made, leaf, VALUES).rest
            if leaf in without:
                most = max(most, MINIMUM) if measure == TOTALS else UNBOUNDED
            least = rows.rows if measure == TOTALS else 0
            room[leaf] = (min(low * least, low * most), max(high * least, high * most))
        attacker = Programme(made.shape)
        attacker.low = [float(room[leaf][0]) for leaf in attacker.leaves]
        attacker.high = [
            float(room[leaf][1]) if room[leaf][1] < UNBOUNDED else INFINITE
            for leaf in attacker.leaves
        ]
        for cell, (least_told, most_told) in told(made)[measure].items():
            attacker.knows(cell, least_told, most_told)
        for cell in cube_of(made.shape):
            truth = part(made, cell, measure)
            sensitive = (
                cell in without
                or truth.units < MINIMUM
                or 0 < truth.rest < MINIMUM
                or (isinstance(MEASURES[measure], Sum) and dominated(truth, terms))
            )
            if not sensitive:
                continue
            cells += 1
            share = max(terms.p_percent, 10) / 100 * truth.largest[0]
            needed = max(1.0, share) if measure == TOTALS else MINIMUM
            own = [
                leaf for place, leaf in enumerate(attacker.leaves) if place in attacker.cells(cell)
            ]
            left = sum(float(room[leaf][1] - room[leaf][0]) for leaf in own)
            assert attacker.width(cell, 0) >= min(needed, left) - NEARLY, (seed, cell)
    assert cells > 500


def test_all_measures_together_pin_no_number_of_people() -> None:
    """Rows, values and sums with the bounds between them. Tried, not proven: docs/disclosure.md."""
    for seed in range(60):
        made = survey(seed)
        shown = told(made)
        attacker = Programme(made.shape, 3)
        for place in range(2 * len(attacker.leaves), attacker.columns):
            attacker.low[place] = -INFINITE
        for number, measure in enumerate((ROWS, VALUES, TOTALS)):
            for cell, (low, high) in shown[measure].items():
                attacker.knows(cell, low, high, number)
        attacker.bounds(0, 1, of=1, by=0)
        attacker.bounds(made.low, made.high, of=2, by=1)
        for cell in few(made):
            assert attacker.width(cell) >= 1 - NEARLY, (seed, cell)


def test_every_table_is_a_part_of_one() -> None:
    """Who asks for a level gets the cells of that level, withheld as for everybody."""
    for seed in range(30):
        made = survey(seed)
        whole = whole_table(made.plan(), made.cells)
        axes = range(len(made.shape))
        for keys in (each for size in range(len(axes) + 1) for each in combinations(axes, size)):
            answer = protect(made.plan(keys), made.cells)
            places = list(product(*(range(made.shape[key]) for key in keys)))
            for numbers, table in zip(answer, whole, strict=True):
                for place, number in zip(places, numbers, strict=True):
                    at = dict(zip(keys, place, strict=True))
                    assert number == table.get(tuple(at.get(axis, TOTAL) for axis in axes))


def test_what_is_withheld_does_not_depend_on_the_company() -> None:
    """Nor on what else the question measures, or two questions would show more than one."""
    for seed in range(30):
        made = survey(seed)
        whole = whole_table(made.plan(), made.cells)
        assert whole[ROWS].keys() == whole[UNITS].keys()
        assert whole[VALUES].keys() <= whole[ROWS].keys()
        assert whole[TOTALS].keys() <= whole[ROWS].keys()


def broken(room: str, seeds: range) -> int:
    """In how many tables the attacker narrows a cell, if suppression is done badly."""
    found = 0
    for seed in seeds:
        source = random.Random(seed)
        shape = source.choice([(4, 5), (3, 3, 3), (2, 4, 3)])
        table = {leaf: source.choice([0, 0, 1, 2, 9, 30]) for leaf in product(*map(range, shape))}
        whole = cube(table, shape)
        sensitive = {cell: MINIMUM for cell, amount in whole.items() if amount < MINIMUM}
        rooms: Mapping[Coordinates, Room] = (
            counts(table) if room == "counts" else dict.fromkeys(table, Room(UNBOUNDED, UNBOUNDED))
        )
        hidden = frozenset(sensitive) if room == "none" else withheld(shape, rooms, sensitive)
        shown = {
            cell: (float(amount), float(amount))
            for cell, amount in whole.items()
            if cell not in hidden
        }
        attacker = programme(shape, shown)
        found += any(attacker.width(cell) < MINIMUM - NEARLY for cell in sensitive)
    return found


def test_the_attacker_breaks_what_is_done_badly() -> None:
    """Sensitive cells alone, and a second round that forgets that counts are not negative."""
    assert broken("none", range(40)) >= 20
    assert broken("linear", range(40)) >= 5
    assert broken("counts", range(40)) == 0


@pytest.mark.parametrize("shape", [(300,), (17, 18), (7, 7, 6), (4, 4, 4, 4), (2, 2, 75)])
def test_work_is_bounded_by_the_shape(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    """No table of a shape makes more moves than this, whatever is in it."""
    source = random.Random(3)
    table = {leaf: source.choice([0, 0, 1, 2, 9, 30]) for leaf in product(*map(range, shape))}
    whole = cube(table, shape)
    sensitive = {cell: MINIMUM for cell, amount in whole.items() if amount < MINIMUM}
    tried = 0
    cost = suppression._Cube._cost

    def counted(self: suppression._Cube, move: suppression._Move) -> int:
        nonlocal tried
        tried += 1
        return cost(self, move)

    monkeypatch.setattr(suppression._Cube, "_cost", counted)
    withheld(shape, counts(table), sensitive)
    assert 0 < tried <= (6 + 24 + suppression.TRIED) * len(sensitive)
