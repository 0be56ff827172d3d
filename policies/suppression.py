"""Complementary suppression: which cells are withheld so that sensitive ones cannot be computed.

A sensitive cell that is withheld alone is its margin minus its neighbours. So the table is looked
at with all its margins, as one cube: a coordinate per grouping column, `TOTAL` for the sum over it.
Whatever cells of the cube anybody asks for, in one table or in several (by fewer or by other
columns, over the same rows), no sensitive cell is determined by what they show. The reason:

1. A sensitive cell of a level (the table by some of the columns) gets a hypercube there: a second
   cell that differs in every coordinate, and all corners between the two, all withheld. Adding d to
   the corners in turn with alternating sign changes no line's sum, hence no other margin.
2. Where coarser levels withhold the margins that would change, the second cell may agree with the
   first in some coordinates: a category of which even the total is sensitive needs no counterpart
   in its own line.
3. Whatever is withheld at a level is withheld at each finer level too, in the one slice that is the
   fullest of every further column. There the same change is hidden from the finer tables, and it is
   the same one for all of them.

So for each sensitive cell there is another table that shows the same cells and differs in it. At
its own level the change can be as large as the range that it needs without making any cell
negative; in finer tables that is not promised where their cells are emptier. Where no hypercube is
wide enough, the whole level is withheld.

Sources: the hypercube method of GHMITER and tau-ARGUS (S. Giessing, D. Repsilber, Tools and
strategies to protect multiple tables with the GHQUAR cell suppression engine, 2002); A. Hundepool
et al., Statistical Disclosure Control (2012), chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Final

TOTAL: Final = -1
"""The coordinate of a margin: the sum over all values of that column."""
CANDIDATES: Final = 256
"""Opposite cells that are tried for one sensitive cell, the fullest first."""

Coordinates = tuple[int, ...]


def withheld(
    shape: Sequence[int],
    quantity: Mapping[Coordinates, int],
    sensitive: Mapping[Coordinates, int],
    fullest: Sequence[int],
    already: Iterable[Coordinates] = (),
) -> frozenset[Coordinates]:
    """All cells of the cube to withhold, margins included.

    `shape` is how many values each column has; `quantity` the non-negative numbers of the cube, 0
    where there is none; `sensitive` maps each sensitive cell to the range that an attacker must be
    left with; `fullest` is the slice of each column in which finer tables hide what is withheld at
    coarser ones: the same whatever is asked over these rows; `already` is withheld anyway.
    """
    # A column of one value has no line of its own: its one slice is the total.
    axes = [axis for axis, length in enumerate(shape) if length > 1]

    def plain(cell: Coordinates) -> Coordinates:
        return tuple(
            place if length > 1 else TOTAL for place, length in zip(cell, shape, strict=True)
        )

    needs: dict[Coordinates, int] = {}
    for cell, needed in sensitive.items():
        needs[plain(cell)] = max(needed, needs.get(plain(cell), 0))
    found = {plain(cell) for cell in already} | set(needs)
    amounts = {plain(cell): amount for cell, amount in quantity.items()}
    for size in range(len(axes) + 1):
        for level in combinations(axes, size):
            _lift(level, found, fullest)
            at_level = sorted(
                (cell for cell in needs if _level(cell) == level),
                key=lambda cell: (-amounts.get(cell, 0), cell),
            )
            for cell in at_level:
                corners = _hypercube(cell, level, shape, amounts, found, needs[cell])
                found.update(_cells(level, shape) if corners is None else corners)
    return frozenset(
        cell
        for cell in product(*((TOTAL, *range(length)) for length in shape))
        if plain(cell) in found
    )


def _level(cell: Coordinates) -> Coordinates:
    return tuple(axis for axis, place in enumerate(cell) if place != TOTAL)


def _cells(level: Coordinates, shape: Sequence[int]) -> Iterator[Coordinates]:
    return product(
        *(range(length) if axis in level else (TOTAL,) for axis, length in enumerate(shape))
    )


def _lift(level: Coordinates, found: set[Coordinates], fullest: Sequence[int]) -> None:
    """Withholds, in the fullest slice, what is withheld at levels by some of these columns."""
    for cell in list(found):
        own = _level(cell)
        if len(own) < len(level) and set(own) <= set(level):
            found.add(
                tuple(
                    fullest[axis] if axis in level and place == TOTAL else place
                    for axis, place in enumerate(cell)
                )
            )


def _hypercube(
    cell: Coordinates,
    level: Coordinates,
    shape: Sequence[int],
    amounts: Mapping[Coordinates, int],
    found: set[Coordinates],
    needed: int,
) -> list[Coordinates] | None:
    """The corners that cost least: fewest newly withheld cells, then the smallest numbers."""
    best: tuple[tuple[int, int, Coordinates], list[Coordinates]] | None = None
    for size in range(len(level), -1, -1):
        for moving in combinations(level, size):
            for other in _opposites(cell, moving, shape, amounts, found):
                sides = _sides(cell, other, moving)
                corners = [*sides[0], *sides[1]]
                if not _margins_withheld(corners, level, moving, found):
                    continue
                # The cell can fall by the least on its own side and rise by the least on the
                # other, which is empty where nothing needs to make up for it.
                room = sum(
                    min((amounts.get(each, 0) for each in side), default=needed) for side in sides
                )
                new = [corner for corner in corners if corner not in found]
                cost = (len(new), sum(amounts.get(corner, 0) for corner in new), other)
                if room >= needed and (best is None or cost < best[0]):
                    best = cost, corners
                    if not new:
                        return corners
    return None if best is None else best[1]


def _opposites(
    cell: Coordinates,
    moving: Coordinates,
    shape: Sequence[int],
    amounts: Mapping[Coordinates, int],
    found: set[Coordinates],
) -> list[Coordinates]:
    """Cells that differ exactly in the moving coordinates: the withheld and the fullest first."""
    others = product(
        *(
            [index for index in range(length) if index != place] if axis in moving else [place]
            for axis, (place, length) in enumerate(zip(cell, shape, strict=True))
        )
    )
    return sorted(others, key=lambda other: (other not in found, -amounts.get(other, 0), other))[
        :CANDIDATES
    ]


def _sides(
    cell: Coordinates, other: Coordinates, moving: Coordinates
) -> tuple[list[Coordinates], list[Coordinates]]:
    """The corners between two cells: those that rise with the first one, and those that fall."""
    sides: tuple[list[Coordinates], list[Coordinates]] = ([], [])
    for choice in product((False, True), repeat=len(moving)):
        corner = list(cell)
        for axis, far in zip(moving, choice, strict=True):
            if far:
                corner[axis] = other[axis]
        sides[sum(choice) % 2].append(tuple(corner))
    return sides


def _margins_withheld(
    corners: Iterable[Coordinates],
    level: Coordinates,
    moving: Coordinates,
    found: set[Coordinates],
) -> bool:
    """Whether every margin that changes with the corners is withheld already."""
    still = [axis for axis in level if axis not in moving]
    return all(
        tuple(TOTAL if axis in summed else place for axis, place in enumerate(corner)) in found
        for size in range(1, len(still) + 1)
        for summed in combinations(still, size)
        for corner in corners
    )
