"""What a caller sees of a question's cells: output columns, order and limit.

All of it happens after release, on released numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.question import Measure, Question


@dataclass(frozen=True, slots=True)
class Key:
    """A grouping column."""

    column: str


@dataclass(frozen=True, slots=True)
class Number:
    """One measure as it is."""

    measure: Measure


@dataclass(frozen=True, slots=True)
class Mean:
    """A sum over the count of the rows that it was taken over."""

    sum: Measure
    count: Measure


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answer."""

    name: str
    source: Key | Number | Mean


@dataclass(frozen=True, slots=True)
class Ordering:
    """By which output (its place), and how; NULL comes last unless `nulls_first`."""

    output: int
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Presentation:
    """Outputs in the order of SELECT, then ORDER BY and LIMIT (None: all rows)."""

    outputs: tuple[Output, ...]
    order: tuple[Ordering, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text asks: a question, for one named department or for all that serve it."""

    question: Question
    presentation: Presentation
    department: str | None
