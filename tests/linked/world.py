"""Departments whose tables are linked, their rows, and the truth about them in the clear.

`tax.earners` and `school.pupils` have one row of a person, `health.visits` and `clinic.visits`
several, `sky.readings` describe nobody and belong to a place and a day.
"""

from __future__ import annotations

import csv
import json
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from tests.people import PURPOSE
from tests.policies.documents import column
from tests.simulator import FederationSimulator

Row = tuple[Any, ...]
Make = Callable[..., FederationSimulator]

BANDS = ("low", "middle", "high")
KINDS = ("clinic", "home")
TOWNS = ("A", "B")
CLIP = 1_000
BUDGET = 100_000.0
"""Epsilon of every owner; a test about budgets sets its own."""
ROWS = 3
"""Of one person that count in visits."""


def _enum(values: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": value} for value in values]


COLUMNS: dict[str, list[dict[str, Any]]] = {
    "earners": [
        column("person", "integer", "sealed", required=True, unique=True),
        column("band", "string", enum=_enum(BANDS)),
        column("town", "string", required=True, enum=_enum(TOWNS)),
        column(
            "income", "integer", "internal",
            logicalTypeOptions={"minimum": -5_000, "maximum": 5_000}, clip=[-CLIP, CLIP],
        ),
        column(
            "rent", "number", logicalTypeOptions={"minimum": 0, "maximum": 500}, step=0.5,
        ),
    ],
    "pupils": [
        column("person", "string", "sealed", required=True, unique=True),
        column("grade", "integer", logicalTypeOptions={"minimum": 1, "maximum": 3}, groupable=True),
        column("marks", "integer", logicalTypeOptions={"minimum": 0, "maximum": 100}),
    ],
    "visits": [
        column("person", "integer", "sealed"),
        column("kind", "string", enum=_enum(KINDS)),
        column("urgent", "boolean", required=True),
        column("town", "string", required=True, enum=_enum(TOWNS)),
        column("day", "date", "restricted", required=True),
        column(
            "cost", "integer", "internal", logicalTypeOptions={"minimum": 0, "maximum": 2_000},
            clip=[0, CLIP],
        ),
    ],
    "readings": [
        column("town", "string", required=True, enum=_enum(TOWNS)),
        column("day", "date", required=True),
        column("wind", "number", logicalTypeOptions={"minimum": 0, "maximum": 100}),
        column("rain", "boolean", required=True),
    ],
}  # fmt: skip
DEPARTMENTS = {"tax": "earners", "school": "pupils", "health": "visits", "sky": "readings"}
SERVING = {**DEPARTMENTS, "clinic": "visits"}
"""A second department serves visits: `FROM visits` is about both."""
BOTH = "everywhere.visits"
"""How a text names the visits of both, for `Truth`; in SQL they are `visits`."""
EVERYBODY = sorted(SERVING)


def links(table: str, **changes: Any) -> list[dict[str, Any]]:
    """The owner's yes: people by their number, visits and readings by place and day."""
    of_persons = [d for d, t in SERVING.items() if t != "readings"]
    person = {
        "with": [d for d in of_persons if SERVING[d] != table or table == "visits"],
        "on": ["person"], "minimum": 1, "keys": 1000, **changes,
    }  # fmt: skip
    match table:
        case "readings":
            places = ["clinic", "health"]
            return [{"with": places, "on": ["town", "day"], "unique": True, "keys": 100}]
        case "visits":
            place = {
                "with": ["sky", "clinic", "health"],
                "on": ["day", "town"],
                "minimum": 1,
                "keys": 100,
                **changes,
            }
            return [person, place]
        case _:
            return [person]


def document(table: str, *, link: Any = None, **changes: Any) -> bytes:
    """The text of a contract; `link` changes its links, `changes` its other terms."""
    protected: dict[str, Any] = {
        "landbridgeProtectedUnit": "person",
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": ROWS if table == "visits" else 1,
        "landbridgeNoise": "gaussian",
        "landbridgeBudget": {
            "recipient": {"epsilon": BUDGET, "delta": 1e-4},
            "overall": {"epsilon": BUDGET, "delta": 1e-4},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 20.0, "maximum": 1000.0},
    }
    terms: dict[str, Any] = (
        {"landbridgeProtectedUnit": "none", "landbridgeMethod": "unprotected"}
        if table == "readings"
        else protected
    )
    allowed = links(table, **(link or {})) if link is not False else None
    terms |= {"landbridgePurposes": [PURPOSE], "landbridgeLinks": allowed, **changes}
    return json.dumps(
        {
            "version": "1.0.0",
            "kind": "DataContract",
            "apiVersion": "v3.2.0",
            "id": table,
            "name": table,
            "customProperties": [
                {"property": name, "value": value}
                for name, value in terms.items()
                if value is not None
            ],
            "schema": [{"name": table, "properties": COLUMNS[table]}],
        }
    ).encode()


def rows(table: str, seed: int, people: int = 60) -> list[Row]:
    """Rows of some of so many people; fewer visits of one person than count."""
    source = random.Random(f"{table}{seed}")

    def maybe(value: Any, share: float = 0.15) -> Any:
        return None if source.random() < share else value

    numbers = [person for person in range(1, people + 1) if source.random() < 0.7]
    match table:
        case "earners":
            return [
                (
                    person, maybe(source.choice(BANDS)), source.choice(TOWNS),
                    maybe(source.randint(-3_000, 3_000)), maybe(source.randint(0, 900) / 2),
                )
                for person in numbers
            ]  # fmt: skip
        case "pupils":
            return [
                (person, maybe(source.randint(1, 3)), maybe(source.randint(0, 100)))
                for person in numbers
            ]
        case "visits":
            return [
                (
                    maybe(person, 0.02), maybe(source.choice(KINDS)), source.random() < 0.4,
                    source.choice(TOWNS), f"2026-03-{source.randint(1, 9):02d}",
                    maybe(source.randint(0, 2_000)),
                )
                for person in numbers
                for _ in range(source.randint(0, ROWS))
            ]  # fmt: skip
        case _:
            return [
                (
                    town,
                    f"2026-03-{day:02d}",
                    maybe(float(source.randint(0, 99))),
                    source.random() < 0.5,
                )
                for town in TOWNS
                for day in range(1, 9)
            ]


def rows_of(department: str, seed: int) -> list[Row]:
    """What a department has where nothing else is said; some persons visit both departments."""
    return rows(SERVING[department], seed + 100 * (department == "clinic"))


def write(table: str, content: Sequence[Row], path: Path) -> Path:
    """The rows as a CSV file that the loader takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([each["name"] for each in COLUMNS[table]])
        for row in content:
            writer.writerow("" if value is None else value for value in row)
    return path


def federation(
    place: Path,
    departments: Sequence[str] = EVERYBODY,
    *,
    seed: int = 1,
    contents: Mapping[str, Sequence[Row]] | None = None,
    terms: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> FederationSimulator:
    """Departments in memory, with their rows; `terms` change contracts by table.

    `contents` are by table, and those of the second department with visits by its name.
    """
    home = place / secrets.token_hex(4)
    home.mkdir(parents=True)
    tables = {name: SERVING[name] for name in departments}
    known = dict(contents or {})
    made = {
        name: write(
            table,
            known.get(name if name == "clinic" else table, rows_of(name, seed)),
            home / f"{name}.csv",
        )
        for name, table in tables.items()
    }
    documents = {
        name: document(table, **(terms or {}).get(table, {})) for name, table in tables.items()
    }
    return FederationSimulator(home, made, documents, **more)


class Truth:
    """All tables in one DuckDB, in the clear, with what the contracts bound bounded."""

    def __init__(self, contents: Mapping[str, Sequence[Row]], clinic: Sequence[Row] = ()) -> None:
        self._connection = duckdb.connect()
        contents = {**contents, **({"clinic_visits": clinic} if clinic else {})}
        kinds = {
            "integer": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN", "date": "DATE",
            "number": "DOUBLE",
        }  # fmt: skip
        for table, content in contents.items():
            columns = COLUMNS["visits" if table == "clinic_visits" else table]
            spelt = ", ".join(f"{each['name']} {kinds[each['logicalType']]}" for each in columns)
            self._connection.execute(f"CREATE TABLE {table} ({spelt})")
            if content:
                marks = ", ".join("?" for _ in columns)
                self._connection.executemany(
                    f"INSERT INTO {table} VALUES ({marks})", [list(row) for row in content]
                )
        for table in contents.keys() & {"visits", "clinic_visits"}:
            # A row without a unit is nobody's, and counts nowhere.
            self._connection.execute(f"DELETE FROM {table} WHERE person IS NULL")
            self._connection.execute(
                f"UPDATE {table} SET cost = least(cost, {CLIP}) WHERE cost IS NOT NULL"
            )
        if clinic:
            self._connection.execute(
                "CREATE VIEW both_visits AS FROM visits UNION ALL FROM clinic_visits"
            )
        if "earners" in contents:
            self._connection.execute(
                f"UPDATE earners SET income = greatest(-{CLIP}, least(income, {CLIP})) "
                "WHERE income IS NOT NULL"
            )
        if "pupils" in contents:  # the school keeps numbers as text
            self._connection.execute(
                "ALTER TABLE pupils ALTER person SET DATA TYPE BIGINT USING CAST(person AS BIGINT)"
            )

    def rank(self, federation: FederationSimulator) -> None:
        """Has `votes` know the rows that loading ranked first at both departments with visits."""
        for name in ("health", "clinic"):
            with federation.nodes[name].tables.open() as (_, tables):
                path = tables["visits"].path
            self._connection.execute(f"ATTACH '{path}' AS file_{name} (READ_ONLY)")
            self._connection.execute(
                f"CREATE TABLE voting_{name} AS FROM file_{name}.data WHERE __rank = 1"
            )
        self._connection.execute(
            "CREATE VIEW voting AS FROM voting_health UNION ALL BY NAME FROM voting_clinic"
        )

    def votes(self, sql: str) -> list[tuple[Any, ...]]:
        """The same question over one row of each person at each department, after `rank`."""
        text = sql.replace(BOTH, "voting AS visits")
        return self.ask(text.replace("health.visits", "voting_health AS visits"))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question, in which departments stand before their tables."""
        sql = sql.replace(BOTH, "both_visits AS visits")
        for department in DEPARTMENTS:
            sql = sql.replace(f"{department}.", "")
        return self._connection.execute(sql).fetchall()
