"""What a caller sees of a question's cells: output columns, which rows, order and limit.

All of it happens after release, on released numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from gateway.scalar import Scalar, size
from policies.question import GroupKey, Question, Relation


@dataclass(frozen=True, slots=True)
class Key:
    """A grouping key."""

    key: GroupKey


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answer."""

    name: str
    source: Key | Scalar


@dataclass(frozen=True, slots=True)
class Holds:
    """HAVING: a released number compared with a literal; unknown where there is no number."""

    left: Scalar
    relation: Relation
    literal: int | float


@dataclass(frozen=True, slots=True)
class Both:
    """AND of two."""

    left: Having
    right: Having


@dataclass(frozen=True, slots=True)
class Either:
    """OR of two."""

    left: Having
    right: Having


@dataclass(frozen=True, slots=True)
class Neither:
    """NOT."""

    of: Having


Having = Holds | Both | Either | Neither


def conditions_size(having: Having | None) -> int:
    """How many steps deciding it takes in one cell."""
    match having:
        case None:
            return 0
        case Holds(left):
            return 1 + size(left)
        case Both(left, right) | Either(left, right):
            return conditions_size(left) + conditions_size(right)
        case Neither(of):
            return conditions_size(of)
        case _:
            assert_never(having)


def compared_of(having: Having | None) -> Iterator[Scalar]:
    """The numbers that it compares, left to right."""
    match having:
        case None:
            return
        case Holds(left):
            yield left
        case Both(left, right) | Either(left, right):
            yield from compared_of(left)
            yield from compared_of(right)
        case Neither(of):
            yield from compared_of(of)
        case _:
            assert_never(having)


@dataclass(frozen=True, slots=True)
class Ordering:
    """By which output (its place), and how; NULL comes last unless `nulls_first`."""

    output: int
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Presentation:
    """Outputs in the order of SELECT, then HAVING, ORDER BY and LIMIT (None: all rows)."""

    outputs: tuple[Output, ...]
    having: Having | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text asks: a question, for one named department or for all that serve it."""

    question: Question
    presentation: Presentation
    department: str | None
