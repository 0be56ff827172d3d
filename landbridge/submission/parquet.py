"""Records of a Parquet file, some at a time; the one file here that needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise ImportError(
        "Parquet needs pyarrow, which is not installed: pip install 'landbridge[arrow]', or hand "
        "in CSV or JSON lines."
    ) from None


class NotParquet(ValueError):
    """The file is none; holds no words of the library, which could quote it."""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Each row by the names of its columns; raises NotParquet."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1_000):
                yield from batch.to_pylist()
    except pa.ArrowException:
        raise NotParquet from None
