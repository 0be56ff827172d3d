"""A case, its steps and its changes as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policies.progress import CaseState, StepState


@dataclass(frozen=True, slots=True)
class Sealed:
    """Ciphertext and signature, which the gateway cannot read."""

    sealed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A case as it was opened. `opener` is a keyed digest."""

    id: str
    procedure: str
    digest: str
    purpose: str
    opener: str
    organisation: str
    client: str
    form_key: bytes
    opened_at: float


@dataclass(frozen=True, slots=True)
class StepRow:
    """What has become of a step. `due_at` is in seconds since 1970."""

    step: str
    state: StepState
    code: str = ""
    reasons: tuple[str, ...] = ()
    due_at: float | None = None
    escalated_to: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a case; `step` is empty for the case as a whole."""

    sequence: int
    time: float
    step: str
    state: str
    code: str = ""
    reasons: tuple[str, ...] = ()
    role: str = ""
    parts: tuple[dict[str, Any], ...] = ()
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it stands for everybody who may look."""

    opened: Opened
    state: CaseState
    closed_at: float | None
    sequence: int
    steps: tuple[StepRow, ...]
    owner: str = ""
    """The log of the gateway that carries it on."""

    def states(self) -> dict[str, StepState]:
        """What each step is."""
        return {row.step: row.state for row in self.steps}


@dataclass(frozen=True, slots=True)
class Unlogged:
    """A change that may or may not stand in the log, from entry `log_size` on."""

    opened: Opened
    change: Change
    log_size: int
