"""Contracts for tests: a sound one, and the same with one thing changed."""

from __future__ import annotations

import copy
import json
from typing import Any


def column(name: str, kind: str, level: str = "open", **more: Any) -> dict[str, Any]:
    """One property; `clip`, `step` and `groupable` become custom properties."""
    own = {
        "clip": "landbridgeClip",
        "step": "landbridgeStep",
        "groupable": "landbridgeGroupable",
        "period": "landbridgePeriod",
        "extremes": "landbridgeExtremes",
    }
    custom = [{"property": own[key], "value": more.pop(key)} for key in own if key in more]
    if custom:
        more["customProperties"] = custom
    return {"name": name, "logicalType": kind, "classification": level, **more}


def sound() -> dict[str, Any]:
    """A contract with every type, under `dp`."""
    return {
        "version": "1.0.0",
        "kind": "DataContract",
        "apiVersion": "v3.2.0",
        "id": "people",
        "name": "People",
        "description": {"purpose": "Who lives here."},
        "customProperties": [
            {"property": key, "value": value}
            for key, value in {
                "landbridgeProtectedUnit": "person_id",
                "landbridgeMethod": "dp",
                "landbridgeRowsPerUnit": 3,
                "landbridgeUnitsSpan": 2,
                "landbridgeNoise": "laplace",
                "landbridgeBudget": {
                    "recipient": {"epsilon": 8, "delta": 1e-6},
                    "overall": {"epsilon": 12, "delta": 1e-5},
                    "period": "year",
                },
                "landbridgeEpsilon": {"default": 1.0, "maximum": 1.25},
                "landbridgeMaximumCells": 500,
                "landbridgePurposes": ["dpv:ResearchAndDevelopment", "city:FloodWatch"],
                "otherTool": {"anything": [1]},
            }.items()
        ],
        "schema": [
            {
                "name": "people",
                "properties": [
                    column("person_id", "string", "sealed", enum=[{"value": "a"}]),
                    column(
                        "age",
                        "integer",
                        required=True,
                        logicalTypeOptions={"minimum": 0, "maximum": 120},
                        groupable=True,
                        clip=[18, 100],
                    ),
                    column(
                        "income",
                        "number",
                        "restricted",
                        unique=True,
                        description="A year's.",
                        logicalTypeOptions={"minimum": 0, "maximum": 1e6, "multipleOf": 0.01},
                        step=100,
                    ),
                    column("sex", "string", enum=[{"value": "f"}, {"value": "m"}]),
                    column("citizen", "boolean", "internal"),
                    column("born", "date", enum=[{"value": "2000-01-31"}]),
                    column("seen", "timestamp", enum=[{"value": "2000-01-31T01:00:00+01:00"}]),
                ],
            }
        ],
    }


def open_table() -> dict[str, Any]:
    """A contract of a table that describes nobody."""
    tree = sound()
    tree["customProperties"] = [
        {"property": "landbridgeProtectedUnit", "value": "none"},
        {"property": "landbridgeMethod", "value": "unprotected"},
        {"property": "landbridgePurposes", "value": ["dpv:ServiceProvision"]},
    ]
    return tree


class Change:
    """One edit of a contract: Change("age", "required")("yes"), Change("landbridgeNoise")(1)."""

    def __init__(self, *keys: str | int) -> None:
        self.keys = keys

    def of(self, tree: dict[str, Any], value: Any) -> dict[str, Any]:
        """A copy in which the place holds `value`; None removes it."""
        tree = copy.deepcopy(tree)
        first, *rest = self.keys
        columns = tree["schema"][0]["properties"]
        own = [each for each in tree["customProperties"] if each["property"] == first]
        named = [each for each in columns if each["name"] == first]
        if str(first).startswith("landbridge") and not own:
            own = [{"property": first}]
            tree["customProperties"] += own
        holder: Any = own[0] if own else named[0] if named else tree
        if not own and not named:
            rest = list(self.keys)
        elif own:
            rest = ["value", *rest]
            if value is None and rest == ["value"]:
                tree["customProperties"].remove(own[0])
                return tree
        for key in rest[:-1]:
            inside = isinstance(holder, dict)
            holder = holder.setdefault(str(key), {}) if inside else holder[key]
        if value is None:
            del holder[rest[-1]]
        else:
            holder[rest[-1]] = value
        return tree


def text(tree: object) -> str:
    """The document, in JSON, which is YAML."""
    return json.dumps(tree)
