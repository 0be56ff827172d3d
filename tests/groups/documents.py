"""The grid's contracts and its declaration, for tests that read them without a federation."""

from __future__ import annotations

import json
from typing import Any

from policies import odcs
from policies.contract import Contract

PURPOSE = "dpv:ServiceProvision"

REPORTS: dict[str, Any] = {"one": {"per": ["home"], "period": "day", "of": "day"}}
BALLOTS: dict[str, Any] = {
    "caller": "voter",
    "one": {"per": ["voter"]},
    "open": "2026-01-01",
    "close": "2027-01-01",
}


def document(
    name: str, properties: list[dict[str, Any]], unit: str, **terms: Any
) -> dict[str, Any]:
    """A contract as its owner writes it; `terms` are custom properties."""
    custom = {
        "landbridgeProtectedUnit": unit,
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": 1,
        "landbridgeBudget": {
            "recipient": {"epsilon": 16, "delta": 1e-6},
            "overall": {"epsilon": 32, "delta": 1e-6},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 1.0, "maximum": 4.0},
        "landbridgePurposes": [PURPOSE],
        **terms,
    }
    return {
        "version": "1.0.0",
        "kind": "DataContract",
        "apiVersion": "v3.2.0",
        "id": name,
        "name": name,
        "status": "active",
        "description": {"purpose": "For tests."},
        "customProperties": [
            {"property": key, "value": value} for key, value in custom.items() if value is not None
        ],
        "schema": [{"name": name, "properties": properties}],
    }


def chosen(name: str, *values: str) -> dict[str, Any]:
    """A required column with these values."""
    return {
        "name": name,
        "logicalType": "string",
        "required": True,
        "classification": "open",
        "enum": [{"value": value} for value in values],
    }


def sealed(name: str, **more: Any) -> dict[str, Any]:
    """A column that names somebody."""
    return {
        "name": name, "logicalType": "string", "required": True, "classification": "sealed", **more,
    }  # fmt: skip


def reports(rules: dict[str, Any] | None, **terms: Any) -> dict[str, Any]:
    """Reports of who is unwell, of a household and day."""
    properties = [
        sealed("home"),
        chosen("street", "quay", "mill", "hill"),
        chosen("symptom", "none", "cough", "fever"),
        {"name": "day", "logicalType": "date", "required": True, "classification": "internal"},
    ]
    terms = {"landbridgeRowsPerUnit": 7, "landbridgeCollection": rules, **terms}
    return document("reports", properties, "home", **terms)


def ballots(rules: dict[str, Any], *more: dict[str, Any], **terms: Any) -> dict[str, Any]:
    """Ballots about the old playground."""
    properties = [
        sealed("voter"),
        chosen("choice", "keep", "garden", "parking"),
        *more,
    ]
    return document("ballots", properties, "voter", **{"landbridgeCollection": rules, **terms})


def contract(rules: dict[str, Any]) -> Contract:
    """The contract of reports, by these rules."""
    return odcs.read(json.dumps(reports(rules)), "reports.odcs.yaml")


def voting(rules: dict[str, Any], *more: dict[str, Any], **terms: Any) -> Contract:
    """The contract of ballots."""
    return odcs.read(json.dumps(ballots(rules, *more, **terms)), "ballots.odcs.yaml")
