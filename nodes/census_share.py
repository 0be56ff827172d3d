"""The release of a measurement: this department's share of a total, with its noise. Step (9).

The share alone is uniform; with the other department's it is the total and both departments'
noises, either of which is all that the plan charges for. Only this file makes a `Summed`, and the
wire takes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from landbridge.protocols.prio3.aggregation import Prio3
from policies.measurement import MeasurementPlan
from policies.noise import Draw

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Summed:
    """What may leave the department of a batch."""

    share: bytes = field(repr=False)
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.census_share makes a Summed")


def summed(
    plan: MeasurementPlan, prio3: Prio3, parts: Iterable[Sequence[bytes]], draw: Draw
) -> Summed:
    """The sum of all parts, with this department's noise in every number."""
    total = prio3.add_up([])
    for some in parts:
        total = prio3.add_up([total, prio3.add_up(some)])
    noise = draw([0] * plan.cells, plan.mechanism)
    return Summed(prio3.shifted(total, noise), _SEAL)


def kept(share: bytes) -> Summed:
    """The one that the ledger kept, which left before or was about to."""
    return Summed(share, _SEAL)
