"""A second table about the same people, and questions about both.

It has every column of tests.people, so that a bare name is ambiguous, and two of its own.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st

from policies import odcs
from policies.contract import Contract
from policies.joined import joined
from policies.question import Question
from tests import people
from tests.core import strategies
from tests.people import Row
from tests.policies.documents import column

T = TypeVar("T")

KINDS = ("clinic", "home")
COLUMNS = (*people.COLUMNS, "kind", "cost")
ROWS_OF_PEOPLE = 2
ROWS_OF_VISITS = 3


def document(**changes: Any) -> bytes:
    """The text of the contract `visits`; `changes` as in tests.people."""
    tree = json.loads(people.document(**{"landbridgeRowsPerUnit": ROWS_OF_VISITS, **changes}))
    tree["id"] = tree["schema"][0]["name"] = "visits"
    tree["schema"][0]["properties"] += [
        column("kind", "string", required=True, enum=[{"value": kind} for kind in KINDS]),
        column(
            "cost", "integer", "internal",
            logicalTypeOptions={"minimum": 0, "maximum": 1_000}, clip=[0, 500],
        ),
    ]  # fmt: skip
    return json.dumps(tree).encode()


def people_document(**changes: Any) -> bytes:
    """The contract `people`, in which somebody can have two rows."""
    return people.document(**{"landbridgeRowsPerUnit": ROWS_OF_PEOPLE, **changes})


def contracts(**changes: Any) -> tuple[Contract, Contract]:
    """Both contracts, changed alike."""
    return (
        odcs.read(people_document(**changes), "people"),
        odcs.read(document(**changes), "visits"),
    )


def both(**changes: Any) -> Contract:
    """The contract of their join."""
    return joined(contracts(**changes))


def of_visit(row: Row, kind: str = "clinic", cost: int | None = 100) -> Row:
    """A visit by the person of that row."""
    return (*row, kind, cost)


def repeated(count: int, most: int, seed: int) -> list[Row]:
    """Rows of so many people, from none to `most` of each, all different but for the person."""
    source = random.Random(seed)
    rows = people.crowd(count * most, seed)
    return [
        (10_000 + person, *rows[person * most + number][1:])
        for person in range(count)
        for number in range(source.randint(0, most))
    ]


def visits(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows as visits of some kind and cost."""
    source = random.Random(seed)
    return [
        of_visit(row, source.choice(KINDS), source.choice([None, source.randint(0, 1_000)]))
        for row in rows
    ]


def write(rows: Sequence[Row], path: Path) -> Path:
    """Visits as a CSV file that the loader takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow("" if value is None else value for value in row)
    return path


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Questions about the join; not yet canonical."""
    one = draw(strategies.questions)
    sides = draw(st.randoms(use_true_random=False))
    named = renamed(one, lambda name: f"{sides.choice(('people', 'visits'))}.{name}")
    return replace(named, joined=("visits",))


def renamed(value: T, name: Callable[[str], str]) -> T:
    """The value with every `column` in it, however deep, under another name."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: name(getattr(value, each.name))
            if each.name == "column"
            else renamed(getattr(value, each.name), name)
            for each in fields(value)
        }
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(renamed(part, name) for part in value)  # type: ignore[return-value]
    return value
