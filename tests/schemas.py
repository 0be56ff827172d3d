"""Schemas that nobody thought of: tables, contracts, rows and questions, for Hypothesis to choose.

What every contract has is a key `k`, the protected unit. All else is drawn: how many columns, of
which types, with NULLs or without, bounded or clipped, and how many rows of one unit count.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from tests.people import PURPOSE
from tests.policies.documents import column

PEOPLE = 14
TYPES = {"integer": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN", "number": "DOUBLE"}
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Drawn:
    """A column: its property in the contract, its values, and what may be asked of it."""

    name: str
    kind: str
    nullable: bool
    low: int = 0
    high: int = 0
    clip: tuple[int, int] | None = None
    groupable: bool = False

    @property
    def property(self) -> dict[str, Any]:
        """As the contract has it."""
        more: dict[str, Any] = {} if self.nullable else {"required": True}
        match self.kind:
            case "string":
                values = [{"value": f"v{number}"} for number in range(self.high)]
                return column(self.name, "string", enum=values, **more)
            case "boolean":
                return column(self.name, "boolean", **more)
            case _:
                more["logicalTypeOptions"] = {"minimum": self.low, "maximum": self.high}
                if self.clip is not None:
                    more["clip"] = list(self.clip)
                if self.groupable:
                    more["groupable"] = True
                if self.kind == "number":
                    more["step"] = 0.5
                return column(self.name, self.kind, **more)

    def value(self, draw: st.DrawFn) -> Any:
        """One that fits; None for NULL."""
        if self.nullable and draw(st.integers(0, 5)) == 0:
            return None
        match self.kind:
            case "string":
                return f"v{draw(st.integers(0, self.high - 1))}"
            case "boolean":
                return draw(st.booleans())
            case "integer":
                return draw(st.integers(self.low, self.high))
            case _:
                return draw(st.integers(2 * self.low, 2 * self.high)) / 2


@dataclass(frozen=True)
class Table:
    """A contract with its rows. `rows_per_unit` bounds every unit's, which no unit exceeds."""

    name: str
    key: str
    columns: tuple[Drawn, ...]
    rows_per_unit: int
    rows: tuple[Row, ...]

    def document(self, **terms: Any) -> bytes:
        """The contract's text."""
        whole: dict[str, Any] = {
            "landbridgeProtectedUnit": "k",
            "landbridgeMethod": "dp",
            "landbridgeRowsPerUnit": self.rows_per_unit,
            "landbridgeNoise": "gaussian",
            "landbridgeBudget": {
                "recipient": {"epsilon": 1e5, "delta": 1e-4},
                "overall": {"epsilon": 1e5, "delta": 1e-4},
                "period": "year",
            },
            "landbridgeEpsilon": {"default": 20.0, "maximum": 1000.0},
            "landbridgePurposes": [PURPOSE],
            **terms,
        }
        unique = {"unique": True} if self.rows_per_unit == 1 else {}
        key = column("k", self.key, "sealed", required=True, **unique)
        return json.dumps(
            {
                "version": "1.0.0",
                "kind": "DataContract",
                "apiVersion": "v3.2.0",
                "id": self.name,
                "name": self.name,
                "customProperties": [{"property": p, "value": v} for p, v in whole.items()],
                "schema": [
                    {"name": self.name, "properties": [key, *(c.property for c in self.columns)]}
                ],
            }
        ).encode()

    def write(self, path: Path, rows: Iterable[Row] | None = None) -> Path:
        """The rows as a CSV file that the loader takes."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["k", *(each.name for each in self.columns)])
            for row in self.rows if rows is None else rows:
                writer.writerow("" if value is None else value for value in row)
        return path

    def groups(self) -> list[str]:
        """What its rows can be grouped by."""
        return [
            f"{self.name}.{each.name}"
            for each in self.columns
            if each.kind in ("string", "boolean") or each.groupable
        ]

    def measures(self) -> list[str]:
        """What can be added up or counted of its columns."""
        found = [f"count({self.name}.{each.name})" for each in self.columns]
        for each in self.columns:
            if each.kind in ("integer", "number"):
                found += [f"{call}({self.name}.{each.name})" for call in ("sum", "avg")]
        return found

    def filters(self) -> list[str]:
        """Conditions on its columns."""
        found = []
        for each in self.columns:
            name = f"{self.name}.{each.name}"
            match each.kind:
                case "string":
                    found += [f"{name} IN ('v0', 'v1')", f"{name} IS NOT NULL"]
                case "boolean":
                    found += [name, f"NOT {name}"]
                case _:
                    middle = (each.low + each.high) // 2
                    found += [f"{name} <= {middle}", f"{name} IS NULL OR {name} > {each.low}"]
        return [f"({each})" for each in found]


@st.composite
def columns(draw: st.DrawFn) -> tuple[Drawn, ...]:
    """One to four columns."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("string", "boolean", "integer", "number")))
        name, nullable = f"c{number}", draw(st.booleans())
        low, clip, groupable = 0, None, False
        high = draw(st.integers(2, 4))
        if kind in ("integer", "number"):
            low = draw(st.integers(-50, 10))
            groupable = kind == "integer" and draw(st.booleans())
            high = low + (high if groupable else draw(st.integers(5, 200)))
            if not groupable and draw(st.booleans()):
                clip = (low, low + (high - low) // 2)
        found.append(Drawn(name, kind, nullable, low, high, clip, groupable))
    return tuple(found)


@st.composite
def tables(draw: st.DrawFn, name: str, *, many: bool, key: str | None = None) -> Table:
    """A table of some of the people, with several rows for one where `many`."""
    drawn = draw(columns())
    kind = key or draw(st.sampled_from(("integer", "string")))
    most = draw(st.integers(2, 3)) if many else 1
    people = draw(st.sets(st.integers(1, PEOPLE), max_size=PEOPLE))
    rows = [
        (person, *(each.value(draw) for each in drawn))
        for person in sorted(people)
        for _ in range(draw(st.integers(1, most)))
    ]
    return Table(name, kind, drawn, most, tuple(rows))


def in_the_clear(found: Sequence[Table]) -> duckdb.DuckDBPyConnection:
    """All tables in one DuckDB; keys are numbers everywhere. Asked by `clear` of a question."""
    connection = duckdb.connect()
    for table in found:
        spelt = ", ".join(f"{each.name} {TYPES[each.kind]}" for each in table.columns)
        connection.execute(f"CREATE TABLE {table.name} (k BIGINT, {spelt})")
        for row in table.rows:
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {table.name} VALUES ({marks})", list(row))
    return connection


def clear(text: str, found: Sequence[Table]) -> str:
    """The question to `in_the_clear`: values are clipped where they are added, not in filters."""
    for number, table in enumerate(found):
        text = text.replace(f"d{number}.", "")
        for each in table.columns:
            name = f"{table.name}.{each.name}"
            if each.clip is not None:
                low, high = each.clip
                clipped = (
                    f"CASE WHEN {name} IS NOT NULL THEN greatest({low}, least({high}, {name})) END"
                )
                for call in ("sum", "avg"):
                    for spelt in (name, each.name):
                        text = text.replace(f"{call}({spelt})", f"{call}({clipped})")
    return text


def select(
    source: str, keys: Sequence[str], measures: Sequence[str], filters: Sequence[str]
) -> str:
    """A question; what it counts is named m0, m1 and so on."""
    named = [f"{measure} AS m{place}" for place, measure in enumerate(measures)]
    shown = [*(f"{key} AS g{place}" for place, key in enumerate(keys)), *named]
    text = f"SELECT {', '.join(shown)} FROM {source}"
    if filters:
        text += f" WHERE {' AND '.join(filters)}"
    if keys:
        text += f" GROUP BY {', '.join(keys)}"
    return text


def require_same(
    keys: int,
    measures: Sequence[str],
    found: Iterable[Sequence[Any]],
    truth: Iterable[Sequence[Any]],
) -> None:
    """Every true cell is there with its numbers, and every other one is empty or withheld.

    A ratio of few rows is NULL where its declared noise would drown it.
    """
    ours: Mapping[Row, Row] = {tuple(row[:keys]): tuple(row[keys:]) for row in found}
    theirs: Mapping[Row, Row] = {tuple(row[:keys]): tuple(row[keys:]) for row in truth}
    for cell, numbers in theirs.items():
        assert cell in ours, (cell, sorted(ours, key=str))
        if not any(numbers) and not any(ours[cell]):
            continue
        for measure, mine, other in zip(measures, ours[cell], numbers, strict=True):
            if mine is None and measure.startswith("avg"):
                continue
            expected = float(other or 0)
            close = mine is not None and isclose(float(mine), expected, rel_tol=1e-6, abs_tol=1e-6)
            assert close, (cell, measure, mine, other)
    for cell in ours.keys() - theirs.keys():
        assert not any(ours[cell]), (cell, ours[cell])
