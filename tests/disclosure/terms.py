"""The contract of tests.people under `cell_key` and `exact`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.people import Row, document, write
from tests.simulator import FederationSimulator

CELL_KEY = {"D": 5, "V": 3.0, "js": 2}
_OUT = ("landbridgeRowsPerUnit", "landbridgeNoise", "landbridgeBudget", "landbridgeEpsilon")

Simulate = Callable[..., FederationSimulator]


def changed(terms: dict[str, Any]) -> bytes:
    """The document with these terms, without those that mean something for `dp` only."""
    import json

    tree = json.loads(document(**terms))
    tree["customProperties"] = [
        each for each in tree["customProperties"] if each["property"] not in _OUT
    ]
    return json.dumps(tree).encode()


def cell_key(**changes: Any) -> bytes:
    """By cell key, at least five persons in a cell."""
    return changed(
        {
            "landbridgeMethod": "cell_key",
            "landbridgeMinimumUnits": 5,
            "landbridgeCellKey": CELL_KEY,
            **changes,
        }
    )


def exact(**changes: Any) -> bytes:
    """Exact for the university, at least five persons in a cell."""
    return changed(
        {
            "landbridgeMethod": "exact",
            "landbridgeMinimumUnits": 5,
            "landbridgeExactFor": ["university"],
            "landbridgeExactBy": ["district", "sex", "diagnosis"],
            **changes,
        }
    )


def federation(folder: Path, rows: Sequence[Row], terms: bytes, **more: Any) -> FederationSimulator:
    """One department, north, with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    return FederationSimulator(folder, {"north": write(rows, folder / "people.csv")}, terms, **more)
