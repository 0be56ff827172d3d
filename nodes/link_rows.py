"""A side's rows of a linked question, by pseudonym, with memory that stays flat.

Rows come batch by batch, go into one unlinked file per range of pseudonyms, and each range is
sorted by itself; what is served is read from one more such file. So memory holds a batch or a
range, never all rows. The files have no name: they end with the process or the question.

Of a side with several rows for a key, rows come in with their own cell as code and a number per
value; those of one key then become one row, whose numbers are those of every own cell, cell by
cell within a value.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from landbridge.protocols.pseudonyms import BLOCK, Blocks, in_order

RANGE_BYTES: Final = 48 << 20
"""Of one range, about."""
MOST_RANGES: Final = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: pseudonyms (n, 16), own codes (n,), values (n, V)."""

    pseudonyms: Blocks
    codes: NDArray[np.uint32]
    values: NDArray[np.int64]


class RowSorter:
    """Takes rows of `width` numbers in any order; `expected` is about how many there will be.

    `cells`: how many own cells a side has that has several rows for a key, None of any other.
    """

    def __init__(self, folder: Path, width: int, expected: int, cells: int | None = None) -> None:
        self._folder = folder
        self._width = width
        self._cells = cells
        self._kind = _record(width)
        ranges = max(1, -(-expected * self._kind.itemsize // RANGE_BYTES))
        self._bits = min(MOST_RANGES, 1 << (ranges - 1).bit_length()).bit_length() - 1
        self._files: list[IO[bytes]] = [_nameless(folder) for _ in range(1 << self._bits)]

    def add(self, batch: Batch) -> None:
        """Puts the rows into their ranges."""
        records = _records(batch, self._kind)
        if not self._bits:
            _write(self._files[0], records)
            return
        at = batch.pseudonyms[:, 0] >> (8 - self._bits)
        order = np.argsort(at, kind="stable")
        ends = np.searchsorted(at[order], np.arange(len(self._files)), side="right")
        first = 0
        for file, end in zip(self._files, ends, strict=True):
            _write(file, records[order[first:end]])
            first = end

    def sorted(self, look: Callable[[], object] = lambda: None) -> SortedRows:
        """All rows in order; nothing can be added any more. `look` is called between ranges."""
        writer = RowWriter(self._folder, self._width * (self._cells or 1))
        for file in self._files:
            look()
            file.seek(0)
            records = np.frombuffer(file.read(), dtype=self._kind)
            file.close()
            ordered = records[in_order(_blocks(records))]
            if self._cells is None:
                writer.add(_batch(ordered))
                continue
            for keys in _whole_keys(ordered, writer.row_bytes):
                look()
                writer.add(_added(keys, self._cells))
        return writer.finished()

    def __enter__(self) -> RowSorter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()


class RowWriter:
    """Takes rows that are in order already."""

    def __init__(self, folder: Path, vectors: int) -> None:
        self._kind = _record(vectors)
        self._file = _nameless(folder)
        self.count = 0

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self._kind.itemsize

    def add(self, batch: Batch) -> None:
        """The next rows."""
        _write(self._file, _records(batch, self._kind))
        self.count += len(batch.codes)

    def finished(self) -> SortedRows:
        """All of them; nothing can be added any more."""
        return SortedRows(self._file, self._kind, self.count)

    def close(self) -> None:
        """The rows are gone."""
        self._file.close()


class SortedRows:
    """Rows in the order of their pseudonyms; read from any thread."""

    def __init__(self, file: IO[bytes], kind: np.dtype[np.void], count: int) -> None:
        self._file = file
        self._kind = kind
        self.count = count

    def read(self, first: int, most: int) -> Batch:
        """At most `most` rows from that one on; fewer only at the end."""
        rows = max(0, min(most, self.count - first))
        size = self._kind.itemsize
        content = os.pread(self._file.fileno(), rows * size, first * size)
        return _batch(np.frombuffer(content, dtype=self._kind))

    def batches(self, rows: int) -> Iterator[Batch]:
        """All rows, so many at a time."""
        for first in range(0, self.count, rows):
            yield self.read(first, rows)

    def close(self) -> None:
        """The rows are gone."""
        self._file.close()


def _nameless(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def _records(batch: Batch, kind: np.dtype[np.void]) -> NDArray[np.void]:
    records: NDArray[np.void] = np.empty(len(batch.codes), dtype=kind)
    records["p"] = np.ascontiguousarray(batch.pseudonyms).view(f"V{BLOCK}").reshape(-1)
    records["c"] = batch.codes
    records["v"] = batch.values
    return records


def _batch(records: NDArray[np.void]) -> Batch:
    return Batch(_blocks(records), records["c"], records["v"])


def _whole_keys(records: NDArray[np.void], row_bytes: int) -> Iterator[NDArray[np.void]]:
    """Ordered records, so many keys at a time that their rows are about a range."""
    if not len(records):
        return
    keys = records["p"]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    each = max(1, RANGE_BYTES // row_bytes)
    for first in range(0, len(starts), each):
        last = first + each
        yield records[starts[first] : starts[last] if last < len(starts) else None]


def _added(records: NDArray[np.void], cells: int) -> Batch:
    """One row a key, of ordered records: what they have in each own cell, added up."""
    keys = records["p"]
    new = np.concatenate(([True], keys[1:] != keys[:-1]))
    row = np.cumsum(new) - 1
    width = records["v"].shape[1]
    values = np.zeros((int(row[-1]) + 1, width, cells), dtype=np.int64)
    for place in range(width):
        np.add.at(values[:, place, :], (row, records["c"]), records["v"][:, place])
    return Batch(
        _blocks(records[new]), np.zeros(len(values), dtype=np.uint32),
        values.reshape(len(values), width * cells),
    )  # fmt: skip


def _record(vectors: int) -> np.dtype[np.void]:
    return np.dtype([("p", f"V{BLOCK}"), ("c", "<u4"), ("v", "<i8", (vectors,))])


def _blocks(records: NDArray[np.void]) -> Blocks:
    found: Blocks = np.ascontiguousarray(records["p"]).view(np.uint8).reshape(-1, BLOCK)
    return found


def _write(file: IO[bytes], records: NDArray[np.void]) -> None:
    rest = memoryview(records.tobytes())
    while rest:
        rest = rest[file.write(rest) :]
