"""Up to when the log was seen by others: the cosignatures under the published checkpoint."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import WitnessKey, cosignatures
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.note import read_note


@dataclass(frozen=True, slots=True)
class Seen:
    """A witness, and when it cosigned the published checkpoint; `time` 0 where it has not."""

    witness: str
    time: int


@dataclass(frozen=True, slots=True)
class Overseen:
    """The published checkpoint's size, its witnesses, and what is wrong with it, if anything."""

    size: int
    witnesses: tuple[Seen, ...]
    problem: str = ""

    @property
    def latest(self) -> int:
        """The latest time at which anybody cosigned it."""
        return max((each.time for each in self.witnesses), default=0)


def overseen(note: str, keys: Collection[WitnessKey]) -> Overseen:
    """What the published note says, each cosignature verified."""
    try:
        size = Checkpoint.parse(read_note(note)[0]).size
        found = {each.witness: each.time for each in cosignatures(note, keys)}
    except EvidenceError as problem:
        return Overseen(0, (), str(problem))
    return Overseen(
        size, tuple(Seen(key.name, found.get(key.name, 0)) for key in sorted(keys, key=_name))
    )


def _name(key: WitnessKey) -> str:
    return key.name
