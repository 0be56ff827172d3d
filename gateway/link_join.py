"""Joins the departments' rows by pseudonym, batch by batch: pure, and without any row's meaning.

Every side's rows come in ascending order. What comes of them is, per combination of codes, how many
pseudonyms all tables have, and for a side that owns values, which group of the other tables each of
its rows belongs to. A table that several departments serve has a pseudonym where one of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landbridge.protocols.pseudonyms import BLOCK, Blocks, matched

NOBODY = -1

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one side: pseudonyms (n, 16) and codes (n,)."""

    pseudonyms: Blocks
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(slots=True)
class _Waiting:
    """Rows of a side that are not joined yet; `last` is the side's latest pseudonym."""

    rows: list[Rows] = field(default_factory=list)
    last: bytes = b""
    ended: bool = False


class Join:
    """Takes batches from all sides, in each side's order; `codes` is how many each side has.

    `owners` are the sides of which the group of every row is kept. `tables` says which table each
    side's is; one of them can be several sides', which have one code then.
    """

    def __init__(self, codes: Sequence[int], owners: Sequence[int], tables: Sequence[int]) -> None:
        self._codes = tuple(codes)
        self._tables = tuple(tables)
        self._alone = [place for place, each in enumerate(tables) if tables.count(each) == 1]
        if any(codes[place] > 1 for place in range(len(codes)) if place not in self._alone):
            raise ValueError("Departments of one table have one code.")
        self._waiting = [_Waiting() for _ in codes]
        self._owned: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {own: [] for own in owners}
        self.counts = np.zeros(tuple(codes), dtype=np.int64)

    @property
    def behind(self) -> int:
        """The side whose rows are needed next; raises StopIteration when all have ended."""
        open_ = [(w.last, place) for place, w in enumerate(self._waiting) if not w.ended]
        if not open_:
            raise StopIteration
        return min(open_)[1]

    def add(self, side: int, rows: Rows) -> None:
        """The side's next rows; raises ValueError where they are out of order or repeated."""
        waiting = self._waiting[side]
        if not len(rows):
            raise ValueError("A batch has a row at least.")
        if waiting.last and rows.pseudonyms[0].tobytes() <= waiting.last:
            raise ValueError("Pseudonyms are out of order.")
        if not 0 <= int(rows.codes.min()) <= int(rows.codes.max()) < self._codes[side]:
            raise ValueError("A code is none of the side's.")
        _require_ascending(rows.pseudonyms)
        waiting.rows.append(rows)
        waiting.last = rows.pseudonyms[-1].tobytes()
        self._advance()

    def end(self, side: int) -> None:
        """The side has no more rows."""
        self._waiting[side].ended = True
        self._advance()

    def owned(self, side: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Of every row of the side in order: its group among the others (NOBODY: none), its code.

        Groups are numbered by the codes of the other sides, the last side running fastest.
        """
        parts = self._owned[side]
        if not parts:
            return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        return (
            np.concatenate([group for group, _ in parts]),
            np.concatenate([code for _, code in parts]),
        )

    def _advance(self) -> None:
        """Joins all rows up to the last pseudonym that every side has come to."""
        open_ = [w.last for w in self._waiting if not w.ended]
        until = min(open_) if open_ else None
        if until == b"":
            return
        taken = [self._take(waiting, until) for waiting in self._waiting]
        for owner in self._owned:
            self._owned[owner].append(self._groups(owner, taken))
        self._count(taken)

    def _take(self, waiting: _Waiting, until: bytes | None) -> Rows:
        parts: list[Rows] = []
        rest: list[Rows] = []
        for rows in waiting.rows:
            if until is None:
                parts.append(rows)
                continue
            end = _end(rows.pseudonyms, until)
            if end:
                parts.append(Rows(rows.pseudonyms[:end], rows.codes[:end]))
            if end < len(rows):
                rest.append(Rows(rows.pseudonyms[end:], rows.codes[end:]))
        waiting.rows = rest
        if not parts:
            return Rows(np.zeros((0, BLOCK), dtype=np.uint8), np.zeros(0, dtype=np.int64))
        return Rows(
            np.concatenate([part.pseudonyms for part in parts]),
            np.concatenate([part.codes for part in parts]),
        )

    def _count(self, taken: Sequence[Rows]) -> None:
        """Adds the pseudonyms that every table has."""
        first = self._alone[0]  # one table at most is several sides'
        found, codes = self._met(first, taken)
        together = [place for place in range(len(taken)) if place not in self._alone]
        if together:
            present = np.zeros(len(found), dtype=np.bool_)
            for place in together:
                ours, _ = match(taken[first].pseudonyms[found], taken[place].pseudonyms)
                present[ours] = True
            found = found[present]
            codes = {place: each[present] for place, each in codes.items()}
        codes[first] = taken[first].codes[found]
        nobody = np.zeros(len(found), dtype=np.int64)
        at = tuple(codes.get(place, nobody) for place in range(len(taken)))
        np.add.at(self.counts, at, 1)

    def _met(self, side: int, taken: Sequence[Rows]) -> tuple[Places, dict[int, np.ndarray]]:
        """Rows of the side that every other table of one department has, and its codes for them."""
        found: Places = np.arange(len(taken[side]))
        codes: dict[int, np.ndarray] = {}
        for place in self._alone:
            if place == side:
                continue
            ours, theirs = match(taken[side].pseudonyms[found], taken[place].pseudonyms)
            found = found[ours]
            codes = {other: each[ours] for other, each in codes.items()}
            codes[place] = taken[place].codes[theirs]
        return found, codes

    def _groups(self, side: int, taken: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
        found, codes = self._met(side, taken)
        group = np.zeros(len(found), dtype=np.int64)
        for place, code in codes.items():  # in the order of the sides
            group = group * self._codes[place] + code
        groups = np.full(len(taken[side]), NOBODY, dtype=np.int32)
        groups[found] = group
        return groups, taken[side].codes.astype(np.int32)


def match(ours: Blocks, theirs: Blocks) -> tuple[Places, Places]:
    """As `matched`, by the first eight bytes where those differ in all rows, which is faster."""
    left, right = _heads(ours), _heads(theirs)
    if not (_rising(left) and _rising(right)):
        return matched(ours, theirs)
    at = np.searchsorted(right, left)
    met = at < len(right)
    met[met] = right[at[met]] == left[met]
    places = np.flatnonzero(met)
    others = at[places]
    same = (ours[places, 8:] == theirs[others, 8:]).all(axis=1)
    return places[same], others[same]


def _heads(of: Blocks) -> NDArray[np.uint64]:
    heads: NDArray[np.uint64] = np.ascontiguousarray(of[:, :8]).view(">u8").reshape(-1)
    return heads.astype(np.uint64)


def _rising(heads: NDArray[np.uint64]) -> bool:
    return bool((heads[:-1] < heads[1:]).all())


def _require_ascending(of: Blocks) -> None:
    if not _rising(_heads(of)):
        matched(of, of[:0])  # raises where they are not, byte for byte


def _end(of: Blocks, until: bytes) -> int:
    """How many rows are not above it."""
    keys = np.ascontiguousarray(of).view(f"S{BLOCK}").reshape(-1)
    return int(np.searchsorted(keys, np.array(until, dtype=f"S{BLOCK}"), side="right"))
