"""The published schema of log entries, as a test reads it: strictly, formats included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

SCHEMA: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "docs/log-entry.schema.json").read_bytes()
)
VALIDATOR: Final = Draft202012Validator(SCHEMA)


def problems(entry: bytes) -> list[str]:
    """What the schema finds wrong with an entry, one line each."""
    return [
        error.json_path + ": " + error.message for error in VALIDATOR.iter_errors(json.loads(entry))
    ]
