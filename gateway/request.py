"""A caller's request on its way through the gateway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from landbridge.edge.telemetry import Trace
from landbridge.identity.certificates import NONE_PRESENTED, Presented

MARGIN = 0.5
"""Seconds kept back from the caller's deadline for combining, the log and the way back."""

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `certificate` is the one that the caller showed."""

    metadata: Metadata
    purpose: str
    question_id: str
    time_left: Callable[[], float]
    trace: Trace
    certificate: Presented = NONE_PRESENTED

    @property
    def seconds(self) -> float:
        """What departments have left for their part."""
        return self.time_left() - MARGIN
