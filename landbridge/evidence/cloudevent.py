"""Entries as CloudEvents, for whoever routes events.

Source: CloudEvents 1.0.2, JSON event format 1.0.2 (https://github.com/cloudevents/spec/tree/v1.0.2).
A file of them is in the JSON batch format, media type application/cloudevents-batch+json.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from landbridge.evidence.entry import VERSION
from landbridge.evidence.selection import Found

SCHEMA: Final = f"urn:landbridge:log-entry:{VERSION}"
"""The `$id` of docs/log-entry.schema.json."""


def event(found: Found) -> dict[str, Any]:
    """The event of an entry: `source` is the log, `id` the index in it, so the pair is unique."""
    fields = found.fields
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(found.index),
        "source": f"urn:landbridge:log:{quote(found.log, safe='/')}",
        "type": f"landbridge.log.{fields.get('kind', 'unreadable')}",
        "datacontenttype": "application/json",
        "dataschema": SCHEMA,
        "leafhash": found.leaf_hash.hex(),
        "data": dict(fields),
    }
    if fields.get("time"):
        made["time"] = fields["time"]
    if fields.get("resource"):
        made["subject"] = fields["resource"]
    return made
