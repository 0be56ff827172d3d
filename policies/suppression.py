"""Complementary suppression: which cells are withheld so that sensitive ones cannot be narrowed.

A table is looked at with all its margins, as one cube: a coordinate per column, `TOTAL` for the sum
over it. Whoever asks for whatever levels of the cube (the tables by some of its columns) sees cells
of this one cube, and the same ones are withheld for all. What an attacker does then is a linear
programme: the finest cells are unknown numbers, each with a lowest and a highest that it could
have (a count is not negative, a sum is inside what the contract's bounds leave to its rows), and
every number shown is an equation. Here is what this leaves him for each sensitive cell.

A *move* takes a finest cell and a second one that differs from it in the columns V, adds d to the
corners between the two in turn with alternating sign, and withholds every cell of the cube whose
number changes. Those are the corners and, for columns outside V, their margins: summing over a
column of V adds +d and -d. With V empty a single finest cell changes, and all its margins do.

1. No number that is shown changes with a move, for any d: what changes is withheld.
2. While no corner leaves its lowest and highest, what results is a table that could have been.
3. So, by one move after the other, two tables are built that could have been: the sensitive cell
   is low in one and high in the other, and the difference is the range that it needs.

Moves are added until the range is reached, or all that the lowest and highest of the cell's finest
cells allow, which an attacker is left with by the bounds alone. The latter is always possible: with
V empty nothing is in the way. The attacker's programme has both tables among its solutions, so its
interval is no narrower. This assumes nothing about which levels he asked; rounded numbers tell him
less; and as all numbers are whole, so are the two tables.

The work is bounded by the table's shape: `TRIED` moves for each cell, of at most 2^4 corners.

Sources: the hypercube method of GHMITER and tau-ARGUS (S. Giessing, D. Repsilber, Tools and
strategies to protect multiple tables with the GHQUAR cell suppression engine, 2002), with all
linked tables as one; M. Fischetti, J. Salazar-Gonzalez, Models and algorithms for optimizing cell
suppression in tabular data with linear constraints (2000), for the attacker and for ranges that
need not lie evenly around the true number; A. Hundepool et al., Statistical Disclosure Control
(2012), chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import combinations, product
from typing import Final, NamedTuple

TOTAL: Final = -1
"""The coordinate of a margin: the sum over all values of that column."""
UNBOUNDED: Final = 1 << 80
"""Room where nothing bounds a number."""
TRIED: Final = 128
"""Moves that are looked at for one sensitive cell, apart from those that change one finest cell."""
_BASES: Final = 6
"""Finest cells of a sensitive margin that moves are looked for from."""
_TRANSFERS: Final = 24
_WIDTH: Final = {1: 8, 2: 4, 3: 3, 4: 2}
"""Values of each moved column that are looked at, by the number of moved columns."""

Coordinates = tuple[int, ...]


class Room(NamedTuple):
    """How far a finest cell's number could be below and above the true one, for all one knows."""

    down: int
    up: int


class _Move(NamedTuple):
    """The corners that change with the first one and against it, as places of finest cells."""

    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    changed: tuple[int, ...]
    """Numbers of the cube's cells that change."""


def withheld(
    shape: Sequence[int],
    room: Mapping[Coordinates, Room],
    sensitive: Mapping[Coordinates, int],
    already: Iterable[Coordinates] = (),
) -> frozenset[Coordinates]:
    """All cells of the cube to withhold, margins included.

    `shape` is how many values each column has; `room` has every finest cell; `sensitive` maps each
    sensitive cell or margin to the range that an attacker must be left with; `already` is withheld
    anyway.
    """
    return _Cube(shape, room).protected(sensitive, already)


class _Cube:
    """Cells by number: of the finest in the order of `product`, of all in mixed radix."""

    def __init__(self, shape: Sequence[int], room: Mapping[Coordinates, Room]) -> None:
        self.shape = tuple(shape)
        self.leaves = list(product(*map(range, shape)))
        self.down = [room[leaf].down for leaf in self.leaves]
        self.up = [room[leaf].up for leaf in self.leaves]
        self.leaf_step = _steps(shape)
        self.cell_step = _steps([length + 1 for length in shape])
        self.number = [self._number(leaf) for leaf in self.leaves]
        self.found: set[int] = set()
        # Withheld finest cells that can give most, as of so many cells withheld.
        self.giving: tuple[int, list[int]] = 0, []
        # How far apart two tables that could have been are in a finest cell.
        self.ranges: dict[int, int] = {}
        # What one withheld cell costs the reader: how many finest cells it sums.
        self.weight: dict[int, int] = {}

    def protected(
        self, sensitive: Mapping[Coordinates, int], already: Iterable[Coordinates]
    ) -> frozenset[Coordinates]:
        """See `withheld`."""
        for cell in (*already, *sensitive):
            self.found.add(self._number(cell))
        # Margins first: what they withhold serves the finer cells too.
        order = sorted(sensitive, key=lambda cell: (len(self.shape) - cell.count(TOTAL), cell))
        for cell in order:
            self._protect(cell, sensitive[cell])
        return frozenset(
            cell
            for cell in product(*((TOTAL, *range(length)) for length in self.shape))
            if self._number(cell) in self.found
        )

    def _number(self, cell: Coordinates) -> int:
        return sum((place + 1) * step for place, step in zip(cell, self.cell_step, strict=True))

    def _protect(self, cell: Coordinates, needed: int) -> None:
        """Withholds what it takes for `cell` to be uncertain by `needed`, or by all its room."""
        level = tuple(axis for axis, place in enumerate(cell) if place != TOTAL)
        under = [
            sum(place * step for place, step in zip(leaf, self.leaf_step, strict=True))
            for leaf in product(
                *(
                    range(length) if place == TOTAL else (place,)
                    for place, length in zip(cell, self.shape, strict=True)
                )
            )
        ]
        # What the room of its finest cells allows an attacker has without any table.
        needed = min(needed, sum(self.down[leaf] + self.up[leaf] for leaf in under))
        if needed <= 0:
            return
        own = under[0] if len(under) == 1 else None
        if own is not None and self.ranges.get(own, 0) >= needed:
            return  # the two tables of another cell are as far apart in this one
        reach = _Reach(self, needed)
        self._reach(reach, under, level)
        if own is None:
            return
        for leaf in {*reach.low, *reach.high}:
            apart = abs(reach.high.get(leaf, 0) - reach.low.get(leaf, 0))
            self.ranges[leaf] = max(apart, self.ranges.get(leaf, 0))

    def _reach(self, reach: _Reach, under: Sequence[int], level: Sequence[int]) -> None:
        """Withholds what moves change until they reach far enough."""
        offers = []
        for place, move in enumerate(self._likely(under, level)):
            cost = self._cost(move)
            if cost:
                offers.append((cost, place, move))
            elif reach.add(move):
                return
        # The cheapest that is enough with what there is; else the cheapest, one after the other.
        offers.sort()
        for _, _, move in offers:
            if reach.gain(move) == reach.left:
                self.found.update(move.changed)
                reach.add(move)
                return
        for _, _, move in offers:
            if reach.gain(move):
                self.found.update(move.changed)
                if reach.add(move):
                    return
        # All the room that there is.
        for leaf in under:
            self.found.update(self._move(leaf, (), ()).changed)

    def _likely(self, under: Sequence[int], level: Sequence[int]) -> Iterator[_Move]:
        """At most 24 + 6 + 128 moves that change the sum of these finest cells, few at a time."""
        bases = nlargest(_BASES, under, key=lambda leaf: (self.down[leaf] + self.up[leaf], -leaf))
        for base in bases:
            yield self._move(base, (), ())
        yield from self._transfers(bases[0], under)
        yield from self._moves(bases, level)

    def _cost(self, move: _Move) -> int:
        found = self.found
        return sum(self._weight(cell) for cell in move.changed if cell not in found)

    def _weight(self, cell: int) -> int:
        known = self.weight.get(cell)
        if known is None:
            known, rest = 1, cell
            for length, step in zip(self.shape, self.cell_step, strict=True):
                place, rest = divmod(rest, step)
                known *= 1 if place else length
            self.weight[cell] = known
        return known

    def _move(self, base: int, moved: tuple[int, ...], to: tuple[int, ...]) -> _Move:
        """The move from a finest cell, in these columns, to these values."""
        own = self.leaves[base]
        shifts = [
            (
                (place - own[axis]) * self.leaf_step[axis],
                (place - own[axis]) * self.cell_step[axis],
            )
            for axis, place in zip(moved, to, strict=True)
        ]
        corners: tuple[list[tuple[int, int]], list[tuple[int, int]]] = (
            [(base, self.number[base])],
            [],
        )
        for leaf_shift, cell_shift in shifts:
            ours, theirs = corners
            corners = (
                ours + [(leaf + leaf_shift, cell + cell_shift) for leaf, cell in theirs],
                theirs + [(leaf + leaf_shift, cell + cell_shift) for leaf, cell in ours],
            )
        margins = [0]
        for axis, step in enumerate(self.cell_step):
            if axis not in moved:
                margins += [margin - (own[axis] + 1) * step for margin in margins]
        return _Move(
            tuple(leaf for leaf, _ in corners[0]),
            tuple(leaf for leaf, _ in corners[1]),
            tuple(cell + margin for side in corners for _, cell in side for margin in margins),
        )

    def _moves(self, bases: Sequence[int], level: Sequence[int]) -> Iterator[_Move]:
        """Moves in columns of `level` from one of the finest cells, few that are likely to do."""
        tried = 0
        near = [(base, {axis: self._near(base, axis) for axis in level}) for base in bases]
        for size in range(len(level), 0, -1):
            for moved in combinations(level, size):
                for base, values in near:
                    for to in product(*(values[axis][: _WIDTH[size]] for axis in moved)):
                        tried += 1
                        if tried > TRIED:
                            return
                        yield self._move(base, moved, to)

    def _transfers(self, base: int, under: Sequence[int]) -> Iterator[_Move]:
        """Moves to or from single cells outside, wherever they are, that are withheld already."""
        if self.giving[0] != len(self.found):
            hidden = (leaf for leaf, number in enumerate(self.number) if number in self.found)
            self.giving = (
                len(self.found),
                nlargest(_TRANSFERS, hidden, key=lambda leaf: (self.down[leaf], -leaf)),
            )
        inside = set(under)
        mine = set(self._containing(base))
        for other in self.giving[1]:
            if other not in inside:
                yield _Move(
                    (base,), (other,), tuple(mine.symmetric_difference(self._containing(other)))
                )

    def _containing(self, leaf: int) -> list[int]:
        """The numbers of the cells that sum a finest cell: one for each level."""
        numbers = [self.number[leaf]]
        for place, step in zip(self.leaves[leaf], self.cell_step, strict=True):
            numbers += [number - (place + 1) * step for number in numbers]
        return numbers

    def _near(self, base: int, axis: int) -> list[int]:
        """Values of the column to which the finest cell could give or from which it could take.

        The withheld ones first, then those with the most room.
        """
        down, up, step = self.down, self.up, self.leaf_step[axis]
        first = base - self.leaves[base][axis] * step
        ranked = []
        for place in range(self.shape[axis]):
            other = first + place * step
            gives = min(up[base], down[other]) + min(down[base], up[other])
            if other != base and gives:
                ranked.append((self.number[other] not in self.found, -gives, place))
        return [place for _, _, place in sorted(ranked)]


class _Reach:
    """Two tables that could have been: the sensitive cell is as low in one, as high in the other.

    Both differ from the true one by moves that change nothing that is shown.
    """

    def __init__(self, cube: _Cube, needed: int) -> None:
        self.down, self.up = cube.down, cube.up
        self.left = needed
        """How much wider the range must become."""
        self.low: dict[int, int] = {}
        self.high: dict[int, int] = {}

    def add(self, move: _Move) -> bool:
        """Makes the move in both, as far as it goes; gives whether it is enough now."""
        rise = min(self.left, self._room(self.high, move.ours, move.theirs))
        self._change(self.high, move, rise)
        fall = min(self.left - rise, self._room(self.low, move.theirs, move.ours))
        self._change(self.low, move, -fall)
        self.left -= rise + fall
        return self.left <= 0

    def gain(self, move: _Move) -> int:
        """How much wider the range would become."""
        rise = self._room(self.high, move.ours, move.theirs)
        return min(self.left, rise + self._room(self.low, move.theirs, move.ours))

    def _room(self, table: dict[int, int], rising: Iterable[int], falling: Iterable[int]) -> int:
        """How far these finest cells can rise and those fall, from where they are in a table."""
        room = UNBOUNDED
        for leaf in rising:
            room = min(room, self.up[leaf] - table.get(leaf, 0))
        for leaf in falling:
            room = min(room, self.down[leaf] + table.get(leaf, 0))
        return room

    @staticmethod
    def _change(table: dict[int, int], move: _Move, by: int) -> None:
        for leaf in move.ours:
            table[leaf] = table.get(leaf, 0) + by
        for leaf in move.theirs:
            table[leaf] = table.get(leaf, 0) - by


def _steps(lengths: Sequence[int]) -> list[int]:
    """How far apart neighbours in each column are, the last varying fastest."""
    steps = [1] * len(lengths)
    for axis in range(len(lengths) - 2, -1, -1):
        steps[axis] = steps[axis + 1] * lengths[axis + 1]
    return steps
