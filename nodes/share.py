"""The release of a pooled question: cells, this member's share of the noise, and masks. Step (9).

A `Share` has too little noise to be told to anybody, and nothing converts it: it is what the ledger
keeps, so that a round can be sent again. A `Masked` is uniform to whoever lacks another member's
key. Only this file makes either, and the wire takes a `Masked` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from landbridge.errors import error
from landbridge.protocols.masks import Exchanges, from_bytes, masked, to_bytes, to_words
from landbridge.protocols.streams import Words
from nodes.tally import Cells, tally
from policies.noise import Draw
from policies.pooling import LARGEST_TOTAL, PoolingPlan

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Share:
    """Cells with one member's noise, all measures in the plan's order, modulo 2^64."""

    numbers: Words = field(repr=False)
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.share makes a Share")

    def to_keep(self) -> bytes:
        """As the department's own ledger keeps it."""
        return to_bytes(self.numbers)


@dataclass(frozen=True, slots=True)
class Masked:
    """What may leave the department in a pooled question, and the hash that its masks belong to."""

    numbers: Words = field(repr=False)
    question_hash: bytes
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.share.mask makes a Masked")


def share(plan: PoolingPlan, cells: Cells, draw: Draw, histograms: Iterable[Cells] = ()) -> Share:
    """Every number of the plan with this member's noise, in fractions of the measures' steps.

    Raises RUN_FAILED when the engine's cells do not fit the plan. Numbers saturate at an even part
    of what a total holds.
    """
    release = plan.release
    most = LARGEST_TOTAL // plan.members
    found: list[int] = []
    for mechanism, noise, exact in zip(
        release.mechanisms, plan.shares, tally(release, cells, histograms), strict=True
    ):
        noise.require_paid(plan.honest)
        fine = [max(-most, min(most, number << noise.bits)) for number in exact]
        found += draw(fine, replace(mechanism, scale=noise.scale, sensitivity=noise.l2))
    return Share(to_words(found), _SEAL)


def kept(plan: PoolingPlan, numbers: bytes) -> Share:
    """The share that the ledger kept; raises FAULT where it is not one of that plan."""
    found = from_bytes(numbers)
    if len(found) != plan.numbers:
        raise error("FAULT")
    return Share(found, _SEAL)


def mask(
    own: Share,
    department: str,
    exchanges: Exchanges,
    members: Mapping[str, X25519PublicKey],
    question_hash: bytes,
) -> Masked:
    """The share under the masks towards all other members.

    The caller sees to it that no hash ever masks two shares. Raises TypeError for what is no share,
    ValueError for a share without another member to mask it towards.
    """
    if not isinstance(own, Share):
        raise TypeError("only a share is masked")
    if len(members) < 2:
        raise ValueError("Nobody else takes part, so nothing would be hidden.")
    numbers = masked(own.numbers, department, exchanges, members, question_hash)
    return Masked(numbers, question_hash, _SEAL)
