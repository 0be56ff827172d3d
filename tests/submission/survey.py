"""A survey whose answers are randomised before anybody has them, and what can be computed of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from landbridge.submission.form import Form
from nodes.intaking import form_of
from policies import odcs
from policies.contract import Contract
from tests.submission.town import AREAS, PURPOSE

MODES = ("bus", "bicycle", "car", "foot")
RULES: dict[str, Any] = {"one": {"per": ["person"]}, "visible": {"seconds": 1}}


def randomised(epsilon: float) -> list[dict[str, Any]]:
    """The custom properties of a column that is."""
    return [{"property": "landbridgeRandomised", "value": {"epsilon": epsilon}}]


def survey(
    rules: Mapping[str, Any] | None = RULES,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    **changes: Any,
) -> str:
    """The contract; `columns` change keys of single columns, None takes one out."""
    terms: dict[str, Any] = {
        "landbridgeProtectedUnit": "person",
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": 1,
        "landbridgeBudget": {
            "recipient": {"epsilon": 1000, "delta": 1e-6},
            "overall": {"epsilon": 1000, "delta": 1e-6},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 20.0, "maximum": 100.0},
        "landbridgePurposes": [PURPOSE],
        "landbridgeCollection": rules,
        **changes,
    }
    properties: dict[str, dict[str, Any]] = {
        "person": {"logicalType": "string", "required": True, "classification": "sealed"},
        "area": {
            "logicalType": "string",
            "required": True,
            "classification": "open",
            "enum": [{"value": area} for area in AREAS],
        },
        "smokes": {
            "logicalType": "boolean",
            "required": True,
            "classification": "open",
            "customProperties": randomised(1.0),
        },
        "mode": {
            "logicalType": "string",
            "required": True,
            "classification": "open",
            "enum": [{"value": mode} for mode in MODES],
            "customProperties": randomised(2.0),
        },
        "income": {
            "logicalType": "number",
            "required": True,
            "classification": "open",
            "logicalTypeOptions": {"minimum": 0, "maximum": 5000},
            "customProperties": [
                {"property": "landbridgeStep", "value": 50},
                *randomised(2.0),
            ],
        },
        "rooms": {
            "logicalType": "integer",
            "required": True,
            "classification": "open",
            "logicalTypeOptions": {"minimum": 1, "maximum": 9},
        },
    }
    for name, changed in (columns or {}).items():
        for key, value in changed.items():
            if value is None:
                properties[name].pop(key, None)
            else:
                properties[name][key] = value
    return json.dumps(
        {
            "version": "1.0.0",
            "kind": "DataContract",
            "apiVersion": "v3.2.0",
            "id": "survey",
            "name": "How people live",
            "status": "active",
            "customProperties": [
                {"property": name, "value": value}
                for name, value in terms.items()
                if value is not None
            ],
            "schema": [
                {
                    "name": "survey",
                    "properties": [{"name": name, **each} for name, each in properties.items()],
                }
            ],
        }
    )


def contract(**changes: Any) -> Contract:
    """As it is read."""
    return odcs.read(survey(**changes), "survey")


def form(**changes: Any) -> Form:
    """As the rescue service describes it."""
    return form_of(contract(**changes), "town", "rescue")


def answers(number: int) -> dict[str, Any]:
    """What person `number` would truly say."""
    return {
        "person": f"S-{number:06}",
        "area": AREAS[number % 2],
        "smokes": number % 5 == 0,
        "mode": MODES[0] if number % 2 else MODES[number % 4],
        "income": 50.0 * (number % 41),
        "rooms": 1 + number % 4,
    }
