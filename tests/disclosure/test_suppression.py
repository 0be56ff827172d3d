"""An attacker with all tables over the same rows and linear algebra computes no sensitive cell."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.suppression import TOTAL, UNBOUNDED, Coordinates, Room, withheld

Table = Mapping[Coordinates, int]


def cube(table: Table, shape: Sequence[int]) -> dict[Coordinates, int]:
    """The table with all its margins."""
    found: dict[Coordinates, int] = {}
    for cell in product(*((TOTAL, *range(length)) for length in shape)):
        found[cell] = sum(
            amount
            for leaf, amount in table.items()
            if all(c in (TOTAL, own) for c, own in zip(cell, leaf, strict=True))
        )
    return found


class Attacker:
    """Knows some sums over the finest cells, and computes what follows from them by elimination."""

    def __init__(self, shape: Sequence[int], shown: Iterable[Coordinates]) -> None:
        self.leaves = list(product(*map(range, shape)))
        self.pivots: dict[int, list[Fraction]] = {}
        for cell in shown:
            row = self.reduced(cell)
            pivot = next((place for place, number in enumerate(row) if number), None)
            if pivot is not None:
                self.pivots[pivot] = [number / row[pivot] for number in row]

    def reduced(self, cell: Coordinates) -> list[Fraction]:
        """What is left of a sum after taking away what is known; all zero: it is known."""
        row = [
            Fraction(all(c in (TOTAL, own) for c, own in zip(cell, leaf, strict=True)))
            for leaf in self.leaves
        ]
        for place in range(len(row)):
            if row[place] and place in self.pivots:
                factor = row[place]
                row = [a - factor * b for a, b in zip(row, self.pivots[place], strict=True)]
        return row

    def computes(self, cell: Coordinates) -> bool:
        """Whether the sum is determined, whatever it is."""
        return not any(self.reduced(cell))


def counts(table: Table) -> dict[Coordinates, Room]:
    """What is known of counts: they are not negative."""
    return {leaf: Room(amount, UNBOUNDED) for leaf, amount in table.items()}


def protect(
    table: Table, shape: Sequence[int], minimum: int
) -> tuple[dict[Coordinates, int], set[Coordinates], frozenset[Coordinates]]:
    """The cube, its sensitive cells, and what is withheld."""
    whole = cube(table, shape)
    few = {cell: minimum for cell, amount in whole.items() if amount < minimum}
    return whole, set(few), withheld(shape, counts(table), few)


def even(shape: Sequence[int], amount: int) -> dict[Coordinates, int]:
    """The same number everywhere."""
    return dict.fromkeys(product(*map(range, shape)), amount)


shapes = st.lists(st.integers(1, 4), min_size=0, max_size=4).filter(
    lambda shape: len(list(product(*map(range, shape)))) <= 48
)


@settings(max_examples=150, deadline=None)
@given(shapes, st.integers(3, 8), st.integers(0, 9), st.randoms(use_true_random=False))
def test_no_sensitive_cell_is_determined_by_all_that_is_shown(
    shape: list[int], minimum: int, crowded: int, source: random.Random
) -> None:
    """Every table by every choice of columns, together, against exact elimination."""
    table = {
        leaf: source.choice([0, 0, 1, 2, minimum, 5 * crowded]) + crowded
        for leaf in product(*map(range, shape))
    }
    whole, sensitive, hidden = protect(table, shape, minimum)
    attacker = Attacker(shape, [cell for cell in whole if cell not in hidden])
    assert sensitive <= hidden
    for cell in sensitive:
        assert not attacker.computes(cell), (shape, table, cell)


@settings(max_examples=150, deadline=None)
@given(shapes, st.integers(1, 4), st.randoms(use_true_random=False))
def test_whatever_is_sensitive_is_not_determined(
    shape: list[int], needed: int, source: random.Random
) -> None:
    """Sums are dominated in a margin and not in its cells, or the other way round: any set."""
    table = {leaf: source.randint(0, 9) for leaf in even(shape, 0)}
    whole = cube(table, shape)
    sensitive = source.sample(list(whole), min(len(whole), source.randint(1, 4)))
    hidden = withheld(shape, counts(table), dict.fromkeys(sensitive, needed))
    attacker = Attacker(shape, [cell for cell in whole if cell not in hidden])
    for cell in sensitive:
        assert not attacker.computes(cell), (shape, table, sensitive, cell)


def test_withholding_the_sensitive_cells_alone_is_not_enough() -> None:
    """The attacker of these tests is one that does succeed where nothing else is withheld."""
    table = even((3, 3), 20) | {(0, 0): 2}
    whole, sensitive, hidden = protect(table, (3, 3), 5)
    assert sensitive == {(0, 0)}
    assert Attacker((3, 3), set(whole) - sensitive).computes((0, 0))
    assert not Attacker((3, 3), set(whole) - hidden).computes((0, 0))


def test_one_sensitive_cell_takes_three_more_with_it() -> None:
    """A rectangle in two dimensions, and none of the margins."""
    table = even((4, 5), 20) | {(1, 2): 3, (3, 4): 6}
    _, sensitive, hidden = protect(table, (4, 5), 5)
    assert sensitive == {(1, 2)}
    assert len(hidden) == 4
    assert all(TOTAL not in cell for cell in hidden)


def test_a_table_without_sensitive_cells_is_shown_whole() -> None:
    """Nothing is withheld for its own sake."""
    table = even((3, 2, 2), 9)
    assert protect(table, (3, 2, 2), 5)[2] == frozenset()
