"""A row of the benchmark: one figure, the floor beside it, and how far to trust them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final, Literal

Say = Callable[[str], None]
"""Takes a sentence about what happens now."""

Better = Literal["lower", "higher"]

_DIGITS: Final = 4
"""Significant digits that are shown; the machine does not repeat more."""


class RowFailed(Exception):
    """A row could not be measured; one sentence that says what was missing."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A limit for the row's `value` (in its unit) or for its `ratio`."""

    of: Literal["value", "ratio"]
    limit: float


@dataclass(frozen=True, slots=True)
class Row:
    """One row, in the order of its JSON members; docs/bench.md says how to read it.

    `value` and `floor` are in the unit that `note` begins with, `ratio` is value / floor. `aim`
    names what it limits, for example "value <= 90"; None where nothing was promised. `n` counts the
    samples behind `value`, `spread` is the smallest and the largest of them. `value`, `floor`,
    `ratio` and `spread` are None together, in a row of something that is not to be had here.
    """

    row: str
    value: float | None
    floor: float | None
    ratio: float | None
    aim: str | None
    better: Better
    n: int
    spread: tuple[float, float] | None
    note: str

    @classmethod
    def absent(cls, name: str, *, better: Better, note: str) -> Row:
        """The row of what has no figure here; `note` says why."""
        return cls(name, None, None, None, None, better, 0, None, note)

    @classmethod
    def of(
        cls,
        name: str,
        ours: Sequence[float],
        floor: Sequence[float],
        *,
        better: Better,
        note: str,
        aim: Aim | None = None,
        choose: Callable[[Sequence[float]], float] = median,
    ) -> Row:
        """The row of these samples. `choose` makes one figure of ours; the floor's is the median.

        Raises RowFailed without samples, or for a floor of zero, beside which nothing has a ratio.
        """
        if not ours or not floor or median(floor) <= 0:
            raise RowFailed(f"Row {name} has no samples, or its floor took no time at all.")
        value, beside = choose(ours), median(floor)
        return cls(
            row=name,
            value=_shown(value),
            floor=_shown(beside),
            ratio=_shown(value / beside),
            aim=None if aim is None else _words(aim, better),
            better=better,
            n=len(ours),
            spread=(_shown(min(ours)), _shown(max(ours))),
            note=note,
        )

    def to_json(self) -> str:
        """One line; never NaN or an infinity, which JSON does not have (RFC 8259, section 6)."""
        return json.dumps(asdict(self), allow_nan=False)


def _words(aim: Aim, better: Better) -> str:
    return f"{aim.of} {'<=' if better == 'lower' else '>='} {aim.limit:g}"


def _shown(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
