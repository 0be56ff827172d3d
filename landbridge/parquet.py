"""Log entries as a Parquet file, a column per field; the one other file that needs pyarrow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise ImportError(
        "Parquet needs pyarrow, which is not installed: pip install 'landbridge[arrow]', or export "
        "JSON lines."
    ) from None

from landbridge.evidence.entry import Entry
from landbridge.evidence.selection import Found

GROUP: Final = 65_536
"""Rows that are held in memory, and in one row group."""

_PART: Final = pa.struct(
    [("department", pa.string()), ("index", pa.int64()), ("leaf_hash", pa.string())]
)
_TYPES: Final = {
    "v": pa.int32(),
    "members": pa.list_(pa.string()),
    "policies": pa.list_(pa.string()),
    "changed": pa.list_(pa.string()),
    "suppressed": pa.int64(),
    "charged_micro_rho": pa.int64(),
    "records": pa.int64(),
    "remembered": pa.bool_(),
    "parts": pa.list_(_PART),
}
"""Of the other fields the type is text; `budget` and `digests` are JSON texts."""
_NAMES: Final = tuple(part.name for part in dataclasses.fields(Entry))
SCHEMA: Final = pa.schema(
    [
        ("log", pa.string()),
        ("index", pa.int64()),
        ("leaf_hash", pa.string()),
        *((name, _TYPES.get(name, pa.string())) for name in _NAMES),
        ("unreadable", pa.string()),
    ]
)


def write(found: Iterable[Found], path: Path) -> int:
    """Writes the entries, in their order; gives their number. A field that is missing is NULL."""
    rows = map(_row, found)
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
            count += len(group)
    return count


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(rows, GROUP)):
        yield group


def _row(found: Found) -> dict[str, Any]:
    row: dict[str, Any] = {"log": found.log, "index": found.index}
    row["leaf_hash"] = found.leaf_hash.hex()
    for name, value in found.fields.items():
        row[name] = json.dumps(value) if name in ("budget", "digests") else value
    return row
