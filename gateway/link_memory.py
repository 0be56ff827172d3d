"""A linked answer as the first department keeps it for the gateway, and how it comes back.

What is kept are the released numbers, in whole steps, and which cells are withheld: nothing but
what the caller was told. Its length hangs on the question alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gateway.combine import Combined
from gateway.linking import combined
from gateway.parts import rejected
from landbridge.errors import LandbridgeError
from landbridge.protocols.keeping import Keeper
from policies.link_plan import LinkPlan

MOST_BYTES: Final = 3 << 20
"""Larger answers are not kept."""


def kept(keeper: Keeper, question_hash: bytes, found: Sequence[Combined]) -> bytes | None:
    """The answer to that asking, sealed; None where it is too large to be kept."""
    units = np.array([each.units for each in found], dtype="<i8")
    hidden = np.zeros(units.shape, dtype=np.uint8)
    for row, each in zip(hidden, found, strict=True):
        row[list(each.withheld)] = 1
    sealed = keeper.seal(units.tobytes() + hidden.tobytes(), question_hash)
    return sealed if len(sealed) <= MOST_BYTES else None


def restored(
    keeper: Keeper, question_hash: bytes, plan: LinkPlan, sealed: bytes, department: str
) -> tuple[Combined, ...]:
    """The answer to that asking; raises ANSWER_REJECTED, with who kept it."""
    try:
        content = keeper.open(sealed, question_hash)
    except LandbridgeError:
        raise rejected(department, "an earlier answer that the gateway did not seal") from None
    shape = (len(plan.release.mechanisms), plan.release.cells)
    numbers = shape[0] * shape[1]
    if len(content) != 9 * numbers:
        raise rejected(department, "an earlier answer of another shape")
    units = np.frombuffer(content[: 8 * numbers], dtype="<i8").reshape(shape)
    hidden = np.frombuffer(content[8 * numbers :], dtype=np.uint8).reshape(shape)
    return combined(
        plan,
        [[int(unit) for unit in row] for row in units],
        frozenset(int(place) for place in np.flatnonzero(hidden.any(axis=0))),
    )
