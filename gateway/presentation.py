"""What a caller sees of a question's cells: output columns, which rows, order and limit.

All of it happens after release, on released numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.scalar import Scalar
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
