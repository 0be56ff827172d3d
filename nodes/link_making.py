"""A department's rows for a linked question: its table reduced to keys, with dummies: step (8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landbridge.errors import error
from landbridge.protocols.derivation import derived
from landbridge.protocols.dummies import counts
from landbridge.protocols.pseudonyms import BLOCK, pseudonyms
from nodes.engines.engine import Engine
from nodes.link_compile import compile_parts
from nodes.link_dummies import Counts, dummy_rows
from nodes.link_rows import Batch, RowSorter, SortedRows
from nodes.link_state import Underway
from nodes.store import Loaded
from policies.link_plan import SidePlan, expected_dummies

MARGIN = 0.25
"""Seconds kept back from the deadline for the log and the way back."""


@dataclass(frozen=True, slots=True)
class Making:
    """Makes rows in `folder`, in files without a name; `count` makes the numbers of dummies."""

    folder: Path
    count: Counts = counts

    def rows(
        self, underway: Underway, engine: Engine, loaded: Loaded, time_left: Callable[[], float]
    ) -> SortedRows:
        """All of them, by pseudonym; raises DEADLINE between any two batches.

        The table is read once. Memory holds one batch, or one range of pseudonyms while that is
        sorted, however many rows there are.
        """
        plan, side = underway.plan, underway.side
        key = derived(underway.secret, b"id")
        self.folder.mkdir(exist_ok=True, mode=0o700)
        expected = loaded.rows + expected_dummies(plan, side)
        cells = side.cells if side.many else None
        with RowSorter(self.folder, len(side.values), expected, cells) as sorter:
            for statement in compile_parts(side, plan.question.key, loaded.rows, engine.dialect):
                found = engine.columns(
                    statement.sql,
                    statement.parameters,
                    timeout=require_time(time_left),
                    maximum_rows=statement.rows,
                )
                sorter.add(_batch(found, side, key, underway.codes))
            for batch in dummy_rows(plan, side, underway.secret, self.count):
                require_time(time_left)
                codes = underway.codes[batch.codes]
                sorter.add(Batch(batch.pseudonyms, codes, batch.values))
            return sorter.sorted(lambda: require_time(time_left))


def require_time(time_left: Callable[[], float]) -> float:
    """Seconds that can be used; raises DEADLINE where there are none."""
    left = time_left() - MARGIN
    if left <= 0:
        raise error("DEADLINE")
    return left


def _batch(found: Sequence[bytes], side: SidePlan, key: bytes, codes: np.ndarray) -> Batch:
    blocks = np.frombuffer(found[0], dtype=np.uint8)
    cells, *values = (np.frombuffer(each, dtype=np.int64) for each in found[1:])
    if len(values) != len(side.values) or (len(cells) and not 0 <= cells.min() <= cells.max()):
        raise error("RUN_FAILED")
    if len(cells) and cells.max() >= side.cells:
        raise error("RUN_FAILED")
    table = np.empty((len(cells), len(side.values)), dtype=np.int64)
    for place, each in enumerate(values):
        table[:, place] = each
    own = cells.astype(np.uint32) if side.many else codes[cells]
    return Batch(pseudonyms(blocks.reshape(-1, BLOCK), key), own, table)
