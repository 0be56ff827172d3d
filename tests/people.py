"""The contract and the data that attacks are told about: people, and one person t among them."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from policies import handler as handlers
from policies import odcs
from policies.contract import Contract
from tests.policies.documents import column

PURPOSE = "dpv:ResearchAndDevelopment"
ISSUER = "https://issuer.test.example"
AUDIENCE = "https://gateway.test.example"
DISTRICTS = ("D1", "D2", "D3", "D7")
DIAGNOSES = ("flu", "cold", "X1")
BAND = handlers.read(
    """-- handler: band
-- version: 1
-- description: A band
-- contract: people
-- subject: person
-- arguments: {person: integer}
-- codes: [HERE, NONE]
-- absent: NONE
-- level: open
-- purposes: ["dpv:ResearchAndDevelopment"]
-- subjects_per_day: 1000
SELECT 'HERE' FROM people WHERE person_id = $person
""",
    "band.sql",
)
"""A handler that says whether somebody is there."""
COLUMNS = (
    "person_id",
    "name",
    "district",
    "age",
    "sex",
    "income",
    "diagnosis",
    "height",
    "member",
    "moved",
)

Row = tuple[Any, ...]

TARGET: Row = (4711, "Zoltan Q", "D7", 93, "F", 812345, "X1", 1.61, True, date(2025, 2, 28))
"""The only one with this district, age and sex."""

ACCESS = """
@id("test.research")
permit (principal in Organisation::"university", action == Action::"query", resource);
@id("test.research-elsewhere")
permit (principal in Organisation::"institute", action == Action::"query", resource);
@id("test.handlers")
permit (principal in Organisation::"university", action == Action::"call", resource);
@id("test.clearance")
forbid (principal, action, resource) unless { context.level <= principal.clearance };
"""


def document(*, found: Sequence[str] = (), **changes: Any) -> bytes:
    """The contract's text; `changes` replace custom properties by name, None drops one.

    The values of text columns in `found` are not declared, but found in the data.
    """
    # With Laplace noise a question is charged more of the same budget; here it always suffices.
    pays = 4 if changes.get("landbridgeNoise") == "laplace" else 1
    terms: dict[str, Any] = {
        "landbridgeProtectedUnit": "person_id",
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": 1,
        "landbridgeUnitsSpan": 1,
        "landbridgeNoise": "gaussian",
        "landbridgeBudget": {
            "recipient": {"epsilon": 8 * pays, "delta": 1e-6},
            "overall": {"epsilon": 12 * pays, "delta": 1e-6},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 1.0, "maximum": 4.0},
        "landbridgePurposes": [PURPOSE],
        **changes,
    }
    whole: dict[str, Any] = {
        "version": "1.0.0",
        "kind": "DataContract",
        "apiVersion": "v3.2.0",
        "id": "people",
        "name": "People",
        "description": {"purpose": "Who lives here."},
        "customProperties": [
            {"property": key, "value": value} for key, value in terms.items() if value is not None
        ],
        "schema": [
            {
                "name": "people",
                "properties": [
                    column("person_id", "integer", "sealed", required=True),
                    column("name", "string", "restricted"),
                    column("district", "string", required=True, enum=_enum(DISTRICTS)),
                    column(
                        "age",
                        "integer",
                        required=True,
                        logicalTypeOptions={"minimum": 0, "maximum": 120},
                        groupable=True,
                    ),
                    column("sex", "string", required=True, enum=_enum(("F", "M"))),
                    column(
                        "income",
                        "integer",
                        "internal",
                        logicalTypeOptions={"minimum": 0, "maximum": 10_000_000},
                        clip=[0, 200_000],
                    ),
                    column("diagnosis", "string", "internal", enum=_enum(DIAGNOSES)),
                    column(
                        "height",
                        "number",
                        logicalTypeOptions={"minimum": 0.4, "maximum": 2.5},
                        step=0.01,
                    ),
                    column("member", "boolean"),
                    column("moved", "date", period=["2024-03-15", "2025-05-20"]),
                ],
            }
        ],
    }
    for each in whole["schema"][0]["properties"]:
        if each["name"] in found:
            each.pop("enum", None)
            each["customProperties"] = [{"property": "landbridgeGroupable", "value": True}]
    return json.dumps(whole).encode()


def contract(**changes: Any) -> Contract:
    """The contract as it is read."""
    return odcs.read(document(**changes), "people")


UNPROTECTED: dict[str, Any] = {
    "landbridgeProtectedUnit": "none",
    "landbridgeMethod": "unprotected",
    "landbridgeRowsPerUnit": None,
    "landbridgeUnitsSpan": None,
    "landbridgeNoise": None,
    "landbridgeBudget": None,
    "landbridgeEpsilon": None,
}
"""Terms of a table that describes nobody: exact numbers, for tests of arithmetic."""


def crowd(count: int, seed: int = 7) -> list[Row]:
    """Others, none of whom is like the target; some values are missing."""
    source = random.Random(seed)
    return [
        (
            10_000 + number,
            f"Name {number}",
            source.choice(DISTRICTS),
            source.randint(18, 80),
            source.choice("FM"),
            source.choice([None, source.randint(0, 150_000)]),
            source.choice([None, "flu", "cold"]),
            source.choice([None, round(source.uniform(1.4, 2.0), 2)]),
            source.choice([None, True, False]),
            source.choice([None, date(2024, 3, 15) + timedelta(days=source.randint(0, 431))]),
        )
        for number in range(count)
    ]


def write(rows: Sequence[Row], path: Path) -> Path:
    """The rows as a CSV file that the loader takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow("" if value is None else value for value in row)
    return path


def _enum(values: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": value} for value in values]
