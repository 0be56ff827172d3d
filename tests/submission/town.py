"""A town's federation that collects: requests for help, by one department."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PURPOSE = "dpv:ServiceProvision"
AREAS = ("north", "east", "south", "west")

_FEDERATION = """
name = "town"

[issuer]
issuer = "https://issuer.town.example"
audience = "https://gateway.town.example"

[[members]]
department = "rescue"
title = "Rescue service"
"""
_ACCESS = """
@id("{where}.submit")
permit (principal in Organisation::"volunteers", action == Action::"submit", resource)
when {{ context.purpose == "dpv:ServiceProvision" }};

@id("{where}.enumerate")
permit (principal in Organisation::"enumerators", action == Action::"submit", resource)
when {{ context.purpose == "dpv:ServiceProvision" }};

@id("{where}.query")
permit (principal in Organisation::"office", action == Action::"query", resource)
when {{ context.purpose == "dpv:ServiceProvision" }};

@id("{where}.watch")
permit (principal in Organisation::"office", action == Action::"watch", resource)
when {{ context.purpose == "dpv:ServiceProvision" }};

@id("{where}.clearance")
forbid (principal, action, resource) unless {{ context.level <= principal.clearance }};
"""
_CALLERS = """
[callers.ann]
organisation = "volunteers"
clearance = "open"
purposes = ["dpv:ServiceProvision"]

[callers.bob]
organisation = "volunteers"
clearance = "open"
purposes = ["dpv:ServiceProvision"]

[callers.eve]
organisation = "enumerators"
clearance = "open"
purposes = ["dpv:ServiceProvision"]

[callers.mallory]
organisation = "strangers"
clearance = "sealed"
purposes = ["dpv:ServiceProvision"]

[callers.office]
organisation = "office"
clearance = "internal"
purposes = ["dpv:ServiceProvision"]
"""


def document(rules: Mapping[str, Any] | None, **changes: Any) -> str:
    """The contract of requests for help; `changes` replace custom properties, None drops one."""
    terms: dict[str, Any] = {
        "landbridgeProtectedUnit": "person",
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": 1,
        "landbridgeBudget": {
            # Every version is counted anew, and how many there are is the machine's affair.
            "recipient": {"epsilon": 100_000, "delta": 1e-6},
            "overall": {"epsilon": 100_000, "delta": 1e-6},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 20.0, "maximum": 100.0},
        "landbridgePurposes": [PURPOSE],
        "landbridgeCollection": rules,
        **changes,
    }
    properties = [
        {"name": "person", "logicalType": "string", "required": True, "classification": "sealed"},
        {
            "name": "area",
            "logicalType": "string",
            "required": True,
            "classification": "open",
            "customProperties": [{"property": "enum", "value": "|".join(AREAS)}],
        },
        {
            "name": "people",
            "logicalType": "integer",
            "required": True,
            "classification": "open",
            "logicalTypeOptions": {"minimum": 0, "maximum": 50},
        },
        {"name": "asked", "logicalType": "date", "required": True, "classification": "open"},
        {"name": "urgent", "logicalType": "boolean", "classification": "open"},
        {"name": "told", "logicalType": "string", "classification": "internal"},
    ]
    properties[1] = {
        "name": "area",
        "logicalType": "string",
        "required": True,
        "classification": "open",
        "enum": [{"value": area} for area in AREAS],
    }
    return json.dumps(
        {
            "version": "1.0.0",
            "kind": "DataContract",
            "apiVersion": "v3.2.0",
            "id": "requests",
            "name": "Requests for help",
            "status": "active",
            "description": {"purpose": "Who needs help, and where."},
            "customProperties": [
                {"property": name, "value": value}
                for name, value in terms.items()
                if value is not None
            ],
            "schema": [{"name": "requests", "properties": properties}],
        }
    )


RULES: dict[str, Any] = {"correct": {"by": "contributor"}, "visible": {"seconds": 1}}


def lay(folder: Path, rules: Mapping[str, Any] | None = None, **changes: Any) -> Path:
    """Writes the federation's folder."""
    (folder / "gateway").mkdir(parents=True)
    (folder / "rescue" / "contracts").mkdir(parents=True)
    (folder / "federation.toml").write_text(_FEDERATION)
    (folder / "gateway" / "callers.toml").write_text(_CALLERS)
    (folder / "gateway" / "access.cedar").write_text(_ACCESS.format(where="gateway"))
    (folder / "rescue" / "access.cedar").write_text(_ACCESS.format(where="rescue"))
    text = document(RULES if rules is None else rules, **changes)
    (folder / "rescue" / "contracts" / "requests.odcs.yaml").write_text(text)
    return folder


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A request for help."""
    return {
        "person": f"P-{number:07}",
        "area": AREAS[number % len(AREAS)],
        "people": number % 7,
        "asked": "2026-05-01",
        "urgent": number % 3 == 0,
        "told": None,
        **changes,
    }
